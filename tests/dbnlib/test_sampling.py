"""Chains against the enumerated distribution."""

import numpy as np
import pytest
from scipy import stats

from dbnlib.exact import visible_distribution
from dbnlib.rbm import RBM
from dbnlib.sampling import anneal, geometric_betas, record_chain, run_chain, states_seen


def chi_square_p_value(counts, probabilities):
    return stats.chisquare(counts, probabilities * counts.sum()).pvalue


def test_block_gibbs_reaches_the_enumerated_distribution(rbm, rng):
    v = run_chain(rbm, np.zeros((40_000, 4)), 60, rng)
    assert chi_square_p_value(states_seen(v, 4), visible_distribution(rbm)) > 1e-4


def test_a_chain_that_has_not_run_has_not_reached_it(rbm, rng):
    v = run_chain(rbm, np.zeros((40_000, 4)), 1, rng)
    assert chi_square_p_value(states_seen(v, 4), visible_distribution(rbm)) < 1e-10


def test_one_long_chain_visits_states_as_often_as_they_are_probable(rbm, rng):
    records = record_chain(rbm, np.zeros((10, 4)), 4000, rng, every=2, burn_in=50)
    seen = states_seen(records, 4) / records[..., 0].size
    total_variation = 0.5 * abs(seen - visible_distribution(rbm)).sum()
    # 40,000 correlated draws of 16 states: about 0.008 expected
    assert total_variation < 0.025


def test_inverse_temperature_multiplies_every_parameter(rbm, rng):
    # at β the fields are β times as large: the machine with parameters β W, β b, β c
    cooled = RBM(0.5 * rbm.W, 0.5 * rbm.b, 0.5 * rbm.c)
    v = run_chain(rbm, np.zeros((40_000, 4)), 60, rng, beta=0.5)
    assert chi_square_p_value(states_seen(v, 4), visible_distribution(cooled)) > 1e-4


def test_clamped_chains_reach_the_conditional_distribution(rbm, rng):
    start = np.tile([1.0, 0.0, 0.0, 1.0], (40_000, 1))
    clamped = np.array([True, False, False, True])
    v = run_chain(rbm, start, 60, rng, clamped=clamped)
    joint = visible_distribution(rbm).reshape((2,) * 4)[1, :, :, 1].ravel()
    assert chi_square_p_value(states_seen(v[:, 1:3], 2), joint / joint.sum()) > 1e-4


def test_annealing_ends_in_the_state_of_lowest_free_energy(rng):
    rbm = RBM(rng.normal(size=(6, 3), scale=2), rng.normal(size=6), rng.normal(size=3))
    states = rbm.visible.states(0, 64)
    h = rbm.hidden.states(0, 8)
    energies = np.array([rbm.energy(np.tile(v, (8, 1)), h).min() for v in states])
    best = states[energies.argmin()]
    end = anneal(rbm, np.zeros((50, 6)), geometric_betas(20, 0.05, 400), rng)
    assert (end == best).all(axis=1).mean() > 0.8


def test_records_have_one_entry_each_and_the_start_is_left_alone(rbm, rng):
    start = np.zeros((3, 4))
    assert record_chain(rbm, start, 5, rng).shape == (5, 3, 4)
    assert (start == 0).all()


def test_the_same_seed_gives_the_same_chain(rbm):
    chains = [run_chain(rbm, np.zeros((5, 4)), 20, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*chains)


def test_states_are_counted_in_binary_order():
    assert states_seen([[0, 1], [1, 1], [0, 1]], 2).tolist() == [0, 2, 0, 1]


def test_whole_numbers_are_no_reason_to_round_gaussian_units(rng):
    rbm = RBM(np.zeros((2, 1)), visible="gaussian")
    v = run_chain(rbm, [[0, 0], [1, 1]], 1, rng, clamped=np.array([True, False]))
    assert v.dtype == np.float64
    assert (v[:, 1] % 1 != 0).all()


def test_a_generator_is_asked_for_by_name(rbm):
    with pytest.raises(TypeError, match="default_rng"):
        run_chain(rbm, np.zeros((1, 4)), 1, 7)


def test_no_steps_give_states_of_their_own(rbm, rng):
    start = np.zeros((2, 4))
    run_chain(rbm, start, 0, rng)[...] = 1
    assert not start.any()


def test_states_with_another_number_of_units_are_not_counted():
    with pytest.raises(ValueError, match=r"must have 2 columns, one a unit, got shape \(3, 4\)"):
        states_seen(np.zeros((3, 4)), 2)
