"""Training an RBM: what each rule does, and that learning reaches the known optimum."""

import numpy as np
import pytest

from dbnlib.checks import DivergenceError
from dbnlib.data import bars_and_stripes, digits
from dbnlib.exact import log_likelihood
from dbnlib.gradients import CD, PCD, ExactGradient, cd_for
from dbnlib.rbm import RBM
from dbnlib.schedules import linear, step
from dbnlib.training import FORGETTING, train_rbm


@pytest.fixture
def data(rng):
    return rng.integers(0, 2, size=(10, 4)).astype(float)


def test_exact_training_on_bars_and_stripes_comes_within_a_twentieth_nat_of_the_supremum(rng):
    v = bars_and_stripes(3, distinct=False)
    rbm = RBM.random(9, 8, rng, scale=0.1, dtype=np.float64)
    train_rbm(
        rbm,
        v,
        epochs=2000,
        rng=rng,
        gradient=ExactGradient(),
        learning_rate=0.5,
        momentum=0.9,
        batch_size=16,
        monitors={},
    )
    # −2.5993 is the negative entropy of the 16 rows, two of which occur twice
    assert -2.5993 - 0.05 < log_likelihood(rbm, v).mean() < -2.5993


def test_one_step_of_plain_ascent_is_rate_times_gradient(rbm, data, rng):
    before = rbm.copy()
    estimator = ExactGradient()
    gradient = estimator.gradient(rbm, data, rng)
    train_rbm(rbm, data, epochs=1, rng=rng, gradient=estimator, learning_rate=0.2, momentum=0)
    np.testing.assert_allclose(rbm.W, before.W + 0.2 * gradient.W)
    np.testing.assert_allclose(rbm.b, before.b + 0.2 * gradient.b)
    np.testing.assert_allclose(rbm.c, before.c + 0.2 * gradient.c)


def test_momentum_and_weight_decay_follow_their_recurrence(rbm, data, rng):
    settings = {"learning_rate": 0.1, "momentum": step(0.5, 0.9, 1), "weight_decay": 0.3}
    W, b, c = rbm.W.copy(), rbm.b.copy(), rbm.c.copy()
    velocity = 0.0
    for momentum in (0.5, 0.9, 0.9):
        gradient = ExactGradient().gradient(RBM(W, b, c), data, rng)
        velocity = momentum * velocity + 0.1 * (gradient.W - 0.3 * W)
        b_c = (b, c)
        if momentum == 0.5:
            vb, vc = 0.1 * gradient.b, 0.1 * gradient.c
        else:
            vb, vc = 0.9 * vb + 0.1 * gradient.b, 0.9 * vc + 0.1 * gradient.c
        W, b, c = W + velocity, b_c[0] + vb, b_c[1] + vc
    train_rbm(rbm, data, epochs=3, rng=rng, gradient=ExactGradient(), **settings)
    np.testing.assert_allclose(rbm.W, W)
    np.testing.assert_allclose(rbm.b, b)
    np.testing.assert_allclose(rbm.c, c)


@pytest.mark.parametrize("estimator", [CD(1), CD(5), PCD(1, n_chains=100)], ids=repr)
@pytest.mark.parametrize("centred", [False, True], ids=["plain", "centred"])
def test_every_estimator_raises_the_exact_likelihood(estimator, centred, rng):
    v = bars_and_stripes(3, distinct=False)
    rbm = RBM.random(9, 8, rng, scale=0.1)
    before = log_likelihood(rbm, v).mean()
    train_rbm(
        rbm,
        v,
        epochs=3000,
        rng=rng,
        gradient=estimator,
        learning_rate=linear(0.1, 0.0, 3000),
        batch_size=16,
        centred=centred,
        monitors={},
    )
    assert before < -6
    assert log_likelihood(rbm, v).mean() > -4.2


def test_a_sparsity_target_is_approached(rng):
    v = digits().images[:500]
    activity = {}
    for target in (None, 0.1):
        rbm = RBM.random(64, 30, np.random.default_rng(0), data=v)
        train_rbm(rbm, v, epochs=20, rng=rng, sparsity=target, sparsity_cost=1.0)
        activity[target] = rbm.hidden_mean(v).mean()
    assert activity[None] > 0.3
    assert activity[0.1] == pytest.approx(0.1, abs=0.05)


def test_weight_decay_shrinks_the_weights(rng):
    v = digits().images[:500]
    norms = []
    for weight_decay in (0.0, 0.1):
        rbm = RBM.random(64, 30, np.random.default_rng(0), data=v)
        train_rbm(rbm, v, epochs=10, rng=rng, weight_decay=weight_decay)
        norms.append(np.linalg.norm(rbm.W))
    assert norms[1] < 0.8 * norms[0]


@pytest.mark.parametrize("units", ["gaussian", "relu"])
def test_layers_of_other_units_learn_too(units, rng):
    v = digits().images[:500]
    v = (v - v.mean()) / v.std() if units == "gaussian" else v
    rbm = RBM.random(64, 30, rng, data=v, visible=units)
    history = train_rbm(rbm, v, epochs=50, rng=rng, learning_rate=0.01)
    assert history["reconstruction_error"][-1] < 0.7 * history["reconstruction_error"][0]


def test_float32_parameters_stay_float32(rng):
    rbm = RBM.random(4, 3, rng)
    v = np.ones((5, 4))
    train_rbm(rbm, v, epochs=2, rng=rng, weight_decay=0.1, sparsity=0.1, centred=True)
    assert {rbm.W.dtype, rbm.b.dtype, rbm.c.dtype} == {np.dtype(np.float32)}


def test_the_same_seed_gives_the_same_bits():
    results = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        rbm = RBM.random(64, 20, rng)
        train_rbm(rbm, digits().images[:300], epochs=2, rng=rng, gradient=PCD(1))
        results.append(rbm.W)
    np.testing.assert_array_equal(*results)


def test_watching_does_not_change_what_is_learned(rbm, data):
    results = []
    for monitors in ({}, ["reconstruction_error", "log_likelihood", "pseudo_log_likelihood"]):
        machine = rbm.copy()
        train_rbm(machine, data, epochs=3, rng=np.random.default_rng(1), monitors=monitors)
        results.append(machine.W)
    np.testing.assert_array_equal(*results)


def test_divergence_is_named_and_leaves_the_last_finite_epoch(rng):
    v = 10 * rng.normal(size=(200, 6))
    rbm = RBM.random(6, 4, rng, visible="gaussian", hidden="relu")
    with pytest.raises(DivergenceError, match=r"layer 7 diverged in epoch \d+.*standardise"):
        train_rbm(rbm, v, epochs=300, rng=rng, learning_rate=1.0, batch_size=10, name="layer 7")
    assert np.isfinite(rbm.W).all()


def test_the_callers_data_is_left_alone(rbm, data, rng):
    before = data.copy()
    train_rbm(rbm, data, epochs=2, rng=rng)
    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -0.1}, "learning_rate must be a finite number in"),
        ({"momentum": 1.5}, "momentum must be a finite number in"),
        ({"weight_decay": -1.0}, "weight_decay must be a finite number in"),
        ({"sparsity": 2.0}, "sparsity must be a finite number in"),
        ({"epochs": -1}, "epochs must be at least 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"gradient": CD}, "gradient must be CD"),
        ({"rng": 3}, "rng must be a numpy.random.Generator"),
        ({"monitors": ["loss"]}, "unknown monitor 'loss'"),
        ({"monitors": ["free_energy_gap"]}, "needs rows that are held out"),
        ({"held_out": np.ones((2, 5))}, "held_out must have length 4 along axis 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_settings_out_of_range_are_refused(settings, message, rbm, data, rng):
    with pytest.raises((ValueError, TypeError), match=message):
        train_rbm(rbm, data, **{"epochs": 1, "rng": rng, **settings})


def test_the_centred_gradient_learns_inverted_images_as_well_as_plain_ones():
    # without it, images that are mostly on are learned far worse than their negatives
    v = bars_and_stripes(3, distinct=False)
    mostly_on = np.concatenate([np.maximum(v, np.roll(v, 1, axis=0)), np.ones_like(v)])
    settings = {"epochs": 300, "learning_rate": 0.1, "gradient": ExactGradient(), "monitors": {}}
    gap = {}
    for centred in (False, True):
        reached = []
        for rows in (mostly_on, 1 - mostly_on):
            rbm = RBM.random(9, 6, np.random.default_rng(0), scale=0.1, dtype=np.float64)
            rng = np.random.default_rng(1)
            train_rbm(rbm, rows, rng=rng, centred=centred, batch_size=32, **settings)
            reached.append(log_likelihood(rbm, rows).mean())
        gap[centred] = reached[1] - reached[0]
    assert abs(gap[True]) < 0.5 * abs(gap[False])


def test_one_centred_step_is_the_step_of_the_centred_gradient(rbm, data, rng):
    before = rbm.copy()
    plain = ExactGradient().gradient(before, data, rng)
    # the offsets after one batch: both means have moved by FORGETTING towards the batch
    h_start = before.hidden.mean(before.c[None, :])[0]
    v_offset = data.mean(axis=0)
    h_offset = h_start + FORGETTING * (plain.h_data - h_start)
    W = plain.W - np.outer(v_offset, plain.c) - np.outer(plain.b, h_offset)
    train_rbm(
        rbm,
        data,
        epochs=1,
        rng=rng,
        gradient=ExactGradient(),
        learning_rate=0.2,
        momentum=0,
        centred=True,
    )
    np.testing.assert_allclose(rbm.W, before.W + 0.2 * W)
    np.testing.assert_allclose(rbm.b, before.b + 0.2 * (plain.b - W @ h_offset))
    np.testing.assert_allclose(rbm.c, before.c + 0.2 * (plain.c - W.T @ v_offset))


def test_one_sparse_step_pulls_biases_and_weights_towards_the_target(rbm, data, rng):
    before = rbm.copy()
    plain = ExactGradient().gradient(before, data, rng)
    h_start = before.hidden.mean(before.c[None, :])[0]
    excess = 0.1 - (h_start + FORGETTING * (plain.h_data - h_start))
    train_rbm(
        rbm,
        data,
        epochs=1,
        rng=rng,
        gradient=ExactGradient(),
        learning_rate=0.2,
        momentum=0,
        sparsity=0.1,
        sparsity_cost=0.5,
    )
    pull = np.outer(data.mean(axis=0), excess)
    np.testing.assert_allclose(rbm.W, before.W + 0.2 * (plain.W + 0.5 * pull))
    np.testing.assert_allclose(rbm.c, before.c + 0.2 * (plain.c + 0.5 * excess))


def test_divergence_inside_the_exact_gradient_is_divergence_too(rng):
    v = bars_and_stripes(2)
    rbm = RBM.random(4, 3, rng, dtype=np.float64)
    with pytest.raises(DivergenceError, match="RBM diverged"):
        train_rbm(
            rbm,
            v,
            epochs=3000,
            rng=rng,
            gradient=ExactGradient(),
            learning_rate=1e307,
            weight_decay=10.0,
            batch_size=2,
            monitors={},
        )
    assert np.isfinite(rbm.W).all()


def test_rows_in_column_order_are_trained_on_as_fast_and_to_the_same_bits(rbm, data):
    results = []
    for rows in (data, np.asfortranarray(data)):
        machine = rbm.copy()
        train_rbm(machine, rows, epochs=2, rng=np.random.default_rng(1))
        results.append(machine.W)
    np.testing.assert_array_equal(*results)


def test_grey_rows_get_means_in_the_negative_phase_and_binary_rows_draws(rbm, data):
    assert not cd_for(rbm, 0.5 * data).sample_visible
    assert cd_for(rbm, data).sample_visible


def test_draws_against_grey_rows_make_the_weights_shrink(rng):
    v = digits().images[:1000]
    norms = []
    for sample_visible in (True, False):
        rbm = RBM.random(64, 100, np.random.default_rng(0), data=v)
        estimator = CD(1, sample_visible=sample_visible)
        train_rbm(rbm, v, epochs=30, rng=rng, gradient=estimator, batch_size=50)
        norms.append(np.linalg.norm(rbm.W))
    assert norms[0] < 0.8 * norms[1]
