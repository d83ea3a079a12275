"""The general Boltzmann machine against sums written out in plain Python."""

import itertools
import math
import re

import numpy as np
import pytest
from scipy.stats import chisquare

from dbnlib import storage
from dbnlib.boltzmann import BoltzmannMachine, between_layers
from dbnlib.checks import NotNormalisableError
from dbnlib.rbm import RBM
from dbnlib.sampling import run_chain, states_seen


def small_machine(n_visible=3, n_hidden=2, seed=0, dtype=np.float64) -> BoltzmannMachine:
    """Couplings and biases of order 1, so that no two states have like probabilities."""
    rng = np.random.default_rng(seed)
    machine = BoltzmannMachine.random(n_visible, n_hidden, rng, scale=0.8, dtype=dtype)
    machine.b[:] = rng.normal(size=machine.n_units)
    return machine


def energy_by_loop(machine, x):
    """−Σ_{i<j} Jᵢⱼ xᵢxⱼ − Σᵢ bᵢxᵢ, pair by pair."""
    pairs = itertools.combinations(range(machine.n_units), 2)
    bilinear = sum(float(machine.J[i, j]) * x[i] * x[j] for i, j in pairs)
    return -bilinear - sum(float(b) * x_i for b, x_i in zip(machine.b, x, strict=True))


def table(machine):
    """Every state with its probability, by a plain loop: the oracle of this module."""
    states = list(itertools.product([0, 1], repeat=machine.n_units))
    weights = [math.exp(-energy_by_loop(machine, x)) for x in states]
    return {x: weight / sum(weights) for x, weight in zip(states, weights, strict=True)}


def all_states(n):
    return np.array(list(itertools.product([0, 1], repeat=n)), dtype=np.float64)


# ---- energies and conditionals


def test_energy_counts_each_pair_once():
    machine = BoltzmannMachine([[0, 2, 0], [2, 0, -1], [0, -1, 0]], b=[0.5, 0, 0.25])

    # −(J₀₁ + J₁₂ + b₀ + b₂) = −(2 − 1 + 0.5 + 0.25)
    assert machine.energy([[1, 1, 1]]) == [-1.75]


def test_energy_agrees_with_the_sum_over_pairs():
    machine = small_machine()
    x = all_states(5)

    by_loop = [energy_by_loop(machine, row) for row in x]

    np.testing.assert_allclose(machine.energy(x), by_loop, rtol=1e-12, atol=1e-12)


def test_a_machine_without_lateral_couplings_is_an_rbm():
    rng = np.random.default_rng(1)
    rbm = RBM(rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=2))
    J = np.block([[np.zeros((3, 3)), rbm.W], [rbm.W.T, np.zeros((2, 2))]])
    machine = BoltzmannMachine(J, np.concatenate([rbm.b, rbm.c]), n_visible=3)
    v = all_states(3)

    p = machine.visible_distribution()

    free_weights = np.exp(-rbm.free_energy(v))
    np.testing.assert_allclose(p, free_weights / free_weights.sum(), rtol=1e-12)


def test_field_is_the_energy_lost_by_switching_a_unit_on():
    machine = small_machine()
    x = all_states(5)
    for i in range(5):
        off, on = x.copy(), x.copy()
        off[:, i], on[:, i] = 0, 1

        gap = machine.energy(off) - machine.energy(on)

        np.testing.assert_allclose(machine.field(x)[:, i], gap, rtol=1e-9, atol=1e-12)


def test_conditional_means_are_ratios_of_joint_probabilities():
    machine = small_machine()
    p = table(machine)
    for x in all_states(5).astype(int):
        means = machine.conditional_means([x])[0]
        for i in range(5):
            off, on = (tuple(np.where(np.arange(5) == i, bit, x)) for bit in (0, 1))
            assert means[i] == pytest.approx(p[on] / (p[on] + p[off]), rel=1e-9)


# ---- enumeration


def test_distribution_is_that_of_the_plain_loop_in_binary_order():
    machine = small_machine()

    np.testing.assert_allclose(machine.distribution(), list(table(machine).values()), rtol=1e-12)


def test_log_partition_of_two_coupled_units_by_hand():
    machine = BoltzmannMachine([[0, math.log(5)], [math.log(5), 0]])

    # Z = 1 + 1 + 1 + 5
    assert machine.log_partition() == pytest.approx(math.log(8), rel=1e-14)


def test_without_couplings_the_partition_function_is_a_product():
    b = np.linspace(-2, 2, 18)
    machine = BoltzmannMachine(np.zeros((18, 18)), b)  # more than one block of states

    assert machine.log_partition() == pytest.approx(np.log1p(np.exp(b)).sum(), rel=1e-12)


def test_visible_distribution_sums_the_hidden_units_out():
    machine = small_machine()
    by_loop = dict.fromkeys(itertools.product([0, 1], repeat=3), 0.0)
    for x, p in table(machine).items():
        by_loop[x[:3]] += p

    np.testing.assert_allclose(machine.visible_distribution(), list(by_loop.values()), rtol=1e-12)


def test_log_likelihood_is_the_log_of_the_visible_distribution():
    machine = small_machine()
    by_loop = [
        math.log(sum(p for x, p in table(machine).items() if x[:3] == tuple(v)))
        for v in all_states(3)
    ]

    np.testing.assert_allclose(machine.log_likelihood(all_states(3)), by_loop, rtol=1e-12)


def test_moments_are_averages_over_all_states():
    machine = small_machine()
    second, first = np.zeros((5, 5)), np.zeros(5)
    for x, p in table(machine).items():
        second += p * np.outer(x, x)
        first += p * np.array(x)

    ours_second, ours_first = machine.moments()

    np.testing.assert_allclose(ours_second, second, rtol=1e-12)
    np.testing.assert_allclose(ours_first, first, rtol=1e-12)


def test_clamped_moments_weigh_hidden_states_by_their_posterior():
    machine = small_machine()
    p = table(machine)
    data = [(1, 0, 1), (1, 0, 1), (0, 1, 1)]
    second, first = np.zeros((5, 5)), np.zeros(5)
    for v in data:
        joint = {x: weight for x, weight in p.items() if x[:3] == v}
        for x, weight in joint.items():
            second += weight / sum(joint.values()) * np.outer(x, x) / len(data)
            first += weight / sum(joint.values()) * np.array(x) / len(data)

    ours_second, ours_first = machine.clamped_moments(data)

    np.testing.assert_allclose(ours_second, second, rtol=1e-12)
    np.testing.assert_allclose(ours_first, first, rtol=1e-12)


def test_clamped_moments_of_many_rows_are_the_mean_of_those_of_each():
    machine = small_machine(n_visible=2, n_hidden=10)
    data = np.random.default_rng(2).integers(0, 2, (200, 2))  # more than one block of rows

    second, first = machine.clamped_moments(data)

    each = [machine.clamped_moments(row[None, :]) for row in data]
    np.testing.assert_allclose(second, np.mean([s for s, _ in each], axis=0), rtol=1e-12)
    np.testing.assert_allclose(first, np.mean([f for _, f in each], axis=0), rtol=1e-12)


def test_without_hidden_units_the_clamped_moments_are_those_of_the_data():
    data = np.array([[1, 0, 1], [1, 1, 1]])

    second, first = small_machine(3, 0).clamped_moments(data)

    np.testing.assert_array_equal(second, data.T @ data / 2)
    np.testing.assert_array_equal(first, data.mean(axis=0))


def test_exact_quantities_are_float64_whatever_the_machine():
    machine = small_machine(dtype=np.float32)

    results = [machine.distribution(), machine.log_likelihood([[0, 1, 1]]), *machine.moments()]

    assert [array.dtype for array in results] == [np.float64] * 4


def test_huge_fields_neither_overflow_nor_warn():
    J = 1e4 * (np.ones((4, 4)) - np.eye(4))
    machine = BoltzmannMachine(J.astype(np.float32), b=[-1e4, 1e4, 1e4, -1e4], n_visible=3)

    assert machine.log_partition() == pytest.approx(6e4)  # all units on: 6 pairs, biases cancel
    assert machine.log_likelihood([[0, 0, 0]]) == pytest.approx(-6e4)
    assert machine.moments()[1] == pytest.approx(1)


# ---- Gibbs sampling


def p_value(seen, expected):
    """Of the chi-square test that independent draws, counted in `seen`, follow `expected`."""
    return chisquare(seen, expected * seen.sum()).pvalue


def test_gibbs_sweeps_reach_the_enumerated_distribution():
    machine = small_machine(dtype=np.float32)
    rng = np.random.default_rng(3)
    start = np.zeros((20_000, 5))

    x = run_chain(machine, start, 30, rng)

    assert p_value(states_seen(x, 5), machine.distribution()) > 0.001


def test_gibbs_sweeps_leave_the_distribution_as_it_is():
    machine = small_machine()
    rng = np.random.default_rng(4)
    exact = machine.distribution()
    start = all_states(5)[rng.choice(32, 20_000, p=exact)]

    x = machine.gibbs_step(start, rng)

    assert p_value(states_seen(x, 5), exact) > 0.001


def test_beta_samples_the_distribution_to_that_power():
    machine = small_machine()
    hot = np.array(list(table(machine).values())) ** 0.5

    x = run_chain(machine, np.zeros((20_000, 5)), 30, np.random.default_rng(5), beta=0.5)

    assert p_value(states_seen(x, 5), hot / hot.sum()) > 0.001


def test_clamped_units_leave_the_conditional_distribution_of_the_others():
    machine = small_machine()
    start = np.tile([1, 0, 0, 0, 1], (20_000, 1))
    clamped = np.array([True, False, False, False, True])
    conditional = np.array([p for x, p in table(machine).items() if (x[0], x[4]) == (1, 1)])

    x = run_chain(machine, start, 30, np.random.default_rng(6), clamped=clamped)

    assert (x[:, [0, 4]] == 1).all()
    seen = states_seen(x[:, 1:4], 3)
    assert p_value(seen, conditional / conditional.sum()) > 0.001


def test_each_chain_may_clamp_units_of_its_own():
    machine = small_machine()
    start = np.zeros((1000, 5))
    clamped = np.random.default_rng(7).random(start.shape) < 0.5

    x = run_chain(machine, start, 5, np.random.default_rng(8), clamped=clamped)

    assert not x[clamped].any()
    assert x[~clamped].any()


def test_a_gibbs_step_leaves_its_input_alone():
    x = np.zeros((50, 5))

    small_machine().gibbs_step(x, np.random.default_rng(0))

    assert not x.any()


def test_float32_machines_have_float32_states_and_energies():
    machine = small_machine(dtype=np.float32)

    x = machine.gibbs_step(np.zeros((4, 5)), np.random.default_rng(0), beta=np.float64(0.7))

    assert (x.dtype, machine.energy(x).dtype) == (np.float32, np.float32)
    assert machine.conditional_means(x).dtype == np.float32


# ---- making, copying, storing


def test_random_without_lateral_couplings_joins_the_layers_only():
    machine = BoltzmannMachine.random(3, 2, np.random.default_rng(0), lateral=False)

    np.testing.assert_array_equal(machine.J != 0, between_layers(3, 2))


def test_between_layers_are_the_blocks_off_the_diagonal():
    expected = [[0, 0, 1], [0, 0, 1], [1, 1, 0]]

    np.testing.assert_array_equal(between_layers(2, 1), expected)


def test_random_couplings_have_the_scale_asked_for():
    J = BoltzmannMachine.random(200, 0, np.random.default_rng(0), scale=0.3).J

    assert J[np.triu_indices(200, 1)].std() == pytest.approx(0.3, rel=0.02)


def test_a_copy_is_a_machine_of_its_own():
    machine = small_machine()

    machine.copy().J[:] = 0

    assert machine.J.any()


def test_a_stored_machine_comes_back_bit_for_bit(tmp_path):
    machine = small_machine(dtype=np.float32)

    loaded = storage.load(storage.save(tmp_path / "machine.npz", machine))

    assert loaded.n_visible == 3
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded.J, machine.J)
    np.testing.assert_array_equal(loaded.b, machine.b)


# ---- what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"J": [[0, 1], [0.5, 0]]}, "differ by up to 0.5; pass (J + J.T) / 2"),
        ({"J": [[0, 1], [1, 3]]}, "zero diagonal (no unit is connected with itself)"),
        ({"J": [[0, 1, 1], [1, 0, 1]]}, "J must be square"),
        ({"J": [[0, np.nan], [np.nan, 0]]}, "NaN"),
        ({"J": [[0, 1], [1, 0]], "b": [1, 2, 3]}, "b must have length 2"),
        ({"J": [[0, 1], [1, 0]], "n_visible": 3}, "n_visible is 3, but J has only 2 units"),
        ({"J": [[0, 1], [1, 0]], "n_visible": 0}, "n_visible must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BoltzmannMachine(**arguments)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[0, 1, -1]], "only 0 and 1, got -1 (1 such entries of 3); for spins call"),
        ([[0, 1, 0.5]], "draw bits from them"),
        ([[0, 1]], "length 3 along axis 1"),
        ([0, 1, 1], "write x[None, :]"),
    ],
)
def test_states_that_are_no_rows_of_bits_are_refused(x, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        small_machine(2, 1).energy(x)


def test_machines_too_large_to_enumerate_say_how_many_states_there_are():
    machine = BoltzmannMachine(np.zeros((30, 30)), n_visible=5)

    with pytest.raises(NotNormalisableError, match=r"2 \*\* 30 = 1,073,741,824 states"):
        machine.log_partition()
    with pytest.raises(NotNormalisableError, match="the hidden units' 25 units"):
        machine.clamped_moments(np.zeros((1, 5)))


def test_the_positive_phase_of_a_large_machine_needs_only_its_hidden_states():
    machine = BoltzmannMachine(np.zeros((100, 100)), n_visible=98)

    _, first = machine.clamped_moments(np.ones((3, 98)))

    np.testing.assert_allclose(first, [1] * 98 + [0.5] * 2)


@pytest.mark.parametrize("clamped", [[0, 1, 2], np.zeros(4, bool), np.zeros((2, 3), bool)])
def test_clamped_must_be_a_mask(clamped):
    with pytest.raises(ValueError, match="clamped must be a bool array of shape"):
        small_machine(2, 1).gibbs_step(
            np.zeros((5, 3)), np.random.default_rng(0), clamped=np.asarray(clamped)
        )


def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match="default_rng"):
        small_machine().gibbs_step(np.zeros((1, 5)), 0)
