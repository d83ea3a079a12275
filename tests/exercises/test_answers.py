"""The graders are graded: right answers pass however written, wrong ones fail and are named."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter

import pytest

from exercises.common import ROOT
from exercises.grading.report import FAULT, NOT_ATTEMPTED, RIGHT
from exercises.grading.units import Unit, all_units
from exercises.grading.untouched import statements
from tests.exercises.bank import entries, grade, judge, judge_directly

ENTRIES = entries()
UNITS = all_units()


@pytest.mark.slow
@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.right], ids=str)
def test_right_answer_gets_all_points(entry):
    marks = judge(entry)
    assert marks
    assert [(m.test, m.message) for m in marks if m.status != RIGHT] == []


@pytest.mark.slow
@pytest.mark.parametrize("entry", [e for e in ENTRIES if not e.right], ids=str)
def test_wrong_answer_fails_and_is_named_as_the_bank_says(entry):
    marks = judge(entry)
    assert any(m.status != RIGHT for m in marks), "it passes"
    assert all(m.status != FAULT for m in marks), marks
    assert sum(m.points for m in marks) < sum(m.max_points for m in marks)
    sentences = " ".join(m.misconception for m in marks)
    assert entry.named in sentences, sentences


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_verdict_is_the_same_whatever_the_inputs(entry):
    for seed in range(100, 103):
        errors = judge_directly(entry, seed)
        assert bool(errors) != entry.right, (seed, errors)
        assert entry.named in " ".join(error.misconception for error in errors), (seed, errors)


def test_most_wrong_answers_are_named():
    wrong = [e for e in ENTRIES if not e.right]
    assert sum(bool(e.named) for e in wrong) >= 0.7 * len(wrong)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_untouched_stubs_score_zero_and_are_not_attempted(unit):
    report = grade(unit.stub.read_bytes(), unit)
    assert report.complete
    assert report.points == 0
    assert {m.status for m in report.marks} == {NOT_ATTEMPTED}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_bank_has_one_other_right_and_four_wrong_answers_to_each_function(unit):
    report = grade(unit.stub.read_bytes(), unit, "--collect-only")
    mine = [e for e in ENTRIES if e.unit == unit.number]
    right = Counter(e.function for e in mine if e.right and e.about != "the reference")
    wrong = Counter(e.function for e in mine if not e.right)
    functions = {m.function for m in report.marks}
    assert {name for name in functions if not right[name] or wrong[name] < 4} == set()
    assert functions >= right.keys() | wrong.keys()


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "123456789"])
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_reference_passes_with_any_inputs(unit, seed):
    reference = next(e for e in ENTRIES if e.unit == unit.number and e.about == "the reference")
    report = grade(reference.source, unit, "--inputs-seed", seed)
    assert report.points == report.max_points, str(report)


# What a unit must have besides


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_each_function_has_three_hints_and_a_section_to_read(unit):
    report = grade(unit.stub.read_bytes(), unit, "--collect-only")
    functions = {m.function for m in report.marks}
    assert {name for name in functions if len(report.hints.get(name, ())) != 3} == set()
    assert functions == report.see.keys()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_sections_to_read_are_in_the_notebook(unit):
    report = grade(unit.stub.read_bytes(), unit, "--collect-only")
    sections = {unit.section(words) for words in report.see.values()}
    found = [(name, title) for name, title in sections if (ROOT / "notebooks" / name).is_file()]
    if not found:
        pytest.skip("the notebook is not written yet")
    assert [title for name, title in found if title not in headings(name)] == []


def headings(notebook: str) -> set[str]:
    """The titles of a notebook's sections."""
    cells = json.loads((ROOT / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return {match.strip() for match in re.findall(r"^#+\s+(.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_task_lists_the_functions_with_their_points(unit):
    report = grade(unit.stub.read_bytes(), unit, "--collect-only")
    text = (unit.folder / "task.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \| \d+ \|$", text, re.MULTILINE)
    assert rows == [(name, f"{most:g}") for name, _, _, most in report.functions()]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_stubs_are_typed_documented_and_import_numpy_only(unit):
    """A unit whose programs run and are to be mended may have helpers besides, and has no stub."""
    tree = ast.parse(unit.stub.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    report = grade(unit.stub.read_bytes(), unit, "--collect-only")
    asked = {m.function for m in report.marks}
    names = {f.name for f in functions}
    assert asked <= names if runs(unit) else asked == names
    for function in functions:
        assert ast.get_docstring(function), function.name
        assert function.returns is not None, function.name
        assert all(a.annotation for a in function.args.args), function.name
        assert isinstance(function.body[-1], ast.Raise) != runs(unit), function.name
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert imported <= {"numpy", "__future__"}


# Units whose programs run, and are wrong


def runs(unit: Unit) -> bool:
    """Whether what is handed out are programs with errors in them, and not stubs."""
    return unit.grader.read_text(encoding="utf-8").count("\nHANDED_OUT = ") == 1


@pytest.mark.parametrize("unit", list(filter(runs, UNITS)), ids=lambda unit: unit.number)
def test_each_program_as_it_was_handed_out_is_a_wrong_answer_of_the_bank(unit):
    asked = {m.function for m in grade(unit.stub.read_bytes(), unit, "--collect-only").marks}
    mine = [e for e in ENTRIES if e.unit == unit.number and not e.right]
    handed_out = unit.stub.read_bytes()
    still = {
        e.function
        for e in mine
        if definition(e.source.encode(), e.function) == definition(handed_out, e.function)
    }
    assert still == asked


def definition(source: bytes, function: str) -> list[str]:
    """The tokens of a function where it is defined last."""
    return [words for words in statements(source) if words[:2] == ["def", function]][-1]
