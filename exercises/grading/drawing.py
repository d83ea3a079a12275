"""What graders share: inputs that tell answers apart, and whether `rng` is the one source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from exercises.grading.protocol import Seed
from exercises.grading.student import Answer

Found = TypeVar("Found")


def numbers(inputs: np.random.Generator, *shape: int, size: float = 1.0) -> np.ndarray:
    """Two digits each, of either sign, none of them near 0."""
    return np.round(size * inputs.choice([-1, 1], shape) * inputs.uniform(0.4, 1.6, shape), 2)


def large(inputs: np.random.Generator) -> float:
    """A field about which exp must not be asked: a whole number from 8,000 to 12,000."""
    return float(inputs.integers(8_000, 12_001))


def first_good(draw: Callable[[], Found], good: Callable[[Found], bool]) -> Found:
    """Draw until it is good."""
    while not good(found := draw()):
        pass
    return found


def far_apart(right: Any, known: Mapping[str, Any], least: float) -> bool:
    """Whether what is right differs from all that is known to be thought, and these do too."""
    values = [right, *known.values()]
    return all(
        distance(a, b) > least
        for n, a in enumerate(values)
        for b in values[:n]
        if shapes(a) == shapes(b)
    )


def shapes(value: Any) -> Any:
    """The shape of an array, or those of the arrays in a tuple."""
    return [np.shape(part) for part in value] if isinstance(value, tuple) else np.shape(value)


def distance(a: Any, b: Any) -> float:
    """The largest difference of two arrays, or of two tuples of arrays."""
    pairs = zip(a, b, strict=True) if isinstance(a, tuple) else [(a, b)]
    return max(float(np.abs(np.subtract(one, other, dtype=float)).max()) for one, other in pairs)


def judge_randomness(
    call: Callable[[Seed], Answer],
    shape: tuple[int, ...],
    part: int | None = None,
    n_parts: int = 0,
) -> None:
    """StudentError unless equal generators give equal values and another one gives others.

    What is wrong may pass: a test that asks nothing else comes `after` one that judges the draws.
    """
    first, again, *others = (call(Seed(number)) for number in (1, 1, 2, 3, 4, 5))
    draws = first.array(shape, part, n_parts)
    if not np.array_equal(again.array(shape, part, n_parts), draws):
        raise again.wrong(
            "gives other draws for an equal generator",
            expected="the same draws as from the call before",
            misconception="Draw from `rng` only: numpy.random.random, the module `random` and "
            "generators of your own are other sources.",
        )
    if all(np.array_equal(other.array(shape, part, n_parts), draws) for other in others):
        raise others[0].wrong(
            "gives the same draws for another generator",
            expected="other draws than from the call before",
            misconception="What comes back does not depend on `rng`: is it drawn at all, or from a "
            "generator with a fixed seed?",
        )
