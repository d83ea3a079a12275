"""Uniform numbers: in range, spread evenly, independent within a word, and the generator's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dbnlib.uniforms import WIDE, uniforms

GENERATORS = [*WIDE, np.random.MT19937]


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_uniform_by_the_kolmogorov_smirnov_test(kind, dtype):
    u = uniforms(np.random.Generator(kind(0)), (300, 333), dtype)
    assert u.dtype == dtype
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-4


def test_both_halves_of_a_word_are_independent_of_each_other():
    u = uniforms(np.random.default_rng(1), (200_000, 2), np.float32)
    assert abs(np.corrcoef(u.T)[0, 1]) < 4 / np.sqrt(len(u))


def test_the_largest_word_stays_below_one():
    class Ones:
        """A generator whose every bit is set."""

        bit_generator = np.random.SFC64(0)

    class Full(np.random.SFC64):
        def random_raw(self, n):
            return np.full(n, 2**64 - 1, dtype=np.uint64)

    rng = Ones()
    rng.bit_generator = Full(0)
    assert uniforms(rng, (3, 5), np.float32).max() == 1 - 2**-24


def test_an_odd_number_of_numbers_fits():
    assert uniforms(np.random.default_rng(0), (3, 7), np.float32).shape == (3, 7)


def test_numbers_go_into_the_buffer_that_is_given():
    out = np.empty((4, 6), np.float32)
    assert uniforms(np.random.default_rng(0), (4, 6), np.float32, out=out) is out


def test_the_same_seed_gives_the_same_numbers_and_goes_on_behind_them():
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    first = uniforms(one, (10, 3), np.float32)
    np.testing.assert_array_equal(first, uniforms(other, (10, 3), np.float32))
    assert not np.array_equal(first, uniforms(one, (10, 3), np.float32))
