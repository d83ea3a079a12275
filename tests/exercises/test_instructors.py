"""The instructors' page: the tests, options and levels that it names are there."""

from __future__ import annotations

import re

import pytest

from exercises import course
from exercises.common import ROOT
from exercises.grading.sandbox import LEVELS
from exercises.grading.units import all_units

PAGE = (ROOT / "exercises" / "INSTRUCTORS.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| .+ \| (`.+`) \| `(test_\w+)` \|$", re.MULTILINE)


def section(number: str) -> str:
    """What is said of one unit."""
    found = re.search(rf"^### Unit {number}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("unit", all_units(), ids=lambda unit: unit.number)
def test_misconceptions_name_functions_and_tests_of_the_unit(unit):
    grader = unit.grader.read_text(encoding="utf-8")
    assert section(unit.number), f"give unit {unit.number} a section"
    for functions, test in ROW.findall(section(unit.number)):
        assert f"def {test}(" in grader
        for function in re.findall(r"`(\w+)`", functions):
            assert f'"{function}"' in grader


def test_each_claim_of_unit_02_has_a_row():
    grader = (ROOT / "exercises" / "unit_02_rbm" / "test_unit_02.py").read_text(encoding="utf-8")
    named = {test for _, test in ROW.findall(section("02"))}
    assert len(named) >= 0.8 * len(re.findall(r"^def test_", grader, re.MULTILINE))


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
