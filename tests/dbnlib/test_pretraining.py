"""Greedy pretraining: each layer learns from what the one below passes up."""

import numpy as np
import pytest

from dbnlib.bound import exact_bound, exact_log_likelihood
from dbnlib.checks import DivergenceError
from dbnlib.data import bars_and_stripes, digits
from dbnlib.dbn import DBN
from dbnlib.exact import log_likelihood
from dbnlib.groups import Groups
from dbnlib.loop import InterruptedTrainingWarning
from dbnlib.pretraining import pretrain_dbn, upside_down
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm
from dbnlib.units import Bernoulli, Softmax


@pytest.fixture
def v():
    return digits().images[:200]


def test_each_layer_is_trained_on_the_means_of_the_one_below(v):
    dbn, histories = pretrain_dbn(v, [20, 10], rng=np.random.default_rng(0), epochs=2)
    assert [len(history) for history in histories] == [2, 2]

    # the same by hand, drawing from the generators in the same order
    rng = np.random.default_rng(0)
    first = RBM.random(64, 20, rng, data=v)
    train_rbm(first, v, epochs=2, rng=rng.spawn(2)[0])
    h = first.hidden_mean(v)
    second = RBM.random(20, 10, rng, data=h)
    train_rbm(second, h, epochs=2, rng=rng.spawn(2)[0])
    np.testing.assert_array_equal(dbn.rbms[1].W, second.W)


def test_samples_upward_are_zeros_and_ones(v, monkeypatch):
    seen = []
    import dbnlib.pretraining as module

    def spy(rbm, rows, **settings):
        seen.append(rows)
        return train_rbm(rbm, rows, **settings)

    monkeypatch.setattr(module, "train_rbm", spy)
    pretrain_dbn(v, [20, 10], rng=np.random.default_rng(0), epochs=1, upward="sample")
    assert np.isin(seen[1], (0, 1)).all()


def test_a_second_layer_raises_the_bound_of_a_small_network(rng):
    v = bars_and_stripes(3, distinct=False)
    settings = {"learning_rate": 0.05, "batch_size": 16, "dtype": np.float64}
    dbn, _ = pretrain_dbn(v, [5, 9], rng=rng, epochs=[3000, 0], start="transposed", **settings)
    before = exact_bound(dbn, v).mean()
    train_rbm(
        dbn.top,
        dbn.up(np.repeat(v, 50, axis=0), depth=1, rng=rng)[0],
        epochs=300,
        rng=rng,
        learning_rate=0.02,
        monitors={},
    )
    assert exact_bound(dbn, v).mean() > before + 0.02


def test_transposed_start_takes_weights_and_swapped_biases(v):
    dbn, _ = pretrain_dbn(
        v, [20, 64], rng=np.random.default_rng(0), epochs=[2, 0], start="transposed"
    )
    lower, upper = dbn.rbms
    np.testing.assert_array_equal(upper.W, lower.W.T)
    np.testing.assert_array_equal(upper.b, lower.c)
    np.testing.assert_array_equal(upper.c, lower.b)


@pytest.mark.parametrize("n_hidden", [4, 7])
def test_further_units_without_weights_leave_likelihood_and_bound_where_they_were(n_hidden, rng):
    lower = RBM(rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3))
    dbn = DBN([lower, upside_down(lower, Bernoulli(n_hidden), rng, scale=0.0)])
    states = Bernoulli(4).states(0, 16)
    expected = log_likelihood(lower, states)
    np.testing.assert_allclose(exact_log_likelihood(dbn, states), expected, atol=1e-10)
    np.testing.assert_allclose(exact_bound(dbn, states), expected, atol=1e-10)


def test_a_wider_layer_starts_upside_down_with_further_small_weights(v):
    settings = {"epochs": [2, 0], "start": "transposed", "scale": 0.05}
    dbn, _ = pretrain_dbn(v, [20, 100], rng=np.random.default_rng(0), **settings)
    lower, upper = dbn.rbms
    np.testing.assert_array_equal(upper.W[:, :64], lower.W.T)
    np.testing.assert_array_equal(upper.c, np.append(lower.b, np.zeros(36, np.float32)))
    # 720 weights: the standard error of their spread is 0.0013
    assert upper.W[:, 64:].std() == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize("kinds", ["bernoulli", ["bernoulli", "relu"]], ids=str)
def test_a_layer_that_does_not_fit_starts_at_random(kinds, v):
    size = 63 if kinds == "bernoulli" else 64
    settings = {"epochs": 0, "start": "transposed", "hidden": kinds, "scale": 0.0}
    dbn, _ = pretrain_dbn(v, [20, size], rng=np.random.default_rng(0), **settings)
    assert not dbn.top.c.any()


def test_settings_may_differ_by_layer(v):
    settings = [{"learning_rate": 0.0}, {"learning_rate": 0.1}]
    dbn, _ = pretrain_dbn(
        v, [20, 10], rng=np.random.default_rng(0), epochs=2, layer_settings=settings
    )
    untouched, _ = pretrain_dbn(v, [20, 10], rng=np.random.default_rng(0), epochs=0)
    np.testing.assert_array_equal(dbn.rbms[0].W, untouched.rbms[0].W)
    assert (dbn.rbms[1].W != untouched.rbms[1].W).all()


def test_a_resumed_run_ends_in_the_same_bits(v, tmp_path):
    def run(epochs, folder):
        rng = np.random.default_rng(0)
        dbn, _ = pretrain_dbn(
            v, [20, 10], rng=rng, epochs=epochs, checkpoint=folder, upward="sample"
        )
        return [rbm.W for rbm in dbn.rbms]

    straight = run([3, 3], None)
    run([3, 1], tmp_path / "run")
    for one, other in zip(straight, run([3, 3], tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_in_the_first_layer_leaves_a_whole_network(v):
    def interrupt(rbm):
        raise KeyboardInterrupt

    with pytest.warns(InterruptedTrainingWarning, match="layer 1 of 3"):
        dbn, histories = pretrain_dbn(
            v, [20, 10, 5], rng=np.random.default_rng(0), monitors={"x": interrupt}
        )
    assert [history.interrupted for history in histories] == [True, True, True]
    assert [len(history) for history in histories] == [0, 0, 0]
    assert dbn.up(v)[-1].shape == (200, 5)


def test_divergence_names_the_layer(rng):
    v = 100 * rng.normal(size=(100, 5))
    with pytest.raises(DivergenceError, match="layer 1 of 2 diverged"):
        pretrain_dbn(
            v, [6, 3], rng=rng, epochs=100, visible="gaussian", hidden="relu", learning_rate=1.0
        )


def test_grey_pixels_through_gaussian_units_learn_with_the_default_rate(rng):
    v = digits().images
    standardised = (v - v.mean()) / v.std()
    _, histories = pretrain_dbn(standardised, [30, 10], rng=rng, epochs=30, visible="gaussian")
    error = histories[0]["reconstruction_error"]
    # without a layer to learn from, the error of the mean image stays where it is
    assert error[-1] < 0.8 * error[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_sizes": []}, "hidden_sizes is empty"),
        ({"hidden_sizes": [4, 0]}, "each of hidden_sizes must be at least 1"),
        ({"hidden_sizes": [4, 2.5]}, "must be a whole number"),
        ({"epochs": [1]}, "epochs has 1 entries for 2 layers"),
        ({"start": "copy"}, "start must be one of 'random', 'transposed'"),
        ({"upward": "both"}, "upward must be one of"),
        ({"v": np.full((3, 4), 2.0)}, "v must lie between 0 and 1"),
        ({"v": [[np.nan]]}, "NaN or infinite"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_wrong_settings_are_explained(settings, message, rng, v):
    with pytest.raises((ValueError, TypeError), match=message):
        pretrain_dbn(**{"v": v, "hidden_sizes": [4, 3], "rng": rng, **settings})


# ---- labels in the top RBM


@pytest.fixture
def bars_or_stripes():
    """Images of 3x3 pixels, 20 of each kind of bar (class 0) and of stripe (class 1)."""
    bars, stripes = np.split(bars_and_stripes(3, distinct=False), 2)
    images = np.concatenate([bars[1:-1], stripes[1:-1]])
    return np.tile(images, (20, 1)), np.tile(np.repeat([0, 1], 6), 20)


@pytest.fixture
def spied(monkeypatch):
    """What each layer is trained on, one entry a layer: (RBM, rows, held-out rows)."""
    seen = []

    def spy(rbm, rows, **settings):
        seen.append((rbm, rows.copy(), settings["held_out"]))
        return train_rbm(rbm, rows, **settings)

    monkeypatch.setattr("dbnlib.pretraining.train_rbm", spy)
    return seen


@pytest.mark.parametrize("upward", ["mean", "sample"])
def test_labels_stand_one_hot_beside_the_features_of_the_top_rbm_only(
    upward, bars_or_stripes, spied
):
    v, y = bars_or_stripes
    settings = {"labels": y, "held_out": v[:5], "held_out_labels": [1, 0, 0, 1, 0]}
    rng = np.random.default_rng(0)
    dbn, _ = pretrain_dbn(v, [5, 6, 4], rng=rng, epochs=1, upward=upward, **settings)
    assert [rows.shape[1] for _, rows, _ in spied] == [9, 5, 8]
    assert dbn.n_labels == 2
    assert dbn.top.visible == Groups([Bernoulli(6), Softmax(2)])
    _, rows, held_out = spied[-1]
    np.testing.assert_array_equal(rows[:, 6:], np.eye(2)[y])
    np.testing.assert_array_equal(held_out[:, 6:], np.eye(2)[[1, 0, 0, 1, 0]])


def test_the_label_starts_with_the_frequencies_of_the_classes(bars_or_stripes):
    v, _ = bars_or_stripes
    y = np.repeat([0, 1, 2], [120, 60, 60])
    rng = np.random.default_rng(0)
    dbn, _ = pretrain_dbn(v, [5, 6], rng=rng, epochs=0, labels=y, scale=0.0)
    expected = np.tile([0.5, 0.25, 0.25], (240, 1))
    np.testing.assert_allclose(dbn.label_probabilities(v), expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_classes_are_learned_and_can_be_drawn(seed, bars_or_stripes):
    v, y = bars_or_stripes
    rng = np.random.default_rng(seed)
    settings = {"upward": "sample", "batch_size": 12, "scale": 0.1, "monitors": {}}
    dbn, _ = pretrain_dbn(v, [10, 20], rng=rng, epochs=100, labels=y, **settings)
    assert (dbn.label_probabilities(v).argmax(axis=1) == y).all()
    images = dbn.sample(400, rng, labels=np.arange(400) % 2, n_steps=200).reshape(-1, 3, 3)
    # in a bar all rows are alike, in a stripe all columns
    between_rows = np.ptp(images, axis=1).sum(axis=1)
    between_columns = np.ptp(images, axis=2).sum(axis=1)
    is_stripe = between_rows > between_columns
    assert (is_stripe == np.arange(400) % 2).mean() > 0.8


def test_a_transposed_start_with_a_label_leaves_the_likelihood_where_it_was(bars_or_stripes):
    v, y = bars_or_stripes
    settings = {"start": "transposed", "labels": y, "dtype": np.float64, "scale": 0.5}
    rng = np.random.default_rng(0)
    dbn, _ = pretrain_dbn(v, [6, 9], rng=rng, epochs=[20, 0], **settings)
    assert dbn.n_labels == 2
    expected = log_likelihood(dbn.rbms[0], v[:12])
    np.testing.assert_allclose(exact_log_likelihood(dbn, v[:12]), expected, atol=1e-10)
    np.testing.assert_allclose(exact_bound(dbn, v[:12]), expected, atol=1e-10)
    np.testing.assert_allclose(dbn.label_probabilities(v), 0.5)


def test_a_transposed_start_learns_the_label_too(bars_or_stripes):
    v, y = bars_or_stripes
    settings = {"start": "transposed", "upward": "sample", "batch_size": 12, "scale": 0.1}
    shares = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        dbn, _ = pretrain_dbn(v, [12, 9], rng=rng, epochs=[60, 400], labels=y, **settings)
        shares.append((dbn.label_probabilities(v).argmax(axis=1) == y).mean())
    assert np.mean(shares) > 0.85


def test_a_resumed_run_with_labels_ends_in_the_same_bits(bars_or_stripes, tmp_path):
    v, y = bars_or_stripes

    def run(epochs, folder):
        rng = np.random.default_rng(0)
        settings = {"labels": y, "checkpoint": folder, "upward": "sample"}
        dbn, _ = pretrain_dbn(v, [5, 4], rng=rng, epochs=epochs, **settings)
        return dbn.top.W

    run([3, 1], tmp_path / "run")
    np.testing.assert_array_equal(run([3, 3], tmp_path / "run"), run([3, 3], None))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_sizes": [4], "labels": np.zeros(200)}, "give at least two hidden_sizes"),
        ({"labels": np.zeros(199)}, "labels must have length 200"),
        ({"labels": np.full(200, 0.5)}, "labels must be whole numbers"),
        ({"labels": np.full(200, -1)}, "labels must be whole numbers"),
        ({"labels": ["a"] * 200}, "labels must hold real numbers"),
        ({"labels": np.zeros(200), "held_out": np.zeros((3, 64))}, "held_out_labels go together"),
        ({"labels": np.zeros(200), "held_out_labels": [0]}, "held_out_labels go together"),
        ({"held_out": np.zeros((3, 64)), "held_out_labels": [0] * 3}, "without labels to learn"),
        (
            {"labels": np.zeros(200), "held_out": np.zeros((3, 64)), "held_out_labels": [0, 1, 0]},
            "held_out_labels must be whole numbers from 0 to 0",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_wrong_labels_are_explained(settings, message, rng, v):
    with pytest.raises((ValueError, TypeError), match=message):
        pretrain_dbn(**{"v": v, "hidden_sizes": [4, 3], "rng": rng, "epochs": 1, **settings})


def test_a_narrower_layer_cannot_start_upside_down(rng):
    below = RBM(rng.normal(size=(4, 3)))
    with pytest.raises(ValueError, match="has 4 hidden units"):
        upside_down(below, Bernoulli(3), rng)


def test_ctrl_c_between_two_layers_leaves_a_whole_network(v, monkeypatch):
    from dbnlib import pretraining

    original, calls = pretraining._carry_up, []

    def interrupted_once(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(pretraining, "_carry_up", interrupted_once)
    with pytest.warns(InterruptedTrainingWarning, match="by Ctrl-C after layer 1 of 2; the layers"):
        dbn, histories = pretrain_dbn(v, [5, 3], epochs=2, rng=np.random.default_rng(0))
    assert [len(history) for history in histories] == [2, 0]
    assert [history.interrupted for history in histories] == [False, True]
    assert dbn.n_layers == 2


@pytest.mark.parametrize("settings", [{"hidden": ["bernoulli", "bogus"]}, {"epochs": [1, -1]}])
def test_what_is_wrong_above_is_said_before_the_first_layer_is_trained(settings, v, monkeypatch):
    monkeypatch.setattr("dbnlib.pretraining.train_rbm", None)  # would be a TypeError
    with pytest.raises(ValueError, match="units must be one of|epochs must be at least 0"):
        pretrain_dbn(v, [5, 3], rng=np.random.default_rng(0), **settings)


def test_a_generator_that_cannot_spawn_is_explained(v):
    old = np.random.Generator(np.random.RandomState(0)._bit_generator)
    with pytest.raises(TypeError, match=r"write rng=numpy.random.default_rng\(seed\)"):
        pretrain_dbn(v, [5], rng=old)
