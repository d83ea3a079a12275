"""What a row of the table is: a question, a goal, how the answer was got, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.reference.workshop import Workshop

QUICK, FULL = "quick", "full"


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Attributes
    ----------
    name : what it is
    values : one number a seed
    unit : such as '%' or 'nats'
    digits : after the decimal point
    low, high : ends of an interval, for a single estimate that has one
    """

    name: str
    values: list[float]
    unit: str = ""
    digits: int = 2
    low: float | None = None
    high: float | None = None

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.values))

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        text = f"{self.mean:.{self.digits}f}"
        if len(self.values) > 1:
            text += f" ± {np.std(self.values, ddof=1):.{self.digits}f}"
        if self.low is not None:
            text += f" [{self.low:.{self.digits}f}, {self.high:.{self.digits}f}]"
        return f"{self.name} {text}{unit}"


@dataclass(frozen=True)
class Finding:
    """The answer: figures, and whether they are what was aimed at (None where nothing was)."""

    figures: list[Figure]
    reached: bool | None = None


@dataclass(frozen=True)
class Row:
    """A question that a command can answer again.

    Attributes
    ----------
    name : for `--row`
    what : the question, in the table's first column
    goal : what is aimed at, and where that number is from
    settings : how the model was made
    chosen : on which data the settings were chosen, and what else was tried
    measure : does it
    """

    name: str
    tier: str
    what: str
    goal: str
    settings: str
    chosen: str
    measure: Callable[[Workshop], Finding]


ROWS: dict[str, Row] = {}


def row(
    tier: str, what: str, *, goal: str, settings: str, chosen: str
) -> Callable[[Callable[[Workshop], Finding]], Callable[[Workshop], Finding]]:
    """A decorator that makes a function a row, under the function's name."""

    def register(measure: Callable[[Workshop], Finding]) -> Callable[[Workshop], Finding]:
        name = measure.__name__
        if name in ROWS:
            raise ValueError(f"there are two rows called {name}")
        ROWS[name] = Row(name, tier, what, goal, settings, chosen, measure)
        return measure

    return register


def chosen_rows(names: Sequence[str], tier: str) -> list[Row]:
    """The rows of these names, or all of a tier; KeyError for a name that there is not."""
    if not names:
        return [row for row in ROWS.values() if row.tier == tier]
    return [ROWS[name] for name in names]
