"""What a benchmark job is: contestants that do the same work, or figures with limits.

A job is a function that gets a `Scale` and returns lines. Most jobs are races: `dbnlib` against its
peers, and against the floor, the matrix products of the same work alone. A ratio is the peer's time
over ours: above 1 we are faster, and against the floor it is the share of the products' speed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dbnlib.progress import bar

#: what the contestants are called in every race
OURS, FLOOR = "dbnlib", "matrix products"


class Scale(NamedTuple):
    """How much work a run does: races of so many rounds, over so many rows, steps and calls."""

    name: str
    rounds: int
    rows: int
    steps: int
    calls: int


#: for tests of the jobs themselves; a minute; ten minutes
REDUCED = Scale("reduced", rounds=1, rows=200, steps=5, calls=2)
QUICK = Scale("quick", rounds=3, rows=3_000, steps=60, calls=50)
FULL = Scale("full", rounds=7, rows=20_000, steps=300, calls=300)


@dataclass
class Line:
    """One figure of a job.

    Attributes
    ----------
    what, unit : what was measured; the unit, '' or '×'
    value, low, high : the median over rounds and the quartiles, which are the value itself if alone
    at_least, at_most : the goal, if there is one
    """

    what: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    @property
    def goal(self) -> str:
        """The goal in signs."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"

    def __str__(self) -> str:
        spread = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.3g}{spread}{' ' * bool(self.unit)}{self.unit}"


@dataclass
class Found:
    """What a job found: its lines, what it wants to say, and the raw times of a race in seconds."""

    lines: list[Line]
    note: str = ""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    #: points of a plot: name of a curve → pairs (how much work, seconds)
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


class Job(NamedTuple):
    """A job by name: title, what exactly is timed, and the function that does it.

    One that stands apart takes so long that it runs only when it is named.
    """

    name: str
    title: str
    text: str
    run: Callable[[Scale], Found]
    apart: bool = False


JOBS: dict[str, Job] = {}


def job(
    title: str, text: str, *, apart: bool = False
) -> Callable[[Callable[[Scale], Found]], Callable[[Scale], Found]]:
    """Register a function as a job under its own name."""

    def register(run: Callable[[Scale], Found]) -> Callable[[Scale], Found]:
        JOBS[run.__name__] = Job(run.__name__, title, text, run, apart)
        return run

    return register


# ---- races


def race(
    contestants: Mapping[str, Callable[[], object]], rounds: int, name: str = "race"
) -> dict[str, list[float]]:
    """Seconds of each contestant in each round, all by turns.

    A first round, which compiles and warms caches, is not counted. Each round begins with another
    contestant, so that none always runs in the same one's wake.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with bar((rounds + 1) * len(names), name, "run") as shown:
        for round_number in range(-1, rounds):
            shift = round_number % len(names)
            for contestant in names[shift:] + names[:shift]:
                began = time.perf_counter()
                contestants[contestant]()
                took = time.perf_counter() - began
                if round_number >= 0:
                    seconds[contestant].append(took)
                shown.update(1)
    return seconds


def ratio_lines(
    seconds: Mapping[str, list[float]], goals: Mapping[str, float], ours: str = OURS
) -> list[Line]:
    """Each other contestant's time over ours, round by round: median and quartiles."""
    lines = []
    for name, theirs in seconds.items():
        if name != ours:
            ratios = np.divide(theirs, seconds[ours])
            low, median, high = np.percentile(ratios, (25, 50, 75))
            what = "share of the products' speed" if name == FLOOR else f"against {name}"
            unit = "" if name == FLOOR else "×"
            lines.append(Line(what, median, unit, low, high, at_least=goals.get(name)))
    return lines


def run_race(
    name: str,
    contestants: Mapping[str, Callable[[], object]],
    scale: Scale,
    goals: Mapping[str, float],
    note: str = "",
) -> Found:
    """A race from start to lines."""
    seconds = race(contestants, scale.rounds, name)
    return Found(ratio_lines(seconds, goals), note, seconds)
