"""Enumeration of one layer against the double loop over both."""

import numpy as np
import pytest
from scipy import integrate

from dbnlib.checks import NotNormalisableError
from dbnlib.exact import (
    as_boltzmann_machine,
    log_likelihood,
    log_partition,
    model_moments,
    pseudo_log_likelihood,
    visible_distribution,
)
from dbnlib.groups import Groups
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Softmax


def test_log_partition_is_the_double_sum(rbm, enumerated):
    assert log_partition(rbm) == pytest.approx(np.log(enumerated.Z), abs=1e-12)


def test_log_partition_does_not_depend_on_the_side_that_is_enumerated(rng):
    wide = RBM(rng.normal(size=(9, 4)), rng.normal(size=9), rng.normal(size=4))
    assert log_partition(wide) == pytest.approx(log_partition(wide.transposed()), abs=1e-10)


def test_chunks_do_not_change_the_sum(rng, monkeypatch):
    rbm = RBM(rng.normal(size=(9, 7)), rng.normal(size=9), rng.normal(size=7))
    whole = log_partition(rbm)
    monkeypatch.setattr("dbnlib.exact.CHUNK_NUMBERS", 45)
    assert log_partition(rbm) == pytest.approx(whole, abs=1e-10)


def test_a_layer_of_thousands_neither_overflows_nor_loses_digits(rng):
    # e²⁰⁰⁰ is no number, and neither is a product of 2000 factors between 1 and 2
    wide = RBM(rng.normal(size=(2000, 6)), rng.normal(size=2000), rng.normal(size=6))
    h = Bernoulli(6).states(0, 64)
    x = wide.b + h @ wide.W.T
    by_definition = np.logaddexp.reduce(h @ wide.c + np.logaddexp(0, x).sum(axis=1))
    assert log_partition(wide) == pytest.approx(by_definition, rel=1e-14)


def test_log_partition_with_a_gaussian_layer_is_the_integral():
    W, b, c = np.array([[0.7, -0.4]]), np.array([0.3]), np.array([0.2, -0.5])
    rbm = RBM(W, b, c, visible="gaussian")
    integral = integrate.quad(lambda v: np.exp(-rbm.free_energy([[v]])[0]), -12, 12)[0]
    assert log_partition(rbm) == pytest.approx(np.log(integral), abs=1e-8)


def test_log_partition_with_a_rectified_hidden_layer_is_the_integral():
    W, b, c = np.array([[0.7], [-0.4]]), np.array([0.3, 0.1]), np.array([0.2])
    rbm = RBM(W, b, c, hidden="relu")
    integral = integrate.quad(lambda h: np.exp(-rbm.free_energy_of_hidden([[h]])[0]), 0, 14)[0]
    assert log_partition(rbm) == pytest.approx(np.log(integral), abs=1e-8)


def test_log_partition_with_a_label_group_is_the_double_sum(rng):
    units = Groups([Bernoulli(3), Softmax(4)])
    rbm = RBM(rng.normal(size=(7, 2)), rng.normal(size=7), rng.normal(size=2), visible=units)
    v, h = units.states(0, 32), Bernoulli(2).states(0, 4)
    Z = sum(np.exp(-rbm.energy(v, np.tile(state, (32, 1)))).sum() for state in h)
    assert log_partition(rbm) == pytest.approx(np.log(Z), abs=1e-10)


def test_log_likelihood_is_the_log_of_the_enumerated_probability(rbm, enumerated):
    expected = np.log(enumerated.p_v)
    np.testing.assert_allclose(log_likelihood(rbm, enumerated.v), expected, atol=1e-12)


def test_log_likelihood_of_a_float32_machine_is_summed_in_float64(rng):
    W = rng.normal(size=(6, 4)).astype(np.float32)
    v = np.eye(6)
    in_double = log_likelihood(RBM(W.astype(np.float64)), v)
    np.testing.assert_array_equal(log_likelihood(RBM(W), v), in_double)


def test_visible_distribution_is_in_the_order_of_the_states(rbm, enumerated):
    np.testing.assert_allclose(visible_distribution(rbm), enumerated.p_v, atol=1e-14)


@pytest.mark.parametrize("turned", [False, True], ids=["hidden side", "visible side"])
def test_model_moments_are_the_enumerated_expectations(turned, rbm, enumerated):
    moments = model_moments(rbm.transposed() if turned else rbm)
    vh, v, h = (moments.vh.T, moments.h, moments.v) if turned else moments
    np.testing.assert_allclose(vh, enumerated.v.T @ enumerated.p @ enumerated.h, atol=1e-12)
    np.testing.assert_allclose(v, enumerated.p_v @ enumerated.v, atol=1e-12)
    np.testing.assert_allclose(h, enumerated.p_h @ enumerated.h, atol=1e-12)


def test_pseudo_log_likelihood_is_the_sum_of_the_exact_conditionals(rbm, enumerated):
    log_p = np.log(enumerated.p_v).reshape((2,) * 4)
    expected = []
    for v in enumerated.v.astype(int):
        total = 0.0
        for i in range(4):
            flipped = v.copy()
            flipped[i] = 1 - v[i]
            here, there = log_p[tuple(v)], log_p[tuple(flipped)]
            total += here - np.logaddexp(here, there)
        expected.append(total)
    np.testing.assert_allclose(pseudo_log_likelihood(rbm, enumerated.v), expected, atol=1e-10)


def test_the_estimated_pseudo_log_likelihood_averages_to_the_full_one(rbm, rng):
    v = np.tile([1.0, 0.0, 1.0, 1.0], (20_000, 1))
    full = pseudo_log_likelihood(rbm, v[:1])[0]
    some = pseudo_log_likelihood(rbm, v, n_flips=1, rng=rng)
    assert abs(some.mean() - full) < 6 * some.std() / np.sqrt(len(v))


def test_an_rbm_as_a_general_machine_has_the_same_distribution(rbm, enumerated):
    machine = as_boltzmann_machine(rbm)
    assert machine.log_partition() == pytest.approx(np.log(enumerated.Z), abs=1e-10)
    np.testing.assert_allclose(machine.visible_distribution(), enumerated.p_v, atol=1e-12)


def test_extreme_weights_do_not_overflow():
    rbm = RBM(np.full((3, 2), 1e4))
    assert log_partition(rbm) == pytest.approx(6e4)


def test_a_machine_too_large_to_enumerate_is_refused_with_advice():
    with pytest.raises(NotNormalisableError, match="annealed importance sampling"):
        log_partition(RBM(np.zeros((30, 30))))


def test_a_machine_without_a_countable_layer_is_refused():
    with pytest.raises(NotNormalisableError, match="too large to enumerate"):
        log_partition(RBM(np.zeros((2, 2)), visible="gaussian", hidden="relu"))


def test_grey_values_have_no_likelihood():
    with pytest.raises(ValueError, match="binarise them first"):
        log_likelihood(RBM(np.zeros((2, 2))), [[0.5, 1.0]])


def test_all_visible_states_are_never_in_memory_at_once(rbm, enumerated, monkeypatch):
    asked_for = []
    original = Bernoulli.states

    def states(units, start, stop, *more):
        asked_for.append(stop - start)
        return original(units, start, stop, *more)

    monkeypatch.setattr(Bernoulli, "states", states)
    monkeypatch.setattr("dbnlib.exact.CHUNK_NUMBERS", 20)
    np.testing.assert_allclose(visible_distribution(rbm), enumerated.p_v)
    assert max(asked_for) == 5
