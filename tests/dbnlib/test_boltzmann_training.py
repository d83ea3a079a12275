"""Learning in a Boltzmann machine, held against finite differences, entropies and known bounds."""

import itertools
import math
import re

import numpy as np
import pytest

from dbnlib.boltzmann import BoltzmannMachine, between_layers
from dbnlib.boltzmann_training import ExactPhases, SampledPhases, train_boltzmann
from dbnlib.checks import DivergenceError, NotNormalisableError, StorageError
from dbnlib.schedules import linear

#: the rows with an even number of ones: no pair of units, taken alone, tells anything
XOR = np.array([row for row in itertools.product([0, 1], repeat=3) if sum(row) % 2 == 0])
PARITY_4 = np.array([row for row in itertools.product([0, 1], repeat=4) if sum(row) % 2 == 0])
ROWS = np.array([[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1]])


def small_machine(n_visible=3, n_hidden=2, *, seed=0, scale=0.8, dtype=np.float64):
    rng = np.random.default_rng(seed)
    machine = BoltzmannMachine.random(n_visible, n_hidden, rng, scale=scale, dtype=dtype)
    machine.b[:] = 0.5 * rng.normal(size=machine.n_units)
    return machine


def finite_differences(machine, objective, step=1e-5):
    """The slopes of objective(machine) by each pair's coupling and each bias."""
    n = machine.n_units
    dJ, db = np.zeros((n, n)), np.zeros(n)

    def slope(change):
        values = []
        for sign in (1, -1):
            moved = machine.copy()
            change(moved, sign * step)
            values.append(objective(moved))
        return (values[0] - values[1]) / (2 * step)

    def move_coupling(machine, i, j, by):
        machine.J[i, j] += by
        machine.J[j, i] += by

    def move_bias(machine, i, by):
        machine.b[i] += by

    for i, j in itertools.combinations(range(n), 2):
        dJ[i, j] = dJ[j, i] = slope(lambda m, by, i=i, j=j: move_coupling(m, i, j, by))
    for i in range(n):
        db[i] = slope(lambda m, by, i=i: move_bias(m, i, by))
    return dJ, db


def mean_log_likelihood(machine, rows):
    """Mean log p(v) from the distribution of the visible units."""
    p = machine.visible_distribution()
    numbers = rows @ 2 ** np.arange(rows.shape[1])[::-1]
    return np.log(p[numbers]).mean()


def relative_error(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


# ---- the gradient


@pytest.mark.parametrize("n_hidden", [0, 1, 3])
def test_the_exact_gradient_is_the_slope_of_the_log_likelihood(n_hidden):
    machine = small_machine(n_hidden=n_hidden)

    dJ, db = ExactPhases().gradient(machine, ROWS)

    slope_J, slope_b = finite_differences(machine, lambda m: mean_log_likelihood(m, ROWS))
    assert relative_error(dJ, slope_J) < 1e-6
    assert relative_error(db, slope_b) < 1e-6


def test_the_gradient_is_symmetric_to_the_last_bit_with_a_zero_diagonal():
    rng = np.random.default_rng(0)
    for phases in (ExactPhases(), SampledPhases(n_chains=7)):
        dJ, _ = phases.gradient(small_machine(), ROWS, rng)

        np.testing.assert_array_equal(dJ, dJ.T)
        assert not np.diagonal(dJ).any()


def test_the_gradient_vanishes_where_the_machine_is_the_data():
    machine = BoltzmannMachine(np.zeros((3, 3)))  # the uniform distribution
    every_state = np.array(list(itertools.product([0, 1], repeat=3)))

    dJ, db = ExactPhases().gradient(machine, every_state)

    np.testing.assert_allclose(dJ, 0, atol=1e-15)
    np.testing.assert_allclose(db, 0, atol=1e-15)


def z_scores(machine, sampled, n_chains, n_copies):
    """Errors of the sampled gradient in standard errors, from exact moments and binomials."""
    exact = ExactPhases().gradient(machine, ROWS)
    scores = []
    for which in (0, 1):  # second moments, first moments
        model = machine.moments()[which]
        clamped = [machine.clamped_moments(row[None, :])[which] for row in ROWS]
        variance = model * (1 - model) / n_chains
        variance += sum(p * (1 - p) for p in clamped) / len(ROWS) ** 2 / n_copies
        off_diagonal = ~np.eye(len(model), dtype=bool) if which == 0 else slice(None)
        error = (sampled[which] - exact[which])[off_diagonal]
        scores.append((error / np.sqrt(variance)[off_diagonal]).ravel())
    return np.concatenate(scores)


@pytest.mark.parametrize("persistent", [True, False])
def test_the_sampled_gradient_is_the_exact_one_within_its_standard_errors(persistent):
    machine = small_machine()
    phases = SampledPhases(n_chains=20_000, n_sweeps=25, persistent=persistent)
    rows = np.repeat(ROWS, 5000, axis=0)

    sampled = phases.gradient(machine, rows, np.random.default_rng(1))

    z = z_scores(machine, sampled, n_chains=20_000, n_copies=5000)
    assert np.abs(z).max() < 4.5
    assert 0.5 < z.std() < 1.5  # errors of the size that the counts foretell


def test_persistent_chains_forget_their_start_and_fresh_ones_cannot():
    machine = small_machine(n_hidden=1, scale=2.0)  # strong couplings: one sweep is not enough
    errors = {}
    for persistent in (True, False):
        phases = SampledPhases(n_chains=20_000, n_sweeps=1, persistent=persistent)
        rng = np.random.default_rng(2)
        for _ in range(60):
            second, _ = phases.negative(machine, rng)
        errors[persistent] = np.abs(second - machine.moments()[0]).max()

    standard_error = math.sqrt(0.25 / 20_000)
    assert errors[True] < 4.5 * standard_error
    assert errors[False] > 10 * standard_error


# ---- training


def test_small_steps_never_lower_the_log_likelihood():
    history = train_boltzmann(
        small_machine(), ROWS, epochs=100, learning_rate=0.1, rng=np.random.default_rng(0)
    )

    assert (np.diff(history["log_likelihood"]) > 0).all()


def test_without_hidden_units_xor_cannot_be_told_from_noise():
    """All pairs of XOR's units look independent: the best machine of pairs is the uniform one."""
    machine = small_machine(n_hidden=0)

    history = train_boltzmann(
        machine, XOR, epochs=300, learning_rate=1.0, rng=np.random.default_rng(0)
    )

    assert (history["log_likelihood"] <= -math.log(8) + 1e-12).all()
    assert history["log_likelihood"][-1] == pytest.approx(-math.log(8), abs=1e-4)


def test_one_hidden_unit_learns_xor_up_to_its_entropy():
    machine = small_machine(n_hidden=1, seed=1, scale=1.0)

    history = train_boltzmann(
        machine, XOR, epochs=1000, learning_rate=0.5, momentum=0.9, rng=np.random.default_rng(0)
    )

    assert (history["log_likelihood"] < -math.log(4)).all()  # the entropy of four rows: a supremum
    assert history["log_likelihood"][-1] > -math.log(4) - 0.05
    assert mean_log_likelihood(machine, XOR) == pytest.approx(history["log_likelihood"][-1])


def test_two_hidden_units_learn_the_parity_of_four():
    rng = np.random.default_rng(4)
    machine = BoltzmannMachine.random(4, 2, rng, scale=1.0, dtype=np.float64)
    of_pairs = -math.log(16)  # as far as a machine without hidden units comes

    train_boltzmann(machine, PARITY_4, epochs=1500, learning_rate=0.5, momentum=0.9, rng=rng)

    assert of_pairs + 0.5 < mean_log_likelihood(machine, PARITY_4) < -math.log(8)


def test_sampled_phases_learn_what_another_machine_has_taught():
    rng = np.random.default_rng(3)
    teacher, pupil = small_machine(4, 0, seed=2, scale=1.5), small_machine(4, 2, seed=3, scale=0.1)
    states = np.array(list(itertools.product([0, 1], repeat=4)))
    p = teacher.distribution()
    entropy = -(p * np.log(p)).sum()
    rows = states[rng.choice(16, 2000, p=p)]
    start = p @ np.log(pupil.visible_distribution())

    train_boltzmann(
        pupil,
        rows,
        epochs=40,
        learning_rate=linear(0.3, 0.0, 40),
        batch_size=200,
        phases=SampledPhases(n_chains=500, n_sweeps=2),
        rng=rng,
    )

    # the expected log-likelihood of the teacher's states is at most minus their entropy
    assert start < -entropy - 0.25
    assert -entropy - 0.03 < p @ np.log(pupil.visible_distribution()) < -entropy


def test_one_step_is_the_rate_times_the_slope_of_the_penalised_likelihood():
    machine = small_machine()
    before = machine.copy()

    def penalised(machine):
        pairs = np.triu_indices(5, 1)
        return mean_log_likelihood(machine, ROWS) - 0.5 * 0.3 * (machine.J[pairs] ** 2).sum()

    train_boltzmann(
        machine, ROWS, epochs=1, learning_rate=0.2, weight_decay=0.3, rng=np.random.default_rng(0)
    )

    slope_J, slope_b = finite_differences(before, penalised)
    assert relative_error(machine.J - before.J, 0.2 * slope_J) < 1e-6
    assert relative_error(machine.b - before.b, 0.2 * slope_b) < 1e-6


def test_momentum_keeps_a_share_of_the_last_step():
    once, twice = small_machine(), small_machine()
    start = once.copy()
    train_boltzmann(once, ROWS, epochs=1, learning_rate=0.2, rng=np.random.default_rng(0))
    slope, _ = finite_differences(once, lambda m: mean_log_likelihood(m, ROWS))

    train_boltzmann(
        twice, ROWS, epochs=2, learning_rate=0.2, momentum=0.9, rng=np.random.default_rng(0)
    )

    second_step = 0.9 * (once.J - start.J) + 0.2 * slope
    assert relative_error(twice.J - once.J, second_step) < 1e-6


def test_each_minibatch_makes_a_step_of_its_own():
    machine = small_machine()
    rows = ROWS[:2]

    train_boltzmann(
        machine, rows, epochs=1, learning_rate=0.2, batch_size=1, rng=np.random.default_rng(0)
    )

    by_order = []
    for order in ([0, 1], [1, 0]):
        by_hand = small_machine()
        for row in order:
            dJ, db = ExactPhases().gradient(by_hand, rows[[row]])
            by_hand.J += 0.2 * dJ
            by_hand.b += 0.2 * db
        by_order.append(np.allclose(machine.J, by_hand.J, rtol=1e-12, atol=1e-15))
    assert sorted(by_order) == [False, True]


def test_a_schedule_sets_the_rate_of_each_epoch():
    machine = small_machine()

    # the rate falls to 0 in the second epoch, so that only the first one counts
    train_boltzmann(
        machine, ROWS, epochs=5, learning_rate=linear(0.2, 0.0, 1), rng=np.random.default_rng(0)
    )

    once = small_machine()
    train_boltzmann(once, ROWS, epochs=1, learning_rate=0.2, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(machine.J, once.J)


def test_a_machine_may_stay_restricted_while_it_learns():
    rng = np.random.default_rng(0)
    machine = BoltzmannMachine.random(3, 2, rng, lateral=False)

    train_boltzmann(machine, ROWS, epochs=5, connected=between_layers(3, 2), rng=rng)

    np.testing.assert_array_equal(machine.J != 0, between_layers(3, 2))


def test_float32_machines_stay_float32_and_symmetric():
    machine = small_machine(dtype=np.float32)
    rng = np.random.default_rng(0)

    train_boltzmann(machine, ROWS, epochs=20, momentum=0.9, phases=SampledPhases(), rng=rng)

    assert (machine.J.dtype, machine.b.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(machine.J, machine.J.T)
    assert not np.diagonal(machine.J).any()


def test_monitors_are_recorded_each_epoch():
    machine = small_machine()

    history = train_boltzmann(
        machine,
        ROWS,
        epochs=3,
        monitors={"bias": lambda machine: machine.b[0]},
        rng=np.random.default_rng(0),
    )

    assert history.names == ["log_likelihood", "bias"]
    assert history["bias"][-1] == machine.b[0]


def test_large_machines_train_without_the_exact_log_likelihood():
    rng = np.random.default_rng(0)
    machine = BoltzmannMachine.random(25, 3, rng)

    history = train_boltzmann(
        machine, rng.integers(0, 2, (10, 25)), epochs=2, phases=SampledPhases(10, 1), rng=rng
    )

    assert len(history) == 2
    assert history.names == []


def sticky_chains():
    """One sweep a step, so that chains with other starts would not soon fall in with each other."""
    return SampledPhases(n_chains=100, n_sweeps=1)


@pytest.mark.parametrize("phases", [ExactPhases, sticky_chains])
def test_a_resumed_run_ends_in_the_same_bits_as_one_never_stopped(tmp_path, phases):
    rows = np.random.default_rng(9).integers(0, 2, (23, 3))

    def run(epochs, seed=5, checkpoint=None):
        machine = small_machine(scale=2.0, dtype=np.float32)
        history = train_boltzmann(
            machine,
            rows,
            epochs=epochs,
            batch_size=5,
            momentum=0.8,
            phases=phases(),
            rng=np.random.default_rng(seed),
            checkpoint=checkpoint,
        )
        return machine, history["log_likelihood"]

    whole, whole_history = run(6)
    run(2, checkpoint=tmp_path / "run")
    resumed, resumed_history = run(6, seed=77, checkpoint=tmp_path / "run")

    np.testing.assert_array_equal(resumed.J, whole.J)
    np.testing.assert_array_equal(resumed.b, whole.b)
    np.testing.assert_array_equal(resumed_history, whole_history)


# ---- what is refused


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("phases", [ExactPhases(), SampledPhases()])
def test_divergence_stops_with_the_last_finite_machine(phases, batch_size):
    machine = small_machine(dtype=np.float32)
    before = machine.copy()

    with pytest.raises(DivergenceError, match="Boltzmann machine diverged in epoch 1"):
        train_boltzmann(
            machine,
            ROWS,
            epochs=3,
            learning_rate=1e41,
            batch_size=batch_size,
            phases=phases,
            rng=np.random.default_rng(0),
        )

    np.testing.assert_array_equal(machine.J, before.J)


def test_a_checkpoint_of_other_phases_is_refused(tmp_path):
    def run(phases):
        train_boltzmann(
            small_machine(),
            ROWS,
            epochs=1,
            phases=phases,
            rng=np.random.default_rng(0),
            checkpoint=tmp_path / "run",
        )

    run(SampledPhases(10, 1))
    with pytest.raises(StorageError, match="phases differ"):
        run(SampledPhases(10, 2))


def test_exact_phases_refuse_a_machine_too_large():
    machine = BoltzmannMachine(np.zeros((30, 30)), n_visible=28)

    with pytest.raises(NotNormalisableError, match=r"2 \*\* 30"):
        train_boltzmann(machine, np.zeros((2, 28)), epochs=1, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"v": ROWS - 1}, ValueError, "v must hold only 0 and 1, got -1"),
        ({"v": ROWS[:, :2]}, ValueError, "v must have length 3 along axis 1"),
        ({"learning_rate": -0.1}, ValueError, "learning_rate must be a finite number in [0"),
        ({"momentum": 1.5}, ValueError, "momentum must be a finite number in [0, 1]"),
        ({"weight_decay": "much"}, TypeError, "weight_decay must be a number"),
        ({"phases": "exact"}, TypeError, "phases must be ExactPhases() or SampledPhases(...)"),
        ({"connected": np.triu(np.ones((5, 5)))}, ValueError, "connected must be symmetric"),
        ({"connected": np.ones((3, 3))}, ValueError, "connected must have length 5"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"rng": 0}, TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    arguments = {"v": ROWS, "epochs": 1, "rng": np.random.default_rng(0)} | arguments

    with pytest.raises(error, match=re.escape(message)):
        train_boltzmann(small_machine(), arguments.pop("v"), **arguments)


def test_sampled_phases_need_a_generator():
    with pytest.raises(TypeError, match="default_rng"):
        SampledPhases().gradient(small_machine(), ROWS)


def test_counts_of_chains_and_sweeps_are_checked():
    with pytest.raises(ValueError, match="n_chains must be at least 1"):
        SampledPhases(n_chains=0)
    with pytest.raises(TypeError, match="n_sweeps must be a whole number"):
        SampledPhases(n_sweeps=0.5)
