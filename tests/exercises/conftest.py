"""A small course in a temporary folder, with one unit of one function."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exercises.common import ROOT

GRADER = '''
import numpy as np
import pytest

from exercises.grading import expect

X = np.array([1.0, 2.0])


@pytest.mark.exercise("double", points=2, hints=("first", "second"), see="Doubling")
def test_double_of_two_numbers(student):
    """Twice each number."""
    expect(student.call("double", x=X), 2 * X, misconceptions={"It is squared.": X**2 + 0 * X})


@pytest.mark.exercise("double", visibility="hidden")
def test_double_of_any_numbers(student, inputs):
    """Twice each number, whatever they are."""
    x = inputs.random(3)
    expect(student.call("double", x=x), 2 * x)


@pytest.mark.exercise("half")
def test_half(student):
    """Half of each number."""
    half = student.call("half", x=X).array((2,))
    expect(student.call("double", x=half), X)


def test_without_a_marker():
    assert True
'''
STUB = '''"""A unit."""


def double(x):
    """Twice x."""
    raise NotImplementedError


def half(x):
    """Half of x."""
    raise NotImplementedError
'''
RIGHT_ANSWER = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n"


@pytest.fixture
def course(tmp_path) -> Path:
    """The folder of the small course."""
    folder = tmp_path / "a course" / "exercises" / "unit_07_mini"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "a course")
    (folder / "task.md").write_text("# 07 · Twice and half\n")
    (folder / "unit_07.py").write_text(STUB)
    (folder / "test_unit_07.py").write_text(GRADER)
    return tmp_path / "a course"


@pytest.fixture
def mine(course) -> Path:
    """The learner's own file for the unit, right in all."""
    path = course / "my-course" / "exercises" / "unit_07_mini" / "unit_07.py"
    path.parent.mkdir(parents=True)
    path.write_text(RIGHT_ANSWER)
    return path
