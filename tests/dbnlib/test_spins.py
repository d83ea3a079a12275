"""Spins against bits, Hopfield's memory, Ising's magnet: by hand, by loops, by known counts."""

import itertools
import math
import re

import numpy as np
import pytest
from scipy.stats import chisquare

from dbnlib.sampling import anneal, run_chain
from dbnlib.spins import (
    Hopfield,
    IsingGrid,
    bits_from_spins,
    ising_grid,
    machine_from_spins,
    to_bits,
    to_spins,
)


def all_spins(n):
    return np.array(list(itertools.product([-1, 1], repeat=n)), dtype=np.float64)


def random_couplings(n, seed=0):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.normal(size=(n, n)), 1)
    return upper + upper.T, rng.normal(size=n)


def spin_energy(J, b, s):
    """−Σ_{i<j} Jᵢⱼ sᵢsⱼ − Σᵢ bᵢsᵢ, pair by pair."""
    pairs = itertools.combinations(range(len(s)), 2)
    return -sum(J[i, j] * s[i] * s[j] for i, j in pairs) - np.dot(b, s)


# ---- spins and bits


def test_spins_and_bits_say_the_same():
    np.testing.assert_array_equal(to_spins([0, 1, 1]), [-1, 1, 1])
    np.testing.assert_array_equal(to_bits([[-1, 1], [1, 1]]), [[0, 1], [1, 1]])


def test_conversion_keeps_float32():
    spins = to_spins(np.array([0, 1], dtype=np.float32))

    assert (spins.dtype, to_bits(spins).dtype) == (np.float32, np.float32)


def test_energies_over_bits_and_spins_differ_by_the_constant_alone():
    J, b = random_couplings(5)
    s = all_spins(5)
    _, _, constant = bits_from_spins(J, b)

    over_bits = machine_from_spins(J, b).energy(to_bits(s))

    over_spins = [spin_energy(J, b, row) for row in s]
    np.testing.assert_allclose(over_spins, over_bits + constant, rtol=1e-12, atol=1e-12)


def test_the_machine_has_the_probabilities_of_the_spin_model():
    J, b = random_couplings(4, seed=1)
    weights = np.exp([-spin_energy(J, b, s) for s in all_spins(4)])

    p = machine_from_spins(J, b).distribution()  # −1 before +1 is 0 before 1: the same order

    np.testing.assert_allclose(p, weights / weights.sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("convert", "values", "message"),
    [
        (to_spins, [-1, 1], "x must hold only 0 and 1, got -1"),
        (to_bits, [0, 1], "s must hold only -1 and 1, got 0"),
    ],
)
def test_conversion_refuses_values_of_the_other_kind(convert, values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        convert(values)


# ---- Hopfield


def random_patterns(n_patterns, n_units, seed=0):
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_patterns, n_units))


def flipped(patterns, share, seed=1):
    """The patterns with this share of the units of each turned over."""
    spoilt = patterns.copy()
    rng = np.random.default_rng(seed)
    for row in spoilt:
        row[rng.choice(len(row), round(share * len(row)), replace=False)] *= -1
    return spoilt


def test_hebbs_rule_by_hand():
    memory = Hopfield([[1, 1, -1], [1, -1, -1]])

    # Jᵢⱼ = (sum over the patterns of sᵢsⱼ) / 3
    np.testing.assert_allclose(memory.J, np.array([[0, 0, -2], [0, 0, 0], [-2, 0, 0]]) / 3)


def test_hopfield_energy_counts_each_pair_once():
    memory = Hopfield(random_patterns(3, 6))
    s = all_spins(6)

    by_loop = [spin_energy(memory.J, np.zeros(6), row) for row in s]

    np.testing.assert_allclose(memory.energy(s), by_loop, atol=1e-12)


def test_stored_patterns_are_fixed_points_at_low_load():
    patterns = random_patterns(10, 200)

    np.testing.assert_array_equal(Hopfield(patterns).recall(patterns), patterns)


@pytest.mark.parametrize("order", [None, np.random.default_rng(5)])
def test_spoilt_patterns_are_mended_at_low_load(order):
    patterns = random_patterns(10, 200)

    recalled = Hopfield(patterns).recall(flipped(patterns, share=0.15), order)

    np.testing.assert_array_equal(recalled, patterns)


def test_an_overloaded_memory_recalls_nothing():
    patterns = random_patterns(60, 200)  # 0.3 n, more than twice the capacity

    recalled = Hopfield(patterns).recall(patterns)

    assert not (recalled == patterns).all(axis=1).any()


def test_no_update_raises_the_energy():
    memory = Hopfield(random_patterns(20, 50))
    s = random_patterns(30, 50, seed=2)
    energy = memory.energy(s)
    for i in np.random.default_rng(3).integers(0, 50, 300):
        s = memory.update(s, int(i))
        before, energy = energy, memory.energy(s)
        assert (energy <= before + 1e-12).all()


def test_recall_ends_where_no_update_changes_anything():
    memory = Hopfield(random_patterns(20, 50))

    s = memory.recall(random_patterns(30, 50, seed=2), np.random.default_rng(3))

    aligned = s * (s @ memory.J)  # sᵢ times its field
    assert (aligned > -1e-12).all()


def test_recall_is_update_after_update():
    memory = Hopfield(random_patterns(10, 30))
    start = random_patterns(5, 30, seed=4)
    s = start
    for i in range(30):
        s = memory.update(s, i)

    np.testing.assert_array_equal(memory.recall(start, max_sweeps=1), s)


def test_a_field_of_zero_keeps_the_state():
    memory = Hopfield([[1, 1, 1], [1, -1, 1]])  # unit 1 is connected with nothing
    s = [[1, 1, 1], [1, -1, 1]]

    np.testing.assert_array_equal(memory.recall(s), s)


def test_fields_that_cancel_are_zero_exactly():
    """Fifths do not cancel in floating point, so a tie shows whether whole numbers are summed."""
    memory = Hopfield([[1, 1, 1, 1, 1], [1, 1, -1, -1, 1], [1, -1, 1, -1, -1]])
    for s in all_spins(5):
        for i in range(5):
            counts = sum(
                int(p[i] * p[j] * s[j]) for p in memory.patterns for j in range(5) if j != i
            )
            wanted = s[i] if counts == 0 else math.copysign(1, counts)
            assert memory.update(s[None, :], i)[0, i] == wanted


def test_the_machine_of_a_memory_follows_its_energy_and_temperature():
    memory = Hopfield(random_patterns(2, 6))
    weights = np.exp(-memory.energy(all_spins(6)) / 0.5)

    p = memory.machine(temperature=0.5).distribution()

    np.testing.assert_allclose(p, weights / weights.sum(), rtol=1e-10)


def test_a_memory_keeps_the_dtype_of_its_patterns():
    memory = Hopfield(random_patterns(2, 6).astype(np.float32))

    assert (memory.J.dtype, memory.recall([[1, 1, 1, 1, 1, 1]]).dtype) == (np.float32, np.float32)
    assert memory.energy([[1, 1, 1, 1, 1, 1]]).dtype == np.float32
    assert memory.machine().dtype == np.float32


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: Hopfield([[0, 1, 1]]), "patterns must hold only -1 and 1, got 0"),
        (lambda: Hopfield([1, -1]), "write patterns[None, :]"),
        (lambda: Hopfield([[1, -1]]).recall([[1, -1, 1]]), "length 2 along axis 1"),
        (lambda: Hopfield([[1, -1]]).update([[1, -1]], 2), "they count from 0 to 1"),
        (lambda: Hopfield([[1, -1]]).machine(0), "temperature must be a finite number in (0"),
    ],
)
def test_bad_input_to_a_memory_is_refused(action, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        action()


# ---- Ising


#: energy → number of states of the periodic 4×4 grid, coupling 1, no field; the other half of
#: the table is its mirror image. Known from the literature.
LEVELS_4X4 = {-32: 2, -24: 32, -20: 64, -16: 424, -12: 1728, -8: 6688, -4: 13568, 0: 20524}
LEVELS_4X4 |= {-energy: count for energy, count in LEVELS_4X4.items()}


def grid_energy(s, coupling, field, periodic):
    """Bond by bond, to the right and downwards."""
    rows, cols = s.shape
    total = -field * s.sum()
    for r, c in np.ndindex(rows, cols):
        for down, right in ((r + 1, c), (r, c + 1)):
            if periodic and (down % rows, right % cols) != (r, c):
                total -= coupling * s[r, c] * s[down % rows, right % cols]
            elif not periodic and down < rows and right < cols:
                total -= coupling * s[r, c] * s[down, right]
    return total


def test_the_two_by_two_grid_by_hand():
    # four bonds; open: 2 states at −4, 2 at +4, 12 at 0. log Z_spins = log Z_bits − constant, where
    # the constant is E_spins − E_bits of any state, such as all bits off: E_spins(all −1) − 0
    open_grid = ising_grid(2, 2, periodic=False)
    periodic = ising_grid(2, 2)

    open_z, periodic_z = open_grid.log_partition() + 4, periodic.log_partition() + 8

    assert open_z == pytest.approx(math.log(2 * math.exp(4) + 2 * math.exp(-4) + 12))
    # periodic: each bond is there twice
    assert periodic_z == pytest.approx(math.log(2 * math.exp(8) + 2 * math.exp(-8) + 12))


def test_a_ring_has_the_partition_function_of_its_transfer_matrix():
    coupling, field, n = 0.7, 0.3, 9
    transfer = [
        [math.exp(coupling * s * t + field * (s + t) / 2) for t in (-1, 1)] for s in (-1, 1)
    ]
    log_z = math.log(np.trace(np.linalg.matrix_power(transfer, n)))

    machine = ising_grid(1, n, coupling=coupling, field=field)

    all_down = -coupling * n + field * n  # E_spins of the state that has E_bits = 0
    assert machine.log_partition() - all_down == pytest.approx(log_z, rel=1e-12)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(3, 3), (2, 3), (1, 4), (2, 2)])
def test_grid_energies_are_sums_over_bonds(shape, periodic):
    machine = ising_grid(*shape, coupling=0.6, field=-0.2, periodic=periodic)
    spins = all_spins(math.prod(shape))

    ours = machine.energy(to_bits(spins))

    by_bond = np.array([grid_energy(s.reshape(shape), 0.6, -0.2, periodic) for s in spins])
    np.testing.assert_allclose(ours - ours[0], by_bond - by_bond[0], atol=1e-12)


@pytest.mark.parametrize("periodic", [True, False])
def test_the_large_grid_has_the_energy_of_the_small_one(periodic):
    grid = IsingGrid(4, 2, coupling=0.6, field=-0.2, periodic=periodic)
    spins = all_spins(8)

    ours = grid.energy(spins.reshape(-1, 4, 2))

    by_bond = [grid_energy(s.reshape(4, 2), 0.6, -0.2, periodic) for s in spins]
    np.testing.assert_allclose(ours, by_bond, atol=1e-12)


def test_the_levels_of_the_four_by_four_grid_are_the_known_ones():
    energies, counts = np.unique(
        IsingGrid(4, 4).energy(all_spins(16).reshape(-1, 4, 4)), return_counts=True
    )

    assert dict(zip(energies.astype(int), counts, strict=True)) == LEVELS_4X4


def test_checkerboard_sweeps_reach_the_known_distribution_of_energies():
    beta, n_chains = 0.3, 10_000
    weights = {e: count * math.exp(-beta * e) for e, count in sorted(LEVELS_4X4.items())}
    grid = IsingGrid(4, 4)
    start = np.ones((n_chains, 4, 4), dtype=np.float32)

    states = run_chain(grid, start, 60, np.random.default_rng(0), beta=beta)

    # all energies above 0 are rare at this temperature: they count as one
    energies = np.minimum(grid.energy(states), 4)
    expected = [weight for e, weight in weights.items() if e <= 0]
    expected.append(sum(weight for e, weight in weights.items() if e > 0))
    seen = [np.isclose(energies, e).sum() for e in sorted(weights) if e <= 4]
    assert chisquare(seen, np.array(expected) / sum(weights.values()) * n_chains).pvalue > 0.001


def test_checkerboard_sweeps_on_an_open_grid_with_a_field_follow_the_enumeration():
    grid = IsingGrid(3, 3, coupling=0.4, field=0.2, periodic=False)
    spins = all_spins(9).reshape(-1, 3, 3)
    weights = np.exp([-grid_energy(s, 0.4, 0.2, False) for s in spins])
    by_total = np.bincount(
        np.round((spins.sum(axis=(1, 2)) + 9) / 2).astype(int), weights / weights.sum()
    )

    states = run_chain(grid, np.ones((10_000, 3, 3)), 60, np.random.default_rng(1))

    seen = np.bincount(np.round((states.sum(axis=(1, 2)) + 9) / 2).astype(int), minlength=10)
    assert chisquare(seen, by_total * 10_000).pvalue > 0.001


def test_slow_cooling_of_a_magnet_in_a_field_aligns_it():
    grid = IsingGrid(16, 16, field=0.1)
    rng = np.random.default_rng(2)

    state = anneal(grid, grid.random_state(rng), np.linspace(0.05, 2, 200), rng)

    assert state.mean() == pytest.approx(1, abs=0.02)


def test_a_hot_magnet_has_no_direction():
    grid = IsingGrid(64, 64)
    rng = np.random.default_rng(3)

    state = run_chain(grid, np.ones((64, 64)), 20, rng, beta=0.0)

    assert abs(state.mean()) < 4 / 64  # four standard errors of 64² tosses


def test_clamped_sites_keep_their_spin():
    grid = IsingGrid(8, 8)
    state = np.ones((8, 8), dtype=np.float32)
    clamped = np.zeros((8, 8), dtype=bool)
    clamped[2:4] = True

    after = run_chain(grid, state, 5, np.random.default_rng(4), beta=0.1, clamped=clamped)

    assert (after[clamped] == 1).all()
    assert (after[~clamped] == -1).any()
    assert (state == 1).all()


def test_grid_states_keep_float32():
    grid = IsingGrid(4, 4, coupling=0.5, field=0.1)
    state = grid.random_state(np.random.default_rng(0))

    after = grid.gibbs_step(state, np.random.default_rng(1), beta=np.float64(0.3))

    assert (state.dtype, after.dtype) == (np.float32, np.float32)
    assert grid.energy(state).dtype == np.float32


def test_huge_couplings_freeze_the_magnet_without_a_warning():
    grid = IsingGrid(4, 4, coupling=1e4)
    up = np.ones((4, 4), dtype=np.float32)

    np.testing.assert_array_equal(grid.gibbs_step(up, np.random.default_rng(0), beta=100.0), up)


def test_the_machine_of_a_grid_is_the_same_model():
    grid = IsingGrid(2, 4, coupling=0.3, field=0.2)
    weights = np.exp(-grid.energy(all_spins(8).reshape(-1, 2, 4)))

    np.testing.assert_allclose(grid.machine().distribution(), weights / weights.sum(), rtol=1e-10)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: IsingGrid(3, 4), "needs even sides for checkerboard sweeps, got 3 x 4"),
        (lambda: IsingGrid(4, 4).energy(np.zeros((4, 4))), "state must hold only -1 and 1, got 0"),
        (lambda: IsingGrid(4, 4).energy(np.ones((4, 5))), "length 4 along axis 1"),
        (lambda: ising_grid(0, 4), "rows must be at least 1"),
        (lambda: ising_grid(2, 2, coupling=np.inf), "coupling must be a finite number"),
    ],
)
def test_bad_input_to_a_grid_is_refused(action, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        action()
