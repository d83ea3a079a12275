"""Scaling and adding in place: NumPy's own result however the array lies, and on which threads."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from dbnlib.inplace import add_scaled, is_of_scipy, on_one_thread, routines, scale
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm

DTYPES = [np.float32, np.float64, np.float16, np.dtype(np.float32).newbyteorder()]
LAYOUTS = {
    "rows": lambda y: y.copy(),
    "columns": np.asfortranarray,
    "every other row": lambda y: np.repeat(y, 2, axis=0)[::2],
    "one number": lambda y: y[:1, :1].copy(),
    "no number": lambda y: y[:0].copy(),
    "no axis": lambda y: y[:1, 0].copy().reshape(()),
}


def arrays(dtype, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays, the first in the layout that is asked for."""
    rng = np.random.default_rng(0)
    y, x = (rng.normal(size=(200, 300)).astype(dtype) for _ in range(2))
    return LAYOUTS[layout](y), LAYOUTS["no axis" if layout == "no axis" else "rows"](x)


def tolerance(dtype) -> float:
    return 4 * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("a", [0.0, 0.9, -2.0])
def test_scale_multiplies_where_the_numbers_lie(dtype, layout, a):
    y, _ = arrays(dtype, layout)
    right = a * y.astype(np.float64)
    scale(y, a)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.astype(np.float64), right, rtol=tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("a", [0.0, 1, -0.3])
def test_add_scaled_adds_where_the_numbers_lie(dtype, layout, a):
    y, x = arrays(dtype, layout)
    x = x[: len(y), : y.shape[1]] if y.ndim else x
    right = y.astype(np.float64) + a * x.astype(np.float64)
    add_scaled(y, a, x)
    np.testing.assert_allclose(y.astype(np.float64), right, rtol=0, atol=8 * tolerance(dtype))


def test_the_added_array_may_be_of_another_dtype():
    y, x = np.ones(5, np.float32), np.arange(5.0)
    add_scaled(y, 2, x)
    np.testing.assert_array_equal(y, [1, 3, 5, 7, 9])


def test_an_array_may_be_added_to_itself():
    y = np.arange(20_000, dtype=np.float32)
    add_scaled(y, 1, y)
    np.testing.assert_array_equal(y, 2 * np.arange(20_000))


def test_zero_times_nan_stays_nan():
    y = np.full(20_000, np.nan)
    scale(y, 0.0)
    assert np.isnan(y).all()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="broadcast"):
        add_scaled(np.zeros((2, 3)), 1, np.zeros((3, 2)))


@pytest.mark.parametrize("change", [lambda y: scale(y, 2.0), lambda y: add_scaled(y, 1, y)])
def test_an_array_that_must_not_be_written_is_refused(change):
    y = np.ones(3)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        change(y)


# ---- threads


def threads_of_scipy() -> list[int]:
    """How many threads each BLAS has that SciPy brought along."""
    pools = ThreadpoolController().info()
    return [pool["num_threads"] for pool in pools if is_of_scipy(pool["filepath"])]


def threads_of_others() -> list[int]:
    pools = ThreadpoolController().info()
    return [pool["num_threads"] for pool in pools if not is_of_scipy(pool["filepath"])]


@pytest.fixture
def two_threads():
    """Every BLAS of this process may use two threads, also where a run of tests gives it one."""
    routines()  # loaded now: what is not has no threads yet
    with ThreadpoolController().limit(limits=2):
        yield


@pytest.mark.usefixtures("two_threads")
def test_training_leaves_the_cores_to_the_products_and_gives_back_what_it_took():
    before, others = threads_of_scipy(), threads_of_others()
    seen = []

    def look(rbm: RBM) -> float:
        seen.append((threads_of_scipy(), threads_of_others()))
        return 0.0

    rng = np.random.default_rng(0)
    rbm = RBM.random(4, 3, rng)
    train_rbm(rbm, np.eye(4), epochs=1, rng=rng, monitors={"threads": look}, progress=False)
    assert seen == [([1] * len(before), others)]
    assert threads_of_scipy() == before


@pytest.mark.usefixtures("two_threads")
def test_the_last_of_several_trainings_gives_the_threads_back():
    before = threads_of_scipy()
    one = [1] * len(before)
    first, second = ExitStack(), ExitStack()
    first.enter_context(on_one_thread())
    second.enter_context(on_one_thread())
    first.close()
    assert threads_of_scipy() == one
    second.close()
    assert threads_of_scipy() == before


@pytest.mark.parametrize(
    ("library", "of_scipy"),
    [
        ("/env/lib/python3.13/site-packages/scipy.libs/libscipy_openblas-1.so", True),
        ("/env/lib/python3.13/site-packages/scipy/.dylibs/libscipy_openblas.dylib", True),
        # NumPy's, which has the same name, and the one that both share where conda installed them
        ("/env/lib/python3.13/site-packages/numpy.libs/libscipy_openblas64_-2.so", False),
        ("/scipy/lib/libopenblas.so", False),
    ],
)
def test_the_library_is_known_by_where_it_lies(library, of_scipy):
    assert is_of_scipy(library) is of_scipy


def test_linear_algebra_loads_with_the_first_training_and_not_before():
    code = "import sys, dbnlib; print('scipy.linalg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.stdout.strip() == "False", done.stderr
