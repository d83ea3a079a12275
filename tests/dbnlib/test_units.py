"""Each layer of units against integration, enumeration and its own draws."""

import warnings

import numpy as np
import pytest
from scipy import integrate, stats

from dbnlib.checks import NotNormalisableError
from dbnlib.groups import Groups, describe, from_description, make_units
from dbnlib.units import Bernoulli, Gaussian, ReLU, Softmax, sigmoid

CONTINUOUS = [Gaussian(1), ReLU(1)]
DISCRETE = [Bernoulli(3), Softmax(4), Groups([Bernoulli(2), Softmax(3)])]
EVERY_KIND = [*DISCRETE, Gaussian(3), ReLU(3), Groups([Gaussian(2), ReLU(1), Bernoulli(2)])]


@pytest.mark.parametrize("units", CONTINUOUS, ids=repr)
@pytest.mark.parametrize("x", [-30.0, -3.0, 0.0, 0.7, 4.0, 20.0])
def test_log_normaliser_of_continuous_units_is_the_integral(units, x):
    peak = max(x, 0.0)
    low = 0.0 if isinstance(units, ReLU) else x - 12

    # the integrand is scaled by its peak, or it would overflow
    def integrand(u):
        return np.exp(u * x - u * u / 2 - (peak * x - peak * peak / 2))

    integral = integrate.quad(integrand, low, peak + 12, points=[peak], epsabs=1e-13)[0]
    expected = np.log(integral) + peak * x - peak * peak / 2
    assert units.log_normaliser(np.array([[x]]))[0] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("units", DISCRETE, ids=repr)
def test_log_normaliser_of_discrete_units_is_the_sum_over_states(units, rng):
    field = rng.normal(size=(5, units.n), scale=2)
    states = units.states(0, units.n_states)
    expected = np.log(np.exp(field @ states.T).sum(axis=1))
    np.testing.assert_allclose(units.log_normaliser(field), expected, atol=1e-12)


@pytest.mark.parametrize("units", EVERY_KIND, ids=repr)
def test_mean_is_the_derivative_of_the_log_normaliser(units, rng, finite_difference):
    field = rng.normal(size=(1, units.n), scale=2)
    slope = finite_difference(lambda: units.log_normaliser(field)[0], field)
    np.testing.assert_allclose(units.mean(field), slope, atol=1e-8)


@pytest.mark.parametrize("units", EVERY_KIND, ids=repr)
def test_draws_have_the_mean_that_is_claimed(units, rng):
    field = np.tile(rng.normal(size=units.n), (200_000, 1))
    drawn = units.sample(field, rng)
    standard_error = drawn.std(axis=0) / np.sqrt(len(drawn))
    # six standard errors: wrong once in 10⁸ runs, and the seed is fixed
    assert (abs(drawn.mean(axis=0) - units.mean(field[:1])[0]) < 6 * standard_error).all()


@pytest.mark.parametrize("x", [-4.0, 0.0, 1.5])
def test_rectified_draws_follow_the_truncated_normal_law(x, rng):
    drawn = ReLU(1).sample(np.full((20_000, 1), x), rng)[:, 0]
    law = stats.truncnorm(a=-x, b=np.inf, loc=x)
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("x", [-299.0, -301.0, -1e4])
def test_rectified_draws_far_below_zero_are_exponential(x, rng):
    drawn = ReLU(1).sample(np.full((20_000, 1), x), rng)[:, 0]
    assert stats.kstest(drawn, stats.expon(scale=-1 / x).cdf).pvalue > 1e-4


@pytest.mark.parametrize("x", [-250.0, -299.9, -300.1, -1e4])
def test_rectified_mean_far_below_zero_follows_its_series(x):
    series = -1 / x + 2 / x**3 - 10 / x**5
    assert ReLU(1).mean(np.array([[x]]))[0, 0] == pytest.approx(series, rel=1e-6)


@pytest.mark.parametrize("units", EVERY_KIND, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [-1e4, 0.0, 1e4])
def test_extreme_fields_give_finite_numbers_and_no_warning(units, dtype, size, rng):
    field = np.full((2, units.n), size, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = [units.mean(field), units.sample(field, rng), units.log_normaliser(field)]
    assert all(np.isfinite(result).all() for result in results)


@pytest.mark.parametrize("units", EVERY_KIND, ids=repr)
def test_float32_stays_float32(units, rng):
    field = rng.normal(size=(2, units.n)).astype(np.float32)
    mean = units.mean(field)
    results = [mean, units.draw(field, mean, rng), units.log_normaliser(field)]
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


@pytest.mark.parametrize("units", EVERY_KIND, ids=repr)
def test_results_written_into_a_buffer_are_the_same(units, rng):
    field = rng.normal(size=(4, units.n))
    mean, drawn = np.empty_like(field), np.empty_like(field)
    units.mean(field, out=mean)
    units.draw(field, mean, np.random.default_rng(5), out=drawn)
    np.testing.assert_array_equal(mean, units.mean(field))
    np.testing.assert_array_equal(drawn, units.sample(field, np.random.default_rng(5)))


@pytest.mark.parametrize("units", DISCRETE, ids=repr)
def test_states_are_all_different_and_are_states(units):
    states = units.states(0, units.n_states)
    assert len(np.unique(states, axis=0)) == units.n_states
    assert units.are_states(states)


@pytest.mark.parametrize("units", DISCRETE, ids=repr)
def test_log_probabilities_of_all_states_sum_to_one(units, rng):
    field = rng.normal(size=(3, units.n))
    log_p = units.log_probability(units.states(0, units.n_states), field)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=0), 1)


def test_states_count_in_binary():
    assert Bernoulli(3).states(0, 4).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("units", [Bernoulli(3), Gaussian(3), Softmax(3)], ids=repr)
def test_bias_for_a_mean_gives_that_mean(units):
    mean = np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(units.mean(units.bias_for(mean)[None, :])[0], mean)


def test_bias_for_a_pixel_that_is_never_on_is_finite():
    assert np.isfinite(Bernoulli(2).bias_for(np.array([0.0, 1.0]))).all()


def test_continuous_units_cannot_be_enumerated():
    with pytest.raises(NotNormalisableError, match="continuously many states"):
        _ = Gaussian(2).n_states


def test_softmax_refuses_rows_that_are_no_probabilities():
    with pytest.raises(ValueError, match="must sum to 1"):
        Softmax(3).check("y", np.array([[1.0, 1.0, 0.0]]))


def test_a_group_names_the_columns_that_are_wrong():
    pixels_and_label = Groups([Bernoulli(2), Softmax(2)])
    with pytest.raises(ValueError, match=r"Softmax\(2\) columns"):
        pixels_and_label.check("v", np.array([[0.0, 1.0, 0.5, 0.0]]))


@pytest.mark.parametrize("units", EVERY_KIND, ids=repr)
def test_a_description_as_plain_data_gives_the_layer_back(units):
    assert from_description(describe(units)) == units


def test_unknown_kinds_and_wrong_widths_are_refused():
    with pytest.raises(ValueError, match="units must be one of bernoulli"):
        make_units("binary", 3)
    with pytest.raises(ValueError, match="has 3 units, but the weights want 4"):
        make_units(Bernoulli(3), 4)


def test_sigmoid_equals_its_definition():
    x = np.linspace(-30, 30, 601)
    np.testing.assert_allclose(sigmoid(x), 1 / (1 + np.exp(-x)), atol=1e-16, rtol=1e-3)


def test_the_sigmoid_of_a_number_is_a_number():
    assert float(sigmoid(0.3)) == pytest.approx(1 / (1 + np.exp(-0.3)))
