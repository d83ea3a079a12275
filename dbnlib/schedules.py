"""Numbers that change with the epoch, such as a falling learning rate or a rising momentum.

A schedule is a callable from the epoch (counted from 0) to a number. Where a schedule is taken, a
plain number is taken too. Two equal schedules have the same repr, by which a checkpoint knows them.

>>> rate = linear(0.1, 0.0, 4)
>>> rate
linear(start=0.1, end=0.0, epochs=4)
>>> [round(rate(epoch), 3) for epoch in range(5)]
[0.1, 0.075, 0.05, 0.025, 0.0]

They are classes with the names of functions, because they are used like functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from dbnlib.checks import check_count, check_real


class Schedule:
    """The common part of the schedules: their settings are checked and kept as plain numbers."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "epochs":
                plain = check_count(field.name, value)
            elif field.name == "epoch":
                plain = check_count(field.name, value, 0)
            else:
                plain = check_real(field.name, value)
            object.__setattr__(self, field.name, plain)

    def __call__(self, epoch: int) -> float:
        """The value in this epoch, counted from 0."""
        raise NotImplementedError


@dataclass(frozen=True)
class constant(Schedule):
    """Always `value`."""

    value: float

    def __call__(self, epoch: int) -> float:
        """The value, whatever the epoch."""
        return self.value


@dataclass(frozen=True)
class linear(Schedule):
    """start + (end − start)·epoch/epochs, and `end` from epoch `epochs` on.

    In a training of `epochs` epochs the last one stands a step before `end`: with end = 0 none is
    wasted on a rate of 0.
    """

    start: float
    end: float
    epochs: int

    def __call__(self, epoch: int) -> float:
        """The value on the straight line."""
        return self.start + (self.end - self.start) * min(epoch / self.epochs, 1.0)


@dataclass(frozen=True)
class step(Schedule):
    """`before` in the first `epoch` epochs, `after` from then on."""

    before: float
    after: float
    epoch: int

    def __call__(self, epoch: int) -> float:
        """The value before or after the step."""
        return self.before if epoch < self.epoch else self.after


@dataclass(frozen=True)
class exponential(Schedule):
    """start · rateᵉᵖᵒᶜʰ."""

    start: float
    rate: float

    def __call__(self, epoch: int) -> float:
        """The value after `epoch` multiplications by `rate`."""
        return self.start * self.rate**epoch


def value_at(schedule: float | Callable[[int], float], epoch: int) -> float:
    """The value of a schedule, or of a plain number, in this epoch; always a Python float.

    A Python float takes the dtype of the array that it meets; a NumPy scalar would turn float32
    arrays into float64 ones.
    """
    return float(schedule(epoch) if callable(schedule) else schedule)


def check_schedule(
    name: str,
    schedule: float | Callable[[int], float],
    low: float = -np.inf,
    high: float = np.inf,
) -> float | Callable[[int], float]:
    """Return `schedule` if it is a number in [low, high] or a callable that gives one at epoch 0.

    Raises TypeError for anything else, ValueError for a number out of range.
    """
    if not callable(schedule):
        return check_real(name, schedule, low, high)
    check_real(f"{name} in the first epoch", schedule(0), low, high)
    return schedule
