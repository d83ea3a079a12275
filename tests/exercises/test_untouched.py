"""Units whose programs run and are wrong: what is untouched, and units that have no number."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest

from exercises import workspace
from exercises.grading import check, grade, release
from exercises.grading.report import NOT_ATTEMPTED, RIGHT, UNTOUCHED, WRONG
from exercises.grading.units import Unit, all_units, find_unit
from exercises.grading.untouched import fingerprint, main, statements

PROGRAM = b'''"""A unit."""


def double(x):
    """Twice x."""
    for _ in range(2):
        y = x  # once more
    return y


def half(x):
    """Half of x."""
    return x
'''
MENDED = PROGRAM.replace(b"y = x ", b"y = x + x ").replace(b"return x\n", b"return x / 2\n")
GRADER = f'''
import numpy as np
import pytest

from exercises.grading import expect

HANDED_OUT = {{
    "double": "{fingerprint(PROGRAM, "double")}",
    "half": "{fingerprint(PROGRAM, "half")}",
}}
X = np.array([1.0, 2.0])


@pytest.mark.exercise("double", points=2, hints=("first", "second"), see="06: Doubling")
def test_double(student):
    """Twice each number."""
    expect(student.call("double", x=X), 2 * X, misconceptions={{"It is as it was.": X}})


@pytest.mark.exercise("half")
def test_half(student):
    """Half of each number."""
    expect(student.call("half", x=X), X / 2)
'''


@pytest.fixture
def hunt(course) -> Unit:
    """A unit without a number, beside the one that the course has."""
    folder = course / "exercises" / "hunt"
    folder.mkdir()
    (folder / "task.md").write_text("# The hunt\n")
    (folder / "hunt.py").write_bytes(PROGRAM)
    (folder / "test_hunt.py").write_text(GRADER)
    return find_unit("hunt", course)


# What counts as untouched


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"  # once more", b""),
        (b"def half", b"\n# Here it goes on.\n\n\ndef half"),
        (b"y = x ", b"y  =  x"),
        (b"range(2)", b"range(\n        2)"),
        (b"    return x\n", b"    return x / 2\n"),  # another function
        (b"\n", b"\r\n"),
        (b'"""A unit."""', b"import numpy as np"),
    ],
)
def test_comments_layout_and_other_functions_are_no_change(before, after):
    assert before in PROGRAM
    changed = PROGRAM.replace(before, after)
    assert fingerprint(changed, "double") == fingerprint(PROGRAM, "double") != ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"range(2)", b"range(3)"),
        (b"    return y", b"        return y"),  # inside the loop
        (b"y = x ", b"print(x); y = x "),
        (b"def double(x)", b"def double(x, y=0)"),
        (b"def double(x)", b"def twice(x)"),
        (b"def double(x)", b"@print\ndef double(x)"),
        (b"def half", b"double = abs\n\n\ndef half"),
        (b"def half(x)", b"def double(x)"),
        (b"def half(x)", b"def half(x"),  # no Python
        (b"def half", b"\xff"),
    ],
)
def test_any_other_change_is_one(before, after):
    assert before in PROGRAM
    assert fingerprint(PROGRAM.replace(before, after), "double") != fingerprint(PROGRAM, "double")


def test_all_fingerprints_differ_and_are_printed_for_the_grader(tmp_path):
    (tmp_path / "a.py").write_bytes(PROGRAM)
    lines = main(tmp_path / "a.py").splitlines()
    assert lines[0] == f'    "double": "{fingerprint(PROGRAM, "double")}",'
    assert len(set(lines)) == 2


def test_deeply_nested_source_has_no_fingerprint():
    assert fingerprint(b"x = " + 5000 * b"(" + b"\ndef double(x): pass", "double") == ""


def test_blanks_before_a_sign_that_is_none_do_not_stop_the_grader():
    # Before Python 3.12 each blank becomes a token of its own, found in a time that grows with it.
    source = b"def double(x):\n    return x" + b" " * 5000 + b"?\n"
    assert sum(map(len, statements(source))) < 200


# What is said of it


def test_untouched_program_is_not_attempted_and_its_claim_is_shown(course, hunt):
    found = check.check("hunt", root=course)
    assert [mark.status for mark in found.marks] == [NOT_ATTEMPTED] * 2
    assert [mark.kind for mark in found.marks] == [UNTOUCHED] * 2
    assert found.points == 0
    shown = str(found)
    assert "Next: double, which is still as it was handed out." in shown
    assert "This does not hold of it yet: Twice each number." in shown
    assert "See “Doubling” in notebook 06." in shown
    assert "course check hunt --hint double" in shown
    assert "[2. 4.]" not in shown
    assert "It is as it was" not in shown


def test_changed_program_that_is_still_wrong_is_judged_in_full(course, hunt):
    hunt.stub.write_bytes(PROGRAM.replace(b"range(2)", b"range(3)"))
    found = check.check("hunt", root=course)
    assert [mark.status for mark in found.marks] == [WRONG, NOT_ATTEMPTED]
    assert found.first_failure.misconception == "It is as it was."
    assert "[2. 4.]" in str(found)


def test_mended_program_gets_its_points_in_place_and_in_the_learners_copy(course, hunt):
    hunt.stub.write_bytes(MENDED)
    assert [mark.status for mark in check.check("hunt", root=course).marks] == [RIGHT] * 2
    hunt.stub.write_bytes(PROGRAM)
    mine = course / "my-course" / "exercises" / "hunt" / "hunt.py"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(MENDED)
    found = check.check("hunt", root=course)
    assert (found.file, found.points) == ("my-course/exercises/hunt/hunt.py", 3)


@pytest.mark.parametrize("top", ["1 / 0", "import os; os._exit(0)", "x = ("])
def test_file_that_cannot_be_loaded_is_wrong_and_not_untouched(course, hunt, top):
    hunt.stub.write_bytes(PROGRAM + top.encode())
    assert [mark.status for mark in check.check("hunt", root=course).marks] == [WRONG] * 2


def test_plain_pytest_skips_it_with_the_word(course, hunt):
    command = [sys.executable, "-m", "pytest", "-p", "no:nbval", "-p", "no:xdist", "-rs"]
    command += ["exercises/hunt"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "still as it was handed out: double" in done.stdout


# A unit without a number in every command


def test_units_without_a_number_come_last(course, hunt):
    assert [unit.number for unit in all_units(course)] == ["07", "hunt"]


def test_folder_without_a_task_is_no_unit(course):
    (course / "exercises" / "tools").mkdir()
    (course / "exercises" / "tools" / "test_tools.py").write_text("")
    assert [unit.number for unit in all_units(course)] == ["07"]


def test_progress_counts_what_was_touched(course, hunt):
    hunt.stub.write_bytes(PROGRAM.replace(b"range(2)", b"range(3)"))
    (line,) = [line for line in check.progress(course).splitlines() if "  hunt  " in line]
    assert "hunt  The hunt" in line
    assert "0/3  1 of 2 functions attempted" in line


def test_section_of_another_notebook_is_named_with_its_number(course, hunt):
    (course / "notebooks").mkdir()
    (course / "notebooks" / "06_x.ipynb").write_text("{}")
    assert hunt.section("06: Doubling") == ("06_x.ipynb", "Doubling")
    unit = find_unit("07", course)
    assert unit.section("Means: or draws") == ("notebook 07", "Means: or draws")


@pytest.mark.slow
def test_submissions_are_graded(course, hunt, tmp_path):
    handed_in, out = tmp_path / "in", tmp_path / "marks"
    for name, text in (("ada", MENDED), ("bob", PROGRAM)):
        (handed_in / name).mkdir(parents=True)
        (handed_in / name / "hunt.py").write_bytes(text)
    options = {"unit": "hunt", "out": out, "jobs": 1, "confine": "process", "root": course}
    assert grade.run(handed_in, **options) == 0
    found = {
        name: json.loads((out / "students" / name / "results.json").read_text())
        for name in ("ada", "bob")
    }
    scores = {name: sum(test["score"] for test in each["tests"]) for name, each in found.items()}
    assert scores == {"ada": 3, "bob": 0}
    assert found["bob"]["tests"][0]["output"].startswith("still as it was handed out: double")


def test_it_is_released_while_nobody_has_mended_it(course, hunt, tmp_path):
    assert "(unit hunt)" in release.run(["hunt"], out=tmp_path / "copy", root=course)
    kept = {path.name for path in (tmp_path / "copy" / "exercises" / "hunt").iterdir()}
    assert kept == {"task.md", "hunt.py", "test_hunt.py"}
    assert not (tmp_path / "copy" / "exercises" / "unit_07_mini").exists()
    release.run(["hunt"], out=tmp_path / "zips", gradescope=True, root=course)
    assert [path.name for path in (tmp_path / "zips").iterdir()] == ["autograder_hunt.zip"]


@pytest.mark.parametrize("changed", [MENDED, PROGRAM.replace(b"range(2)", b"range(3)")])
def test_it_is_not_released_with_somebodys_changes(course, hunt, tmp_path, changed):
    hunt.stub.write_bytes(changed)
    with pytest.raises(release.CourseError, match="hunt cannot be released: hunt.py is no stub"):
        release.run(["hunt"], out=tmp_path / "copy", root=course)


def test_bug_hunt_is_a_unit_of_the_course_that_learners_get():
    unit = find_unit("bug_hunt")
    assert all_units()[-1] == unit
    assert unit.title == "The bug hunt"
    names = [f"exercises/bug_hunt/{name}" for name in ("task.md", unit.stub.name, unit.grader.name)]
    assert set(names) <= set(workspace.course_files())


def test_every_unit_is_copied_for_the_learner():
    copied = set(workspace.course_files())
    for unit in all_units():
        assert unit.stub.relative_to(unit.root).as_posix() in copied


def test_no_two_functions_of_the_bug_hunt_have_the_same_fingerprint():
    lines = main(find_unit("bug_hunt").stub).splitlines()
    assert all(a.split(": ")[1] != b.split(": ")[1] for a, b in itertools.combinations(lines, 2))
