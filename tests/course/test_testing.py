"""`course test` fails when anything fails, and never looks into the learner's copy."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from exercises import testing
from exercises.common import ROOT, CourseError, MissingError
from tests.course.conftest import notebook, printed, write

GOOD = notebook("print(6 * 7)", outputs=printed("42\n"), count=1)
WRONG = notebook("print(6 * 7)", outputs=printed("54\n"), count=1)


@pytest.fixture
def small(root):
    """A small course that is sound: one test, one notebook."""
    shutil.copy(ROOT / "pyproject.toml", root)
    write(root / "tests/test_small.py", "def test_small():\n    assert 1 + 1 == 2\n")
    shutil.rmtree(root / "notebooks")
    write(root / "notebooks/00_start_here.ipynb", GOOD)
    return root


def plant(folder):
    """Everything that a learner could leave behind to break or fake a test run."""
    bomb = "raise SystemExit('my-course was looked into')\n"
    for name in ("conftest.py", "test_bad.py", "tests/test_bad.py", "notebooks/conftest.py"):
        write(folder / name, bomb)
    for name in ("pytest.py", "numpy.py", "sitecustomize.py", "notebooks/numpy.py"):
        write(folder / name, bomb)
    write(folder / "pytest.ini", "[pytest]\naddopts = --nonsense\n")
    write(folder / "pyproject.toml", "not toml [")
    write(folder / "notebooks/00_start_here.ipynb", WRONG)
    write(folder / "notebooks/broken.ipynb", "{")


@pytest.fixture
def pytest_words(monkeypatch):
    """The words that pytest was called with; it does not run, as if all had passed."""
    words: list[str] = []

    class Fake:
        def __init__(self, command, **options):
            words[:] = command

        def wait(self):
            return 0

    monkeypatch.setattr(testing.subprocess, "Popen", Fake)
    return words


# How pytest is called


def test_everything_is_tests_and_notebooks(small, pytest_words):
    testing.run(root=small)
    assert pytest_words[-2:] == ["tests", "notebooks"]
    assert "--nbval" in pytest_words
    assert "--nbval-lax" not in pytest_words


@pytest.mark.parametrize("choice", [{"quick": True}, {"library": True}, {"keyword": "rbm"}])
def test_parts_without_notebooks(small, pytest_words, choice):
    testing.run(root=small, **choice)
    assert pytest_words[-1] == "tests"
    assert "--nbval" not in pytest_words


def test_part_with_notebooks_only(small, pytest_words):
    testing.run(notebooks=True, root=small)
    assert "--nbval" in pytest_words
    assert pytest_words[-1] == "notebooks"
    assert "tests" not in pytest_words


def test_quick_leaves_out_slow_tests(small, pytest_words):
    testing.run(quick=True, root=small)
    assert "not slow" in pytest_words


def test_keyword_is_handed_on(small, pytest_words):
    testing.run(keyword="rbm", root=small)
    assert pytest_words[pytest_words.index("-k") + 1] == "rbm"


@pytest.mark.parametrize("workers", [0, 1])
def test_one_process_needs_no_workers(small, pytest_words, workers):
    testing.run(workers=workers, root=small)
    assert "-n" not in pytest_words


def test_cells_of_a_notebook_stay_together(small, pytest_words):
    testing.run(workers=2, root=small)
    assert pytest_words[pytest_words.index("--dist") + 1] == "loadscope"


@pytest.mark.parametrize(
    ("path", "nbval"),
    [("tests/test_small.py::test_small", False), ("notebooks/00_start_here.ipynb", True)],
)
def test_paths_for_pytest_replace_the_usual_ones(small, pytest_words, path, nbval):
    testing.run(extra=["-x", path], root=small)
    assert pytest_words[-2:] == ["-x", path]
    assert not {"tests", "notebooks"} & set(pytest_words)
    assert ("--nbval" in pytest_words) is nbval


@pytest.mark.parametrize(("code", "ours"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (5, 1)])
def test_code_is_zero_only_when_pytest_ran_tests_and_all_passed(
    small, pytest_words, monkeypatch, code, ours
):
    monkeypatch.setattr(testing.subprocess.Popen, "wait", lambda self: code)
    assert testing.run(root=small) == ours


def test_course_without_notebooks_is_not_sound(small):
    shutil.rmtree(small / "notebooks")
    with pytest.raises(CourseError, match="no notebooks"):
        testing.run(root=small)


def test_course_without_tests_is_not_whole(tmp_path):
    with pytest.raises(MissingError, match="no tests"):
        testing.run(root=tmp_path)


# Real runs


def test_sound_library_passes_from_any_folder_and_ends_in_pytests_line(small, monkeypatch, capfd):
    plant(small / "my-course")
    monkeypatch.chdir(small / "my-course")
    assert testing.run(library=True, workers=0, root=small) == 0
    assert "1 passed" in capfd.readouterr().out.splitlines()[-1]


def test_failure_and_warning_and_bad_file_fail_the_run(small, capfd):
    bad = "import warnings\n\n\ndef test_bad():\n    assert 1 + 1 == 3\n\n\n"
    bad += "def test_warning():\n    warnings.warn('overflow')\n"
    write(small / "tests/test_bad.py", bad)
    extra = ["--continue-on-collection-errors"]
    write(small / "tests/test_unreadable.py", "this is no Python\n")
    assert testing.run(library=True, workers=0, extra=extra, root=small) == 1
    assert "2 failed, 1 passed, 1 error" in capfd.readouterr().out.splitlines()[-1]


@pytest.mark.slow
def test_learners_copy_takes_no_part(small, capfd):
    plant(small / "my-course")
    assert testing.run(workers=0, root=small) == 0
    assert "2 passed" in capfd.readouterr().out.splitlines()[-1]


@pytest.mark.slow
def test_output_that_differs_fails_the_run(small, capfd):
    write(small / "notebooks/00_start_here.ipynb", WRONG)
    assert testing.run(notebooks=True, workers=0, root=small) == 1
    shown = capfd.readouterr().out
    assert "54" in shown
    assert "1 failed" in shown.splitlines()[-1]


@pytest.fixture
def looking(small, monkeypatch):
    """A course whose notebook passes if its kernel has no bars, one thread, and can draw inline."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("WANTED", sys.prefix)
    for name in ("TQDM_DISABLE", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    code = (
        "# NBVAL_CHECK_OUTPUT\n"  # --nbval-lax compares no others
        "import os, sys\n"
        "print(*(os.environ.get(k) for k in ('TQDM_DISABLE', 'OPENBLAS_NUM_THREADS')))\n"
        "print(sys.prefix == os.environ['WANTED'], 'agg' == os.environ.get('MPLBACKEND'))"
    )
    seen = notebook(code, outputs=printed("1 1\nTrue False\n"), count=1)
    write(small / "notebooks/00_start_here.ipynb", seen)
    return small


@pytest.mark.slow
def test_notebooks_get_no_bars_one_thread_and_the_inline_backend(looking):
    assert testing.run(notebooks=True, workers=0, root=looking) == 0


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--nbval", "--nbval-lax"])
def test_pytest_called_by_hand_gives_notebooks_the_same(looking, option):
    shutil.copy(ROOT / "conftest.py", looking)
    words = [sys.executable, "-m", "pytest", option, "notebooks"]
    assert subprocess.run(words, cwd=looking, timeout=120).returncode == 0
