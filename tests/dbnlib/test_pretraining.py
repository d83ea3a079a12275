"""Greedy pretraining: each layer learns from what the one below passes up."""

import numpy as np
import pytest

from dbnlib.bound import exact_bound
from dbnlib.checks import DivergenceError
from dbnlib.data import bars_and_stripes, digits
from dbnlib.loop import InterruptedTrainingWarning
from dbnlib.pretraining import pretrain_dbn
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm


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
