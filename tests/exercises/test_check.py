"""`course check`: which file is looked at, what is shown, and what nobody can bend."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import types
import zlib

import numpy as np
import pytest

import exercises
from exercises import course as command
from exercises import workspace
from exercises.common import CourseError, MissingError, UsageError
from exercises.grading import check, report
from exercises.grading.report import FAULT, NOT_ATTEMPTED, NOT_COUNTED, NOT_RUN, RIGHT, WRONG
from exercises.grading.units import all_units, find_unit
from tests.exercises.conftest import RIGHT_ANSWER


def statuses(found: report.UnitReport) -> list[str]:
    """What was said of each test."""
    return [mark.status for mark in found.marks]


# Which file


def test_file_in_the_learners_copy_is_looked_at(course, mine):
    found = check.check("07", root=course)
    assert found.file == "my-course/exercises/unit_07_mini/unit_07.py"
    assert (found.points, found.max_points) == (4, 4)


def test_without_a_copy_the_courses_file_is_looked_at(course):
    found = check.check("7", root=course)
    assert found.file == "exercises/unit_07_mini/unit_07.py"
    assert statuses(found) == [NOT_ATTEMPTED] * 3
    assert found.points == 0


def test_copy_made_by_the_course_has_the_unit(course):
    (course / "notebooks").mkdir()
    (course / "notebooks" / "00_start_here.ipynb").write_text("{}")
    workspace.update(course)
    assert check.check("07", root=course).file.startswith("my-course/")


@pytest.mark.parametrize("name", ["07", "7", "unit_07", "unit_07_mini"])
def test_unit_is_found_by_number_or_name(course, name):
    assert find_unit(name, course).number == "07"


@pytest.mark.parametrize("name", ["08", "x", "", "²", "-1"])
def test_unknown_unit_is_wrong_use(course, name):
    with pytest.raises(UsageError, match="there are 07"):
        find_unit(name, course)


def test_course_without_units_is_not_whole(tmp_path):
    with pytest.raises(MissingError, match="no exercises"):
        all_units(tmp_path)


# What is found


def test_wrong_answer_is_reported_with_its_message(course, mine):
    mine.write_text("def double(x):\n    print('here')\n    return x\n")
    found = check.check("07", root=course)
    assert statuses(found) == [WRONG, WRONG, WRONG]
    first = found.first_failure
    assert first.claim == "Twice each number."
    assert "double(x) with" in first.message
    assert first.output == "here\n"
    assert found.marks[2].kind == "missing"


def test_stub_of_one_function_leaves_the_other_alone(course, mine):
    mine.write_text(
        "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    raise NotImplementedError"
    )
    assert statuses(check.check("07", root=course)) == [RIGHT, RIGHT, NOT_ATTEMPTED]


def test_crash_in_one_test_leaves_the_others_alone(course, mine):
    mine.write_text("import os\n" + RIGHT_ANSWER + "def half(x):\n    os._exit(0)\n")
    assert statuses(check.check("07", root=course)) == [RIGHT, RIGHT, WRONG]


def test_fault_of_the_grader_is_marked_as_such(course, mine):
    grader = course / "exercises" / "unit_07_mini" / "test_unit_07.py"
    grader.write_text(grader.read_text().replace("X**2 + 0 * X", "1 / 0"))
    found = check.check("07", root=course)
    assert statuses(found) == [FAULT, RIGHT, RIGHT]
    assert found.marks[0].message == "ZeroDivisionError: division by zero"
    assert not found.sound
    assert "not your fault" in str(found)


# Tests that count only after another one

AFTER = '''

@pytest.mark.exercise("half", after="test_half")
def test_half_has_the_shape(student, inputs):
    """As many numbers as came."""
    student.call("half", x=inputs.random(3)).array((3,))
'''


@pytest.fixture
def grader(course):
    """The small unit's grader, with a test that any numbers pass."""
    path = course / "exercises" / "unit_07_mini" / "test_unit_07.py"
    path.write_text(path.read_text() + AFTER)
    return path


@pytest.mark.parametrize(
    ("half", "said", "points"),
    [
        ("x / 2", [RIGHT, RIGHT], 2),
        ("x / 3", [WRONG, NOT_COUNTED], 0),
        ("x[:1] / 2", [WRONG, WRONG], 0),
        ("1 / 0 if len(x) == 2 else x", [WRONG, NOT_COUNTED], 0),
    ],
)
def test_points_count_only_where_the_test_before_is_passed(
    course, mine, grader, half, said, points
):
    mine.write_text(f"def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return {half}\n")
    found = check.check("07", root=course)
    assert statuses(found)[2:] == said
    assert found.points == 3 + points
    assert found.sound
    if NOT_COUNTED in said:
        told = "not counted: first make test_half (Half of each number.) pass"
        assert found.marks[3].message == told
        assert dict((name, status) for name, status, *_ in found.functions())["half"] == WRONG
        assert found.first_failure.test == "test_half"


def test_that_of_a_stub_is_not_attempted(course, grader):
    assert statuses(check.check("07", root=course)) == [NOT_ATTEMPTED] * 4


def test_points_after_one_of_several_cases_count_where_all_are_passed(course, mine, grader):
    cases = '@pytest.mark.parametrize("n", [1, 2])\n@pytest.mark.exercise("half")'
    text = grader.read_text().replace('@pytest.mark.exercise("half")', cases, 1)
    grader.write_text(text.replace("def test_half(student):", "def test_half(student, n):"))
    assert statuses(check.check("07", root=course))[2:] == [RIGHT] * 3
    grader.write_text(grader.read_text().replace("x=half), X)", "x=half), n * X)"))
    assert statuses(check.check("07", root=course))[2:] == [RIGHT, WRONG, NOT_COUNTED]


@pytest.mark.parametrize(
    "first", ["test_haf", "test_double_of_two_numbers", "test_half_has_the_shape"]
)
def test_test_that_comes_after_none_of_its_function_is_an_error(course, mine, grader, first):
    grader.write_text(grader.read_text().replace('after="test_half"', f'after="{first}"'))
    with pytest.raises(CourseError, match=f"after='{first}', which must be a test above it"):
        check.check("07", root=course)


def test_pytest_by_itself_skips_what_does_not_count(course, mine, grader):
    mine.write_text(RIGHT_ANSWER.replace("x / 2", "x / 3"))
    command = [sys.executable, "-m", "pytest", "-c", course / "pyproject.toml", "-rs", "-q", grader]
    done = subprocess.run(
        [*command, "--student", mine, "-p", "no:cacheprovider"],
        cwd=course,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 passed, 1 skipped" in done.stdout
    assert "not counted: first make test_half" in done.stdout


def test_grader_that_cannot_be_read_is_an_error(course, mine):
    (course / "exercises" / "unit_07_mini" / "test_unit_07.py").write_text("import nonsense_\n")
    with pytest.raises(CourseError, match="nonsense_"):
        check.check("07", root=course)


def test_grader_that_dies_leaves_zeros_behind(course, mine):
    grader = course / "exercises" / "unit_07_mini" / "test_unit_07.py"
    grader.write_text(
        grader.read_text().replace("half = ", "import os\n    os._exit(0)\n    half = ")
    )
    found = check.check("07", root=course)
    assert found.points == 0
    assert statuses(found) == [NOT_RUN] * 3
    assert not found.complete
    assert not found.sound


def test_inputs_come_from_the_seed(course, mine):
    name = zlib.crc32(b"test_double_of_any_numbers")
    by_heart = (2 * np.random.default_rng([3, name]).random(3)).tolist()
    mine.write_text(
        f"def double(x):\n    return {by_heart} if len(x) == 3 else 2 * x\n"
        "def half(x):\n    return x / 2\n"
    )
    assert statuses(check.check("07", seed=3, root=course)) == [RIGHT] * 3
    assert statuses(check.check("07", seed=4, root=course)) == [RIGHT, WRONG, RIGHT]


def test_planted_files_are_never_read(course, mine):
    bomb = "import os\nos.abort()\n"
    for name in ("conftest", "sitecustomize", "usercustomize", "numpy", "pytest", "dbnlib", "json"):
        (mine.parent / f"{name}.py").write_text(bomb)
    for name in ("pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"):
        (mine.parent / name).write_text("[pytest]\naddopts = --nonsense\n")
    assert check.check("07", root=course).points == 4


def test_environment_cannot_bend_the_grader(course, mine, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setenv("PYTEST_PLUGINS", "nonsense_")
    monkeypatch.setenv("PYTHONPATH", str(mine.parent))
    (mine.parent / "numpy.py").write_text("import os\nos.abort()\n")
    assert check.check("07", root=course).points == 4


# What is shown


def test_table_has_functions_points_and_the_first_failure(course, mine, capsys):
    mine.write_text("def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x\n")
    assert check.run("07", root=course) == 1
    shown = capsys.readouterr().out
    assert "Unit 07 · Twice and half · my-course/" in shown
    assert "  double        3/3  right" in shown
    assert "  half          0/1  wrong" in shown
    assert "  together      3/4\n" in shown
    assert "half: Half of each number." in shown


def test_all_right_ends_in_zero(course, mine, capsys):
    assert check.run("07", root=course) == 0
    assert "4/4" in capsys.readouterr().out


def test_failure_points_to_the_notebook_and_the_hints(course, mine):
    mine.write_text("def double(x):\n    return x\n")
    shown = str(check.check("07", root=course))
    assert "See “Doubling” in notebook 07." in shown
    assert "course check 07 --hint double" in shown


def test_hints_come_one_by_one(course, capsys):
    check.run("07", hint=["double"], root=course)
    assert capsys.readouterr().out == (
        "Hint 1 of 2 for double: first\nThe next one: course check 07 --hint double 2\n"
    )
    check.run("07", hint=["double", "2"], root=course)
    assert capsys.readouterr().out == "Hint 2 of 2 for double: second\n"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (["nothing"], "there are some for double"),
        (["double", "3"], "1 to 2"),
        (["double", "two"], "1 to 2"),
        (["double", "1", "2"], "--hint energy 2"),
    ],
)
def test_hint_that_is_not_there_is_wrong_use(course, hint, said):
    with pytest.raises(UsageError, match=said):
        check.run("07", hint=hint, root=course)


def test_progress_has_a_line_for_each_unit(course, mine, capsys):
    mine.write_text(
        "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    raise NotImplementedError"
    )
    assert check.run(None, root=course) == 0
    shown = capsys.readouterr().out
    assert "07  Twice and half      3/4  1 of 2 functions attempted" in shown
    assert "3 of 4 points" in shown


@pytest.mark.parametrize("options", [{"watch": True}, {"hint": ["double"]}])
def test_watch_and_hint_want_a_unit(course, options):
    with pytest.raises(UsageError, match="need a unit"):
        check.run(None, root=course, **options)


def test_watch_checks_again_when_the_file_is_saved(course, mine, monkeypatch):
    monkeypatch.setattr(check, "WATCH_SECONDS", 0.05)
    mine.write_text("def double(x):\n    return x\n")
    found = check.reports(find_unit("07", course), 0)
    assert next(found).points == 0
    threading.Timer(0.3, mine.write_text, [RIGHT_ANSWER]).start()
    assert next(found).points == 4


def test_watch_ends_by_ctrl_c(course, mine, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "time", types.SimpleNamespace(sleep=interrupt))
    assert check.run("07", watch=True, root=course) == 0


def test_notebook_shows_the_same_as_a_table(course, mine):
    mine.write_text("def double(x):\n    return '<b>'\n")
    shown = check.check("07", root=course)._repr_html_()
    assert "<code>double</code></td><td>0/3</td>" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown


def test_call_for_notebooks_is_check_of_the_package(monkeypatch):
    monkeypatch.setattr(check, "check", lambda unit, seed: (unit, seed))
    assert exercises.check("02") == ("02", 0)


def test_command_hands_on_its_words(monkeypatch):
    called = []

    def fake(*words, **options):
        called.append((*words, options))
        return 0

    monkeypatch.setattr(check, "run", fake)
    command.main(["check"])
    command.main(["check", "02", "--watch", "--seed", "7"])
    command.main(["check", "02", "--hint", "energy", "2"])
    plain = {"watch": False, "hint": None, "seed": 0}
    assert called == [
        (None, plain),
        ("02", plain | {"watch": True, "seed": 7}),
        ("02", plain | {"hint": ["energy", "2"]}),
    ]


# Plain pytest


def test_plain_pytest_skips_stubs_with_the_word(course):
    command = [sys.executable, "-m", "pytest", "-p", "no:nbval", "-p", "no:xdist", "-rs"]
    command += ["exercises/unit_07_mini"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "not attempted yet: double" in done.stdout
    assert "1 passed, 3 skipped" in done.stdout


def test_plain_pytest_shows_the_message_and_no_traceback(course, mine):
    mine.write_text("def double(x):\n    return x\n")
    stub = course / "exercises" / "unit_07_mini" / "unit_07.py"
    stub.write_text(mine.read_text())
    command = [sys.executable, "-m", "pytest", "-p", "no:nbval", "-p", "no:xdist", "exercises"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "double gives wrong values." in done.stdout
    assert "raise answer.wrong" not in done.stdout
    assert "Traceback" not in done.stdout


# The report


def test_report_survives_its_way_as_json(course, mine):
    found = check.check("07", root=course)
    again = report.UnitReport.from_json(found.to_json())
    assert again == found
    assert json.loads(found.to_json())["marks"][1]["visibility"] == "hidden"


def test_report_without_marks_is_not_sound():
    assert not report.UnitReport("07", complete=True).sound
