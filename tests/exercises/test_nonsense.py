"""Answers that are nonsense in the right shape: they earn nothing, and the grader stays upright."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from exercises.grading.report import FAULT, NOT_COUNTED, WRONG
from exercises.grading.units import Unit, all_units, find_unit
from tests.exercises.bank import Entry, entries, grade, grader_of, verdicts

UNITS = all_units()
#: what becomes of an answer x, or of each part of one
NONSENSE = {
    "nothing but nan": "np.full_like(x, np.nan)",
    "nothing but infinity": "np.full_like(x, np.inf)",
    "the largest numbers": "np.full_like(x, 1e308)",
    "nothing but zeros": "np.zeros_like(x)",
    "one nan at the end": "np.append(x.ravel()[:-1], np.nan).reshape(x.shape)",
}
#: a student's file whose functions are right, and whose answers go through an expression each
SPOIL = """
import functools
import numpy as np

right = {}
exec(REFERENCE, right)

def each(value, rng):
    if isinstance(value, (tuple, list)):
        return tuple(each(part, rng) for part in value)
    x = np.asarray(value, dtype=np.float64)
    return VALUES

def spoilt(function):
    @functools.wraps(function)
    def call(**given):
        value, rng = function(**given), given.get("rng") or np.random.default_rng(0)
        return ANSWER
    return call

globals().update((name, spoilt(right[name])) for name in FUNCTIONS)
"""


def spoilt(unit: Unit, values: str = "x", answer: str = "each(value, rng)") -> Iterator[Entry]:
    """For each function of a unit the reference with its answers spoilt."""
    mine = [e for e in entries() if e.unit == unit.number and e.about == "the reference"]
    code = SPOIL.replace("REFERENCE", repr(mine[0].source))
    code = code.replace("FUNCTIONS", repr([e.function for e in mine]))
    code = code.replace("VALUES", values).replace("ANSWER", answer)
    return (replace(each, source=code) for each in mine)


def passed(unit: Unit, seed: int = 100, **how: str) -> set[str]:
    """The tests that the spoilt answers pass."""
    found = [verdict for entry in spoilt(unit, **how) for verdict in verdicts(entry, seed)]
    assert found
    return {test for test, error in found if error is None}


@pytest.mark.slow
@pytest.mark.parametrize("values", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_nonsense_passes_no_test_and_is_no_fault(unit, values):
    assert passed(unit, values=values) == set()


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_one_part_too_many_passes_no_test(unit):
    other = "each(value, rng) + np.nan"
    more = f"(*value, 0.0) if isinstance(value, (tuple, list)) else {other}"
    assert passed(unit, answer=more) == set()


@pytest.mark.slow
def test_answers_may_be_in_half_precision():
    for unit in UNITS:
        passed(unit, values="x.astype(np.float16)")


def test_numbers_at_which_the_grader_overflows_are_wrong_and_no_fault():
    unit = find_unit("05")
    entry = next(spoilt(unit, values="np.full_like(x, 1e308)"))
    marks = grade(entry.source, unit, "--only", "he_start").marks
    assert {mark.status for mark in marks} == {WRONG}


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_whatever_is_drawn_from_the_generator_that_is_given_earns_no_points(unit):
    entry = next(spoilt(unit, values="rng.random(x.shape)"))
    marks = grade(entry.source, unit).marks
    assert [mark.test for mark in marks if mark.points or mark.status == FAULT] == []
    only_draws = {mark.test for mark in marks if "from_the_generator" in mark.test}
    assert {mark.test for mark in marks if mark.status == NOT_COUNTED} == only_draws


def after(unit: Unit, test: str) -> str | None:
    """The test without which this one earns nothing, if its marker names one."""
    marks = getattr(grader_of(unit), test).pytestmark
    return next(mark.kwargs.get("after") for mark in marks if mark.name == "exercise")


class ByHeart(ModuleType):
    """A module that keeps what each function answered, call by call, and repeats it."""

    def __init__(self) -> None:
        super().__init__("by_heart")
        self.answers: dict[str, list[Any]] = {}

    def learn(self, name: str, value: Any) -> Any:
        self.answers.setdefault(name, []).append(value)
        return value

    def start(self) -> None:
        """Go back to each function's first answer."""
        self.next = {name: itertools.cycle(values) for name, values in self.answers.items()}

    def repeat(self, name: str, value: Any) -> Any:
        return next(self.next[name])


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.number)
def test_answers_that_were_right_for_other_inputs_earn_nothing(unit, monkeypatch):
    # Hard-coded outputs: somebody has seen all that the grader asks with one seed, and all that the
    # right functions answer. With that seed every test is passed, with another one none.
    by_heart = ByHeart()
    monkeypatch.setitem(sys.modules, "by_heart", by_heart)
    say = "__import__('by_heart').{}(function.__name__, value)"
    every = passed(unit, answer=say.format("learn"))
    by_heart.start()
    assert passed(unit, answer=say.format("repeat")) == every
    by_heart.start()
    again = passed(unit, seed=200, answer=say.format("repeat"))
    # a test that randomness comes from `rng` counts only after one that looks at what was drawn
    counts = {test: after(unit, test) for test in again}
    assert {test for test, first in counts.items() if not first or first in again} == set()
