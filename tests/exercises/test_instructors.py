"""The instructors' page: the tests, options, levels and minutes that it names are right."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

import pytest

from exercises import course
from exercises.common import ROOT
from exercises.grading.sandbox import LEVELS
from exercises.grading.units import Unit, all_units

UNITS = all_units()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGE = (ROOT / "exercises" / "INSTRUCTORS.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| .+ \| (`.+`) \| `(test_\w+)` \|$", re.MULTILINE)


def heading(unit: Unit) -> str:
    """How the page calls a unit."""
    return f"Unit {unit.number}" if unit.number.isdigit() else unit.title


def section(unit: Unit) -> str:
    """What is said of one unit."""
    found = re.search(rf"^### {heading(unit)}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def rows(unit: Unit) -> list[tuple[list[str], str]]:
    """The functions and the test of each row of a unit's table."""
    return [(re.findall(r"`(\w+)`", f), test) for f, test in ROW.findall(section(unit))]


def declared(unit: Unit) -> dict[str, str]:
    """Each test of a unit's grader, and the function that its marker names."""
    found = {}
    for node in ast.parse(unit.grader.read_text(encoding="utf-8")).body:
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.exercise":
                found[node.name] = call.args[0].value
    return found


# The tables of misconceptions


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_table_has_rows_of_the_one_form(unit):
    lines = [line for line in section(unit).splitlines() if line.startswith("|")]
    assert lines[:2] == ["| what is thought | function | test |", "| --- | --- | --- |"]
    assert [line for line in lines[2:] if not ROW.fullmatch(line)] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_each_row_names_a_test_of_the_unit_and_its_function(unit):
    tests = declared(unit)
    for functions, test in rows(unit):
        assert test in tests
        assert set(functions) <= set(tests.values()), test
        assert tests[test] in functions, test


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_each_function_has_a_row_and_so_have_most_claims(unit):
    tests = declared(unit)
    named = {test for _, test in rows(unit)}
    assert {tests[test] for test in named} == set(tests.values())
    assert len(named) >= 0.8 * len(tests)


# The syllabus


def minutes_on_the_task_page(unit: Unit) -> int:
    """At its head."""
    text = (unit.folder / "task.md").read_text(encoding="utf-8")
    return int(re.search(r"\*\*Time:\*\* about (\d+) minutes", text)[1])


def parts_of_the_weeks() -> Iterator[tuple[str, int]]:
    """What stands in the seven weeks, together and alone, with its minutes."""
    table = PAGE.partition("### Seven weeks")[2].partition("\n## ")[0]
    for line in re.findall(r"^\| \d \|.*", table, re.MULTILINE):
        _, together, minutes, _, alone, more = (cell.strip() for cell in line.strip("|").split("|"))
        for parts, numbers in ((together, minutes), (alone, more)):
            each = zip(parts.split(";"), numbers.split("+"), strict=True)
            yield from ((part.strip(), int(number)) for part, number in each)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_seven_weeks_give_each_unit_the_minutes_of_its_task_page(unit):
    name = heading(unit)[0].lower() + heading(unit)[1:]
    given = sum(minutes for part, minutes in parts_of_the_weeks() if name in part)
    assert given == minutes_on_the_task_page(unit)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_seven_weeks_give_each_notebook_the_minutes_at_its_head(path):
    head = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    minutes = int(re.search(r"\*\*Time:\*\* about (\d+) minutes", "".join(head))[1])
    given = sum(minutes for part, minutes in parts_of_the_weeks() if part == path.stem[:2])
    assert given == minutes


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_two_days_give_the_functions_they_name_their_minutes(unit):
    task = (unit.folder / "task.md").read_text(encoding="utf-8")
    needed = dict(re.findall(r"^\| `(\w+)` \|.*\| \d+ \| (\d+) \|$", task, re.MULTILINE))
    table = PAGE.partition("### Two days")[2].partition("\n### ")[0]
    for part, minutes in re.findall(r"^\| \d \| (.+?) \| (\d+) \|", table, re.MULTILINE):
        if part.startswith(f"unit {unit.number}"):
            named = re.findall(r"`(\w+)`", part)
            assert sum(int(needed[name]) for name in named) <= int(minutes)
            assert int(minutes) <= minutes_on_the_task_page(unit)


# What it says of the tests


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_every_test_draws_new_inputs(unit):
    """But for those that ask for the draws alone, and count only after one that judges them."""
    for node in ast.parse(unit.grader.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name in declared(unit):
            used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            words = {word.arg for call in node.decorator_list for word in call.keywords}
            assert "inputs" in used or "after" in words, node.name


# The rest


def test_levels_of_the_sandbox_are_listed_in_order():
    assert re.findall(r"^\| \d \| `([\w-]+)` \|", PAGE, re.MULTILINE) == list(LEVELS)


def test_commands_in_blocks_are_understood():
    parser = course.make_parser()
    lines = [
        line
        for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
        for line in block.split("\n")
    ]
    words = [line.split()[1:] for line in lines if line.startswith("course ")]
    assert len(words) >= 3
    for each in words:
        assert parser.parse_args(each).run
