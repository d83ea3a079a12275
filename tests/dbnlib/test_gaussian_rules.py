"""What makes Gaussian visible units learn, on grey digits: the scale of the data, and the rate.

A Gaussian unit has unit variance. So what counts is how large the data are beside that noise, and
that nothing bounds the units from above, so that a rate too high is not forgiven. The error here is
the mean squared reconstruction error as a share of the data's variance: 1 is the mean image.
"""

import functools

import numpy as np
import pytest

from dbnlib.checks import DivergenceError
from dbnlib.data import digits
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm

#: digits in all the forms that one might hand to Gaussian units
FORMS = {
    "standardised": lambda grey: (grey - grey.mean()) / grey.std(),
    "from 0 to 1": lambda grey: grey,
    "from 0 to 16": lambda grey: 16 * grey,
}


@functools.cache
def error(form, hidden, rate):
    """Share of the variance that is left after 30 epochs, the mean of two seeds."""
    v = FORMS[form](digits().images[:1000])
    variance = np.square(v - v.mean(axis=0)).sum(axis=1).mean()
    shares = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        rbm = RBM.random(64, 50, rng, data=v, visible="gaussian", hidden=hidden)
        settings = {"epochs": 30, "learning_rate": rate, "monitors": {}}
        train_rbm(rbm, v, rng=rng, **settings)
        shares.append(np.square(v - rbm.reconstruct(v)).sum(axis=1).mean() / variance)
    return np.mean(shares)


@pytest.mark.parametrize("hidden", ["bernoulli", "relu"])
def test_standardised_data_are_learned_at_a_rate_of_a_hundredth(hidden):
    assert error("standardised", hidden, 0.01) < 0.7


def test_rectified_hidden_units_diverge_at_ten_times_that_rate():
    with pytest.raises(DivergenceError, match="try a tenth of the learning rate"):
        error("standardised", "relu", 0.1)


def test_bernoulli_hidden_units_bear_ten_times_that_rate_but_not_a_hundred_times():
    # they are bounded themselves, and a visible unit cannot run away alone
    assert error("standardised", "bernoulli", 0.1) < error("standardised", "bernoulli", 0.01)
    with pytest.raises(DivergenceError, match="standardise the data"):
        error("standardised", "bernoulli", 1.0)


@pytest.mark.parametrize("hidden", ["bernoulli", "relu"])
def test_grey_values_from_0_to_1_are_small_beside_the_noise_and_nothing_is_learned(hidden):
    assert error("from 0 to 1", hidden, 0.01) > 0.95


def test_values_from_0_to_16_stop_rectified_hidden_units_from_learning():
    # the first steps are so large that they throw the units far below zero, and there they stay:
    # after a single epoch 48 of the 50 have a negative field in every image
    assert error("from 0 to 16", "relu", 0.01) > 0.9
    assert error("from 0 to 16", "relu", 0.01) > 1.5 * error("standardised", "relu", 0.01)


def test_values_from_0_to_16_do_bernoulli_hidden_units_no_harm():
    # beside large data the noise is small: as if the units had a variance of their own, a low one
    assert error("from 0 to 16", "bernoulli", 0.01) < error("standardised", "bernoulli", 0.01)
