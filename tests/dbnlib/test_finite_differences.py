"""The judge of gradients is judged on functions whose slopes are known."""

import numpy as np
import pytest

from dbnlib.finite_differences import central_difference, largest_error


def test_slope_of_a_cube():
    theta = np.array([[1.0, 2.0]])
    # ∂(θ₀ + θ₁³)/∂θ₁ = 3·2²
    slope = central_difference(lambda: theta[0, 0] + theta[0, 1] ** 3, theta, 1)
    np.testing.assert_allclose(slope, 12, rtol=1e-9)


def test_the_array_is_put_back_also_when_the_function_fails():
    theta = np.array([1.0])

    def fails():
        raise RuntimeError("no value")

    with pytest.raises(RuntimeError):
        central_difference(fails, theta, 0)
    assert theta[0] == 1.0


@pytest.mark.parametrize(("factor", "error"), [(1.0, 0.0), (1.1, 0.1 / 1.1), (-1.0, 2.0)])
def test_error_is_relative_to_the_largest_slope(factor, error):
    theta = np.array([1.0, 2.0, 3.0])
    found = largest_error(lambda: 0.5 * (theta**2).sum(), [theta], [factor * theta])
    np.testing.assert_allclose(found, error, atol=1e-8)


def test_one_wrong_entry_of_many_is_found():
    theta = np.arange(1.0, 101.0)
    slope = theta.copy()
    slope[63] = 0
    assert largest_error(lambda: 0.5 * (theta**2).sum(), [theta], [slope]) > 0.5


def test_a_flat_function_with_zero_slopes_has_no_error():
    theta = np.ones(3)
    assert largest_error(lambda: 1.0, [theta], [np.zeros(3)]) == 0


def test_large_arrays_are_sampled_from_end_to_end():
    theta, asked = np.zeros(1000), set()

    def f():
        asked.update(np.flatnonzero(theta))
        return 0.0

    largest_error(f, [theta], [theta.copy()], per_array=11)
    assert len(asked) == 11
    assert {0, 999} <= asked
