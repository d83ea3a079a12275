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
    check_mask,
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


def erase(v: Any, mask: Any, value: float = 0.0) -> np.ndarray:
    """`value` where `mask` is True, v elsewhere.

    Parameters
    ----------
    v : array of shape (n_images, n_pixels); it is not changed
    mask : booleans of shape (n_pixels,), for all images, or (n_images, n_pixels)

    Returns
    -------
    ndarray like v
    """
    v = check_array("v", v, ndim=2)
    mask = check_mask("mask", mask, v.shape)
    return np.where(mask, v.dtype.type(check_real("value", value)), v)


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


def block_mask(
    shape: tuple[int, int], rng: np.random.Generator, size: int | tuple[int, int]
) -> np.ndarray:
    """True in one block of pixels, anywhere in the image with equal probability.

    Parameters
    ----------
    shape : (rows, columns) of an image
    size : (rows, columns) of the block; a number means a square

    Returns
    -------
    ndarray of bool, shape (rows · columns,)
    """
    rows, columns = _lengths("shape", shape)
    high, wide = _lengths("size", (size, size) if np.ndim(size) == 0 else size)
    if high > rows or wide > columns:
        raise ValueError(f"a block of {high}x{wide} pixels does not fit into {rows}x{columns}")
    top = check_generator(rng).integers(rows - high + 1)
    left = rng.integers(columns - wide + 1)
    mask = np.zeros((rows, columns), dtype=bool)
    mask[top : top + high, left : left + wide] = True
    return mask.ravel()


def _lengths(name: str, shape: Any) -> tuple[int, int]:
    """(rows, columns) as whole numbers of at least 1."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ValueError(f"{name} must be (rows, columns), got {shape!r}")
    return check_count(f"rows in {name}", shape[0]), check_count(f"columns in {name}", shape[1])
