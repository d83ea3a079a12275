"""Exact draws against enumerated probabilities."""

import numpy as np
import pytest
from scipy.stats import chisquare

from dbnlib.checks import NotNormalisableError
from dbnlib.exact import model_moments
from dbnlib.exact_sampling import exact_samples
from dbnlib.rbm import RBM
from dbnlib.sampling import states_seen


@pytest.mark.parametrize("upside_down", [False, True])
def test_draws_have_the_enumerated_probabilities(upside_down, rbm, enumerated, rng):
    # one way the hidden layer is the smaller one, the other way the visible layer
    machine = rbm.transposed() if upside_down else rbm
    p = enumerated.p_h if upside_down else enumerated.p_v
    seen = states_seen(exact_samples(machine, 20_000, rng), machine.n_visible)
    assert chisquare(seen, 20_000 * p).pvalue > 1e-3


def test_gaussian_visible_units_are_drawn_given_the_hidden_ones(rng):
    rbm = RBM(rng.normal(size=(3, 2)), rng.normal(size=3), visible="gaussian")
    v = exact_samples(rbm, 40_000, rng)
    np.testing.assert_allclose(v.mean(axis=0), model_moments(rbm).v, atol=0.04)


def test_a_float32_machine_gives_float32_states(rng):
    assert exact_samples(RBM.random(5, 3, rng), 4, rng).dtype == np.float32


def test_a_large_machine_is_refused_with_advice(rng):
    with pytest.raises(NotNormalisableError, match="at most 2\\^16 states; run long chains"):
        exact_samples(RBM.random(20, 20, rng), 4, rng)
