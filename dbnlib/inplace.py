"""y ← ay and y ← y + ax, the two passes that every step of learning is made of.

NumPy takes two passes over memory and a buffer for y + ax. BLAS, which makes the matrix products,
has both as one call (`scal` and `axpy`). SciPy's BLAS is often a second library beside NumPy's,
with threads of its own; `on_one_thread` keeps them from the cores that the products need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np


@cache
def routines() -> dict[np.dtype, tuple[Callable, Callable]]:
    """BLAS's scal and axpy for each dtype that it knows.

    They load when they are first needed: SciPy's linear algebra would make `import dbnlib` slower.
    """
    from scipy.linalg import blas

    return {
        np.dtype(np.float32): (blas.sscal, blas.saxpy),
        np.dtype(np.float64): (blas.dscal, blas.daxpy),
    }


def scale(y: np.ndarray, a: float) -> None:
    """y ← ay, in place.

    Parameters
    ----------
    y : float array of any shape
    a : a number
    """
    # 0 · NaN is NaN in NumPy, and in some versions of BLAS 0
    if a and is_plain(y):
        scal, _ = routines()[y.dtype]
        scal(a, y.reshape(-1))
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
        _, axpy = routines()[y.dtype]
        axpy(x.reshape(-1), y.reshape(-1), a=a)
    else:
        y += y.dtype.type(a) * x


def is_plain(y: np.ndarray) -> bool:
    """Whether BLAS takes the array as it lies in memory, one number after the other.

    Of any other it would change a copy, and nobody would be told.
    """
    return y.flags.carray and y.dtype in routines() and y.size > 0


class Held:
    """How many trainings run now, each in a thread of Python's, and the limit they all hold."""

    lock = Lock()
    trainings = 0
    limit: Any = None


@contextmanager
def on_one_thread() -> Iterator[None]:
    """While this is open, `scale` and `add_scaled` start no threads.

    The wheels of NumPy and SciPy bring an OpenBLAS each. A thread of either that has run out of
    work spins for a while, in the hope of more. With two such pools there are more spinning threads
    than cores, and they take the time of those that work: on two cores, with NumPy and SciPy
    imported before dbnlib, a step of fine-tuning took 52 ms in place of 14 (`tests/benchmarks`).
    Where both use the same BLAS, nothing is changed. Of several that are open at once the first
    sets the limit and the last lifts it, in whatever order they close.
    """
    with Held.lock:
        if Held.trainings == 0:
            Held.limit = pools_of_scipy().limit(limits=1)
        Held.trainings += 1
    try:
        yield
    finally:
        with Held.lock:
            Held.trainings -= 1
            if Held.trainings == 0:
                Held.limit.restore_original_limits()


@cache
def pools_of_scipy() -> Any:
    """A controller of the threads of the BLAS that SciPy brought along, empty where it has none."""
    from threadpoolctl import ThreadpoolController

    routines()  # what is not loaded yet has no threads to control
    every = ThreadpoolController()
    return every.select(
        filepath=[p.filepath for p in every.lib_controllers if is_of_scipy(p.filepath)]
    )


def is_of_scipy(library: str) -> bool:
    """Whether the file lies where SciPy's wheels put theirs: scipy.libs, or scipy/.dylibs."""
    folder = Path(library).parent
    return folder.name == "scipy.libs" or folder.parts[-2:] == ("scipy", ".dylibs")
