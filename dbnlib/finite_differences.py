"""Slopes by trial: move one number a little both ways, and see what the function does.

    ∂f/∂θᵢ ≈ (f(θ + εeᵢ) − f(θ − εeᵢ)) / 2ε

The error falls with ε² until rounding, which grows as 1/ε, takes over; in float64 a good ε is
about 10⁻⁵. It is slow, but it asks nothing of the function, and so it is the judge of every formula
for a gradient.

Source: Press et al. (2007), Numerical Recipes, section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dbnlib.checks import check_count, check_real


def central_difference(
    f: Callable[[], float], theta: np.ndarray, index: int, epsilon: float = 1e-5
) -> float:
    """(f(θ + εeᵢ) − f(θ − εeᵢ)) / 2ε.

    Parameters
    ----------
    f : takes nothing; looks at `theta`
    theta : C-contiguous array, changed in place while f is asked, and put back
    index : i, the number of the entry in C order
    """
    flat = theta.reshape(-1)
    value = flat[index]
    try:
        flat[index] = value + epsilon
        above = f()
        flat[index] = value - epsilon
        below = f()
    finally:
        flat[index] = value
    return (above - below) / (2 * epsilon)


def largest_error(
    f: Callable[[], float],
    arrays: Sequence[np.ndarray],
    slopes: Sequence[np.ndarray],
    *,
    epsilon: float = 1e-5,
    per_array: int = 200,
) -> float:
    """The largest difference between `slopes` and central differences, over all `arrays`.

    The difference is relative to the largest slope in the same array.

    Parameters
    ----------
    f : takes nothing; looks at `arrays`
    arrays : C-contiguous float64 arrays
    slopes : what is claimed to be ∂f/∂array, one of the same shape for each array
    per_array : of larger arrays only so many entries, evenly spread, are tried
    """
    epsilon = check_real("epsilon", epsilon, 0, open_low=True)
    per_array = check_count("per_array", per_array)
    worst = 0.0
    for array, slope in zip(arrays, slopes, strict=True):
        entries = np.linspace(0, array.size - 1, min(array.size, per_array)).astype(int)
        tried = np.array([central_difference(f, array, i, epsilon) for i in entries])
        claimed = slope.reshape(-1)[entries]
        largest = max(np.abs(claimed).max(), np.abs(tried).max(), np.finfo(float).tiny)
        worst = max(worst, float(np.abs(claimed - tried).max() / largest))
    return worst
