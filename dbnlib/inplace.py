"""y ← ay and y ← y + ax, the two passes that every step of learning is made of.

NumPy takes two passes over memory and a buffer for y + ax, on one core. BLAS, which makes the
matrix products, has both as one call (`scal` and `axpy`) and shares them among its threads: a step
with momentum and weight decay takes about half the time (measured, `tests/benchmarks`).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas

SCAL = {np.dtype(np.float32): blas.sscal, np.dtype(np.float64): blas.dscal}
AXPY = {np.dtype(np.float32): blas.saxpy, np.dtype(np.float64): blas.daxpy}


def scale(y: np.ndarray, a: float) -> None:
    """y ← ay, in place.

    Parameters
    ----------
    y : float array of any shape
    a : a number
    """
    # 0 · NaN is NaN in NumPy, and in some versions of BLAS 0
    if a and is_plain(y):
        SCAL[y.dtype](a, y.reshape(-1))
    else:
        y *= y.dtype.type(a)


def add_scaled(y: np.ndarray, a: float, x: np.ndarray) -> None:
    """y ← y + ax, in place.

    Parameters
    ----------
    y : float array of any shape
    a : a number
    x : array of y's shape and dtype
    """
    if is_plain(y) and is_plain(x) and y.shape == x.shape and y.dtype == x.dtype:
        AXPY[y.dtype](x.reshape(-1), y.reshape(-1), a=a)
    else:
        y += y.dtype.type(a) * x


def is_plain(y: np.ndarray) -> bool:
    """Whether BLAS takes the array as it lies in memory, one number after the other.

    Of any other it would change a copy, and nobody would be told.
    """
    return y.flags.carray and y.dtype in AXPY and y.size > 0
