"""Images that are damaged on purpose: noise, and parts that are missing.

A model that has learned what images look like can mend them: `dbnlib.completion` fills in what is
missing, and a reconstruction takes noise away. A mask is a row of booleans, one for each pixel,
True where the damage is; what is still known is then `~mask`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dbnlib.checks import (
    check_array,
    check_choice,
    check_count,
    check_generator,
    check_range,
    check_real,
)


def flip_pixels(v: Any, rng: np.random.Generator, p: float) -> np.ndarray:
    """Each pixel turned into its negative, 1 − v, with probability p, on its own.

    Parameters
    ----------
    v : array of shape (n_images, n_pixels), in [0, 1]; it is not changed
    p : from 0 (no noise) to 1 (the negative); at ½ nothing is left of a binary image

    Returns
    -------
    ndarray like v
    """
    v = check_array("v", v, ndim=2)
    check_range("v", v, 0, 1)
    p = check_real("p", p, 0, 1)
    flipped = check_generator(rng).random(v.shape) < p
    return np.where(flipped, 1 - v, v)


def half_mask(shape: tuple[int, int], which: str = "lower") -> np.ndarray:
    """True in one half of an image; a row or column in the middle counts as upper, or left.

    Parameters
    ----------
    shape : (rows, columns) of an image
    which : 'lower', 'upper', 'left' or 'right'

    Returns
    -------
    ndarray of bool, shape (rows · columns,)
    """
    rows, columns = _lengths("shape", shape)
    check_choice("which", which, ("lower", "upper", "left", "right"))
    row, column = np.indices((rows, columns))
    second = row >= (rows + 1) // 2 if which in ("lower", "upper") else column >= (columns + 1) // 2
    return (second if which in ("lower", "right") else ~second).ravel()


def _lengths(name: str, shape: Any) -> tuple[int, int]:
    """(rows, columns) as whole numbers of at least 1."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ValueError(f"{name} must be (rows, columns), got {shape!r}")
    return check_count(f"rows in {name}", shape[0]), check_count(f"columns in {name}", shape[1])
