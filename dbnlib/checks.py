"""Our errors, and the checks of input that every floor shares.

Each message says what was given, what was wanted, and what to do about it.
"""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np


class DivergenceError(FloatingPointError):
    """Training left the finite numbers; the message names layer, epoch and likely cause."""


class DataError(ValueError):
    """A data file is truncated, corrupt, mislabelled or does not fit its partner."""


class StorageError(ValueError):
    """A model file is damaged, foreign, or written by a newer version."""


class NotNormalisableError(ValueError):
    """The quantity asked for does not exist, or cannot be summed, for these units."""


def check_array(
    name: str,
    value: object,
    *,
    ndim: int,
    shape: tuple[int | None, ...] | None = None,
    empty_allowed: bool = False,
) -> np.ndarray:
    """Return `value` as a finite float array (float32 stays float32, all else becomes float64).

    Parameters
    ----------
    name : what the caller calls the argument; it opens every message
    value : anything array-like with numbers
    ndim : the number of dimensions wanted
    shape : wanted lengths, None where any length will do
    empty_allowed : whether zero rows are fine

    Raises
    ------
    TypeError
        for strings, objects, complex numbers, sparse matrices
    ValueError
        for a wrong number of dimensions, a wrong length, no rows, NaN or infinity
    """
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise TypeError(f"{name} is a sparse matrix; pass {name}.toarray(), a dense array")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: its rows differ in length ({error})") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} must hold real numbers, got dtype {array.dtype}; convert it to float first"
        )
    if array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    if array.ndim != ndim:
        hint = (
            f"; for a single example write {name}[None, :]" if (ndim, array.ndim) == (2, 1) else ""
        )
        raise ValueError(
            f"{name} must have {ndim} dimension{'s' * (ndim != 1)}, got shape {array.shape}{hint}"
        )
    for axis, length in enumerate(shape or ()):
        if length is not None and array.shape[axis] != length:
            raise ValueError(
                f"{name} must have length {length} along axis {axis}, got shape {array.shape}"
            )
    if array.size == 0 and not empty_allowed:
        raise ValueError(f"{name} is empty: its shape is {array.shape}; pass at least one row")
    # the extremes tell: a mask of all entries would take a quarter of the data's memory
    if array.size and not np.isfinite([array.min(), array.max()]).all():
        n_bad = int((~np.isfinite(array)).sum())
        raise ValueError(
            f"{name} holds {n_bad} value{'s that are' if n_bad > 1 else ' that is'} NaN or "
            "infinite; fill or drop them first"
        )
    return array


def as_dtype(name: str, array: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
    """A finite array in `dtype`, itself if it is; ValueError for a number beyond float32."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if converted.size and not np.isfinite([converted.min(), converted.max()]).all():
        raise ValueError(
            f"{name} holds values up to {np.abs(array).max():g}, more than float32 can hold; "
            "scale them first"
        )
    return converted


def check_range(name: str, array: np.ndarray, low: float, high: float) -> None:
    """Raise ValueError unless low <= array <= high everywhere."""
    smallest, largest = array.min(), array.max()
    if smallest < low or largest > high:
        raise ValueError(
            f"{name} must lie between {low:g} and {high:g}, got values from {smallest:g} to "
            f"{largest:g}; scale them first, or choose units that take such values"
        )


def check_two_valued(
    name: str, array: np.ndarray, values: tuple[int, int], instead: str
) -> np.ndarray:
    """Return `array` if each entry is one of the two `values`; ValueError otherwise."""
    wrong = (array != values[0]) & (array != values[1])
    if wrong.any():
        raise ValueError(
            f"{name} must hold only {values[0]} and {values[1]}, got {array[wrong][0]:g} "
            f"({int(wrong.sum())} such entries of {array.size}); {instead}"
        )
    return array


def check_mask(name: str, mask: object, shape: tuple[int, int]) -> np.ndarray:
    """`mask` as booleans of `shape`, (n_rows, n_columns); a single row stands for all rows."""
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"{name} must hold True and False, got dtype {mask.dtype}; compare first")
    if mask.shape not in (shape, shape[1:]):
        raise ValueError(f"{name} must have shape {shape[1:]} or {shape}, got {mask.shape}")
    return np.broadcast_to(mask, shape)


def check_couplings(name: str, J: object) -> np.ndarray:
    """A symmetric matrix with a zero diagonal; ValueError that says what is wrong otherwise."""
    J = check_array(name, J, ndim=2)
    if J.shape[0] != J.shape[1]:
        raise ValueError(f"{name} must be square, one row and column a unit, got shape {J.shape}")
    asymmetry = np.abs(J - J.T).max()
    if asymmetry > 8 * np.finfo(J.dtype).eps * np.abs(J).max():
        raise ValueError(
            f"{name} must be symmetric, but {name} and its transpose differ by up to "
            f"{asymmetry:g}; pass ({name} + {name}.T) / 2 if that is what you mean"
        )
    if np.diagonal(J).any():
        raise ValueError(
            f"{name} must have a zero diagonal (no unit is connected with itself), got entries "
            f"up to {np.abs(np.diagonal(J)).max():g}; call numpy.fill_diagonal({name}, 0) first"
        )
    return (J + J.T) / 2


def check_count(name: str, value: object, minimum: int = 1) -> int:
    """Return `value` as an int of at least `minimum`; TypeError or ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def check_real(
    name: str, value: object, low: float = -np.inf, high: float = np.inf, *, open_low: bool = False
) -> float:
    """Return `value` as a finite float in [low, high], or in (low, high] with `open_low`."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    value = float(value)
    if not np.isfinite(value) or value < low or value > high or (open_low and value == low):
        bracket = "(" if open_low else "["
        raise ValueError(
            f"{name} must be a finite number in {bracket}{low:g}, {high:g}], got {value}"
        )
    return value


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`; ValueError with the list otherwise."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def check_kind(name: str, value: object, kind: type) -> None:
    """Raise TypeError, with what was given, unless `value` is a `kind`."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOR" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {value!r}")


def check_dtype(dtype: object) -> np.dtype:
    """Return float32 or float64; TypeError for any other type of number."""
    try:
        given = np.dtype(dtype)
    except TypeError:
        given = None
    if given not in (np.float32, np.float64):
        raise TypeError(f"dtype must be numpy.float32 or numpy.float64, got {dtype!r}")
    return given


def check_generator(rng: object) -> np.random.Generator:
    """Return `rng` if it is a numpy Generator; TypeError that says how to make one otherwise."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {rng!r}; "
            "write rng=numpy.random.default_rng(0), with any seed"
        )
    return rng
