"""`course release`: what students get, what they do not, and an autograder that runs."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exercises import course as command
from exercises.common import ROOT, CourseError, UsageError, names
from exercises.grading import check, release
from exercises.grading.hidden import without_hidden_tests
from exercises.grading.report import NOT_ATTEMPTED
from tests.exercises.conftest import RIGHT_ANSWER

GRADER = '''"""What is asked."""

import math

import numpy as np
import pytest

SEEN = 1.0
SECRET = math.tau  # the answer


def helper():
    """For the test that is seen."""
    return SEEN


# Only for those who grade:
# the answer is tau.
def secret():
    return other_secret()


def other_secret():
    return SECRET


@pytest.fixture
def given():
    return np.zeros(SECRET)


@pytest.mark.exercise("f", visibility="visible")
def test_seen(student):
    """Seen."""
    assert helper()


# ---- hidden: tau again


@pytest.mark.parametrize("n", [1])
@pytest.mark.exercise("f", visibility="hidden")
def test_hidden(student, given, n):
    assert secret() == SECRET


@pytest.mark.exercise("f", visibility="after_due_date")
class TestLater:
    def test_it(self, student):
        assert secret()


def test_also_seen():
    assert np
'''


@pytest.fixture
def whole(course) -> Path:
    """The small course with more of what the real one has, and what must stay behind."""
    for name in (
        *("README.md", "LICENSE", "dbnlib/rbm.py", "dbnlib/widgets/a.py", "notebooks/07_x.ipynb"),
        *("exercises/INSTRUCTORS.md", "exercises/unit_07_mini/.hidden", "tests/dbnlib/test_a.py"),
        *("tests/exercises/answers/unit_07.toml", "tests/exercises/bank.py", ".git/HEAD"),
        *("my-course/exercises/unit_07_mini/unit_07.py", "marks/summary.md", ".venv/pyvenv.cfg"),
        *("dbnlib/__pycache__/rbm.pyc", "notebooks/.ipynb_checkpoints/x.ipynb"),
        *("exercises/unit_08_next/unit_08.py", "uv.lock", "notes.txt"),
    ):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("{}" if name.endswith("ipynb") else "")
    for name in engine():
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, course / name)
    return course


def engine() -> list[str]:
    """The modules that check and grade."""
    return [*names(ROOT, "exercises/*.py"), *names(ROOT, "exercises/grading/*.py")]


def listing(folder: Path) -> set[str]:
    """The files in a folder."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


# What students get


@pytest.mark.slow
def test_students_get_what_is_listed_and_nothing_that_lies_there(whole, tmp_path):
    said = release.run(["07"], out=tmp_path / "copy", root=whole)
    assert listing(tmp_path / "copy") == {
        *("README.md", "LICENSE", "pyproject.toml", "dbnlib/rbm.py", "dbnlib/widgets/a.py"),
        *("notebooks/07_x.ipynb", "tests/dbnlib/test_a.py", "exercises/unit_07_mini/task.md"),
        *("exercises/unit_07_mini/unit_07.py", "exercises/unit_07_mini/test_unit_07.py"),
        *engine(),
    }
    assert "without 1 hidden tests" in said
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_hidden_test_is_not_in_the_copy_and_the_others_still_run(whole, tmp_path):
    release.run(["07"], out=tmp_path / "copy", root=whole)
    grader = (tmp_path / "copy" / "exercises" / "unit_07_mini" / "test_unit_07.py").read_text()
    assert "test_double_of_two_numbers" in grader
    assert "any_numbers" not in grader
    found = check.check("07", root=tmp_path / "copy")
    assert [mark.status for mark in found.marks] == [NOT_ATTEMPTED] * 2
    assert found.max_points == 3


@pytest.mark.slow
def test_copy_of_the_real_course_has_the_library_and_no_answers(tmp_path):
    release.run(["02"], out=tmp_path / "copy")
    held = listing(tmp_path / "copy")
    assert {"dbnlib/rbm.py", "exercises/grading/worker.py", "README.md"} <= held
    assert not any("answers" in name or "INSTRUCTORS" in name for name in held)
    assert {name.split("/")[1] for name in held if name.startswith("exercises/unit_")} == {
        "unit_02_rbm"
    }


def test_folder_may_be_named_by_a_relative_path(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    release.run(["07"], out=Path("copy"), root=whole)
    assert (tmp_path / "copy" / "exercises" / "unit_07_mini" / "unit_07.py").is_file()


def test_unit_that_somebody_has_solved_is_not_released(whole, tmp_path):
    (whole / "exercises" / "unit_07_mini" / "unit_07.py").write_text(RIGHT_ANSWER)
    with pytest.raises(CourseError, match="no stub: double does something"):
        release.run(["07"], out=tmp_path / "copy", root=whole)
    assert not (tmp_path / "copy").exists()


def test_hidden_test_that_cannot_be_taken_out_stops_the_release(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "without_hidden_tests", lambda text: (text, 0))
    with pytest.raises(CourseError, match="test_double_of_any_numbers would be seen"):
        release.run(["07"], out=tmp_path / "copy", root=whole)
    assert not (tmp_path / "copy").exists()


def test_folder_that_holds_something_is_left_alone(whole, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        release.run(["07"], out=tmp_path / "copy", root=whole)
    assert listing(tmp_path / "copy") == {"mine.txt"}


@pytest.mark.parametrize(
    "stray",
    [
        *("exercises/unit_07_mini/unit_07_solution.py", "exercises/unit_07_mini/marks/marks.csv"),
        *("exercises/solution_07.py", "exercises/grading/notes.txt", "dbnlib/answers.csv"),
        *(
            "notebooks/solutions_07.md",
            "notebooks/solutions_07.ipynb",
            "tests/answers/unit_07.toml",
        ),
        *("tests/dbnlib/marks/ada/unit_07.py", "tests/marks.csv"),
    ],
)
def test_file_that_is_not_the_courses_stops_the_release_and_is_named(whole, tmp_path, stray):
    (whole / stray).parent.mkdir(parents=True, exist_ok=True)
    (whole / stray).write_text("{}")
    with pytest.raises(CourseError, match=f"{stray} is not one of the course's files"):
        release.run(["07"], out=tmp_path / "copy", root=whole)
    assert not (tmp_path / "copy").exists()
    release.run(["07"], out=tmp_path / "zips", gradescope=True, root=whole)
    with zipfile.ZipFile(tmp_path / "zips" / "autograder_unit_07.zip") as archive:
        assert f"course/{stray}" not in archive.namelist()


def test_names_of_the_modules_are_those_of_the_package():
    assert {f"exercises/{name}.py" for name in release.MODULES} == set(
        names(ROOT, "exercises/*.py")
    )


@pytest.mark.skipif(os.name != "posix", reason="links want rights elsewhere")
def test_links_are_not_followed(whole, tmp_path):
    (whole / "dbnlib" / "secret.py").symlink_to(whole / "tests" / "exercises" / "bank.py")
    assert "dbnlib/secret.py" not in release.listed(whole, ["dbnlib/**/*"])


# Taking out hidden tests


def test_hidden_tests_go_with_what_only_they_used():
    text, n = without_hidden_tests(GRADER)
    assert n == 2
    ast.parse(text)
    for word in ("tau", "SECRET", "secret", "hidden", "given", "Later", "import math"):
        assert word not in text
    for word in ("import numpy", "SEEN = 1.0", "def helper", "def test_seen", "test_also_seen"):
        assert word in text


def test_grader_without_hidden_tests_stays_as_it_is():
    text = (ROOT / "exercises" / "unit_02_rbm" / "test_unit_02.py").read_text(encoding="utf-8")
    assert without_hidden_tests(text) == (text, 0)


HIDDEN = '@pytest.mark.exercise("f", visibility="hidden")\n'


@pytest.mark.parametrize(
    "source",
    [
        "SECRET: int = 6\n",
        "SECRET = 6\nSECRET += 1\n",
        "KEY = 1\nSECRET = {}\nSECRET[KEY] = 6\n",
        "(SECRET, *REST) = secret = 6, 7\n",
        "async def SECRET():\n    return secret\n",
        "@pytest.fixture\ndef SECRET():\n    return secret\n",
    ],
)
@pytest.mark.parametrize("use", ["assert SECRET", "'SECRET'"])
def test_whatever_makes_a_name_goes_with_the_hidden_test_that_used_it(source, use):
    seen = "KEY = 2\n\n\ndef test_seen():\n    assert KEY\n"
    text, n = without_hidden_tests(f"{source}{HIDDEN}def test_f():\n    {use}\n\n\n{seen}")
    assert n == 1
    assert "secret" not in text.lower()
    assert text.endswith(seen)


@pytest.mark.parametrize(
    "source",
    [
        "TABLE = {}\nTABLE.update(x=6)\n",
        "for n in range(3):\n    pass\n",
        "if True:\n    SECRET = 6\n",
        "with open(__file__) as file:\n    SECRET = 6\n",
        "SECRET = 6\ndel SECRET\n",
    ],
)
def test_statement_of_which_nobody_can_say_whose_it_is_stops_the_release(source):
    with pytest.raises(CourseError, match="is no definition"):
        without_hidden_tests(f"{source}{HIDDEN}def test_f():\n    pass\n")
    assert without_hidden_tests(source) == (source, 0)


@pytest.mark.parametrize("below", ["    # tau\n", "# tau\n", "\n    # tau\n\n\n    # tau\n"])
def test_comments_below_a_hidden_test_go_and_those_of_the_next_one_stay(below):
    seen = "# seen\ndef test_seen():\n    pass\n"
    text, _ = without_hidden_tests(
        f'"""Doc."""\n\n\n{HIDDEN}def test_f():\n    x = 1\n{below}\n\n{seen}'
    )
    assert "tau" not in text
    assert text.startswith('"""Doc."""')
    assert text.endswith(seen)


def test_test_that_comes_after_a_hidden_one_stops_the_release(whole, tmp_path):
    grader = whole / "exercises" / "unit_07_mini" / "test_unit_07.py"
    seen = '\n\n@pytest.mark.exercise("double", after="test_double_of_any_numbers")\n'
    grader.write_text(f"{grader.read_text()}{seen}def test_seen(student):\n    pass\n")
    with pytest.raises(CourseError, match="test_seen comes after='test_double_of_any_numbers'"):
        release.run(["07"], out=tmp_path / "copy", root=whole)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("marker", ['visibility="hid" + "den"', "visibility=X", "**options"])
def test_visibility_that_cannot_be_read_stops_the_release(marker):
    source = f'@pytest.mark.exercise("f", {marker})\ndef test_f():\n    pass\n'
    with pytest.raises(CourseError, match="must"):
        without_hidden_tests(source)


# Gradescope


def test_autograder_holds_the_scripts_and_one_unit_with_all_its_tests(whole, tmp_path):
    said = release.run(["07"], out=tmp_path / "zips", gradescope=True, root=whole)
    with zipfile.ZipFile(tmp_path / "zips" / "autograder_unit_07.zip") as archive:
        held = set(archive.namelist())
        scripts = [archive.getinfo(name) for name in ("setup.sh", "run_autograder")]
        grader = archive.read("course/exercises/unit_07_mini/test_unit_07.py").decode()
    assert all(entry.external_attr >> 16 & 0o111 == 0o111 for entry in scripts)
    assert "test_double_of_any_numbers" in grader
    assert not any("tests/" in name or "INSTRUCTORS" in name or "unit_08" in name for name in held)
    assert "not for students" in said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the scripts are for a Linux container")
@pytest.mark.parametrize(
    ("submitted", "points"),
    [({"unit_07.py": RIGHT_ANSWER}, 4), ({"readme.txt": "sorry"}, 0)],
    ids=["right", "nothing"],
)
def test_autograder_runs_on_one_submission(whole, tmp_path, submitted, points):
    folder = unpacked(whole, tmp_path, submitted)
    done = grade_there(folder)
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "results" / "results.json").read_text())
    assert sum(test["score"] for test in found["tests"]) == points
    assert sum(test["max_score"] for test in found["tests"]) == 4
    assert "no file unit_07.py" in found["output"] or points == 4


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="only where root starts it does the code run as another user",
)
def test_autograder_closes_what_another_user_could_see_or_write(whole, tmp_path):
    folder, shared = unpacked(whole, tmp_path, {"readme.txt": "sorry"}), tmp_path / "shared"
    for place in (folder, shared):
        place.chmod(0o777)
    assert grade_there(folder).returncode == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert shared.stat().st_mode & 0o007 == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the scripts are for a Linux container")
def test_autograder_that_fails_gives_no_mark(whole, tmp_path):
    folder = unpacked(whole, tmp_path, {"unit_07.py": RIGHT_ANSWER})
    (folder / "results").mkdir()
    (folder / "results" / "results.json").write_text('{"score": 4}')
    grader = folder / "source" / "course" / "exercises" / "unit_07_mini" / "test_unit_07.py"
    grader.write_text("import nonsense_\n")
    done = grade_there(folder)
    assert done.returncode == 1
    assert not (folder / "results" / "results.json").exists()


def unpacked(whole: Path, tmp_path: Path, submitted: dict[str, str]) -> Path:
    """A folder as Gradescope makes it; the course command in it is this environment's."""
    release.run(["07"], out=tmp_path / "zips", gradescope=True, root=whole)
    folder = tmp_path / "autograder"
    with zipfile.ZipFile(tmp_path / "zips" / "autograder_unit_07.zip") as archive:
        archive.extractall(folder / "source")
    course = folder / "source" / "course"
    start = course / ".venv" / "bin" / "course"
    start.parent.mkdir(parents=True)
    start.write_text(
        f"#!{sys.executable}\nimport sys\nfrom exercises import course\nsys.exit(course.main())\n"
    )
    start.chmod(0o755)
    (tmp_path / "shared").mkdir(mode=0o777)
    (folder / "submission").mkdir()
    for name, text in submitted.items():
        (folder / "submission" / name).write_text(text)
    return folder


def grade_there(folder: Path) -> subprocess.CompletedProcess:
    """Run the autograder as the platform does."""
    script = folder / "source" / "run_autograder"
    return subprocess.run(
        ["bash", str(script)],
        env=os.environ
        | {"AUTOGRADER": str(folder), "PYTHONPATH": str(folder / "source" / "course")}
        | {"SHARED_FOLDERS": str(folder.parent / "shared")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_scripts_are_sound_shell():
    for script in (release.SETUP, release.RUN.replace("UNIT", "02")):
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert "UNIT" not in script


# The command


def test_command_hands_on_its_words(monkeypatch, capsys):
    called = []
    monkeypatch.setattr(
        release, "run", lambda units, **options: called.append((units, options)) or "done"
    )
    assert command.main(["release", "--unit", "01", "02", "--out", "here"]) == 0
    assert command.main(["release", "--unit", "02", "--out", "here", "--gradescope"]) == 0
    out = {"out": Path("here")}
    assert called == [
        (["01", "02"], out | {"gradescope": False}),
        (["02"], out | {"gradescope": True}),
    ]
    assert capsys.readouterr().out == "done\ndone\n"


def test_help_says_what_each_holds(capsys):
    command.main(["release", "--help"])
    shown = capsys.readouterr().out
    for words in ("does not hold hidden tests", "setup.sh", "run_autograder", "not for students"):
        assert words in shown
