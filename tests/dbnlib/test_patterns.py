"""Patterns whose best likelihood is known: counted by brute force, bounded by published numbers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dbnlib.patterns import bars_and_stripes, best_log_likelihood, shifting_bar


def all_bars_and_stripes(n: int) -> set[tuple[float, ...]]:
    """Among all 2^(n²) images, those whose rows are all alike or whose columns are all alike."""
    found = set()
    for pixels in product([0.0, 1.0], repeat=n * n):
        image = np.reshape(pixels, (n, n))
        bars, stripes = (image == image[:1]).all(), (image == image[:, :1]).all()
        if bars or stripes:
            found.add(pixels)
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_distinct_rows_are_all_bars_and_stripes_once(n):
    rows = bars_and_stripes(n, distinct=True)
    assert len(rows) == 2 ** (n + 1) - 2
    assert set(map(tuple, rows.tolist())) == all_bars_and_stripes(n)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_otherwise_all_off_and_all_on_come_twice_and_nothing_else_does(n):
    rows = bars_and_stripes(n)
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(rows) == 2 ** (n + 1)
    assert set(map(tuple, distinct.tolist())) == all_bars_and_stripes(n)
    uniform = (distinct == distinct[:, :1]).all(axis=1)
    np.testing.assert_array_equal(counts, np.where(uniform, 2, 1))


def test_bars_come_first():
    bars, stripes = np.split(bars_and_stripes(3).reshape(16, 3, 3), 2)
    assert (bars == bars[:, :1, :]).all()
    assert (stripes == stripes[:, :, :1]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_patterns_have_the_dtype_asked_for(dtype):
    assert bars_and_stripes(2, dtype=dtype).dtype == dtype
    assert shifting_bar(4, dtype=dtype).dtype == dtype


# Sum and mean as published, or counted by hand, to the digits given.
BOUNDS = {
    "BAS 3x3, 16 rows": (bars_and_stripes(3), -41.589, -2.5993),
    "BAS 3x3, 14 distinct rows": (bars_and_stripes(3, distinct=True), -36.947, -2.6391),
    "BAS 4x4, 32 rows": (bars_and_stripes(4), -108.131, -3.3791),
    "BAS 4x4, 30 distinct rows": (bars_and_stripes(4, distinct=True), -102.036, -3.4012),
    "shifting bar, 9 patterns": (shifting_bar(9), -19.775, -2.1972),
}


@pytest.mark.parametrize("case", BOUNDS)
def test_the_best_log_likelihood_is_the_known_one(case):
    rows, total, mean = BOUNDS[case]
    assert best_log_likelihood(rows) == pytest.approx(mean, abs=5e-5)
    assert best_log_likelihood(rows) * len(rows) == pytest.approx(total, abs=5e-4)


def test_the_best_log_likelihood_of_one_pattern_is_zero():
    assert best_log_likelihood(np.ones((5, 3))) == 0


def test_no_distribution_over_the_patterns_does_better():
    rows = np.array([[0, 0], [0, 1], [0, 1], [1, 1]])
    best = best_log_likelihood(rows)
    rivals = np.random.default_rng(0).dirichlet([1, 2, 1], size=2_000)
    log_likelihoods = np.log(rivals) @ [0.25, 0.5, 0.25]
    assert (log_likelihoods <= best).all()
    assert log_likelihoods.max() == pytest.approx(best, abs=0.01)


def test_the_shifting_bar_by_hand():
    assert shifting_bar(4, width=2).tolist() == [
        [1, 1, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 1, 1],
        [1, 0, 0, 1],
    ]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bars_and_stripes(0), ValueError, "n must be at least 1, got 0"),
        (lambda: bars_and_stripes(17), ValueError, "n must be at most 16, got 17"),
        (lambda: bars_and_stripes(3.0), TypeError, "n must be a whole number"),
        (lambda: shifting_bar(1), ValueError, "n must be at least 2, got 1"),
        (lambda: shifting_bar(4, width=0), ValueError, "width must be at least 1, got 0"),
        (lambda: shifting_bar(4, width=4), ValueError, "width must be less than n=4"),
        (lambda: best_log_likelihood([[0, np.nan]]), ValueError, "rows holds 1 value"),
        (lambda: best_log_likelihood(np.empty((0, 3))), ValueError, "rows is empty"),
        (lambda: best_log_likelihood([0, 1]), ValueError, "rows must have 2 dimensions"),
    ],
)
def test_wrong_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
