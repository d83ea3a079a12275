"""Wake-sleep: its rules against derivatives, its whole against the exact bound of a small DBN."""

import numpy as np
import pytest

from dbnlib import updown
from dbnlib.bound import exact_bound
from dbnlib.checks import DivergenceError
from dbnlib.dbn import DBN
from dbnlib.gradients import CD, PCD, ExactGradient
from dbnlib.groups import Groups
from dbnlib.loop import InterruptedTrainingWarning
from dbnlib.patterns import bars_and_stripes
from dbnlib.pretraining import pretrain_dbn
from dbnlib.rbm import RBM
from dbnlib.tempering import PT
from dbnlib.units import Bernoulli, Gaussian, ReLU, Softmax
from dbnlib.updown import learn_down, learn_up, wake_sleep


def random_rbm(rng, n_visible, n_hidden, **units):
    W = rng.normal(size=(n_visible, n_hidden))
    return RBM(W, rng.normal(size=n_visible), rng.normal(size=n_hidden), **units)


@pytest.fixture
def dbn(rng):
    """5 – 4 – 4 – 3 units and one of two labels, ways up and down of their own, float64."""
    lower = [random_rbm(rng, 5, 4), random_rbm(rng, 4, 4)]
    top = random_rbm(rng, 6, 3, visible=Groups([Bernoulli(4), Softmax(2)]))
    return DBN([*lower, top], [random_rbm(rng, 5, 4), random_rbm(rng, 4, 4)])


@pytest.fixture
def plain(rng):
    """5 – 4 – 3 units without a label, untied, float64."""
    return DBN([random_rbm(rng, 5, 4), random_rbm(rng, 4, 3)]).untied()


@pytest.fixture
def v(rng):
    return rng.integers(0, 2, size=(20, 5)).astype(float)


@pytest.fixture
def labels(rng):
    return rng.integers(0, 2, size=20)


def weights(dbn):
    """All arrays of the network, in one list."""
    return [array.copy() for rbm in dbn.rbms + dbn.recognition for array in (rbm.W, rbm.b, rbm.c)]


# ---- the two rules


@pytest.mark.parametrize("units", [Bernoulli(5), Gaussian(5), ReLU(5), Softmax(5)], ids=repr)
def test_the_rule_of_the_way_down_is_the_derivative_of_the_log_probability(
    units, rng, finite_difference
):
    down = random_rbm(rng, 5, 4, visible=units)
    above = rng.integers(0, 2, size=(7, 4)).astype(float)
    below = units.sample(down.visible_field(above), rng)

    def mean_log_probability():
        return np.diagonal(units.log_probability(below, down.visible_field(above))).mean()

    expected = [finite_difference(mean_log_probability, array) for array in (down.W, down.b)]
    before = down.copy()
    learn_down(down, below, above, 0.25)
    np.testing.assert_allclose(down.W - before.W, 0.25 * expected[0], atol=1e-8)
    np.testing.assert_allclose(down.b - before.b, 0.25 * expected[1], atol=1e-8)
    np.testing.assert_array_equal(down.c, before.c)


@pytest.mark.parametrize("units", [Bernoulli(4), Gaussian(4), ReLU(4)], ids=repr)
def test_the_rule_of_the_way_up_is_the_derivative_of_the_log_probability(
    units, rng, finite_difference
):
    up = random_rbm(rng, 5, 4, hidden=units)
    below = rng.integers(0, 2, size=(7, 5)).astype(float)
    above = units.sample(up.hidden_field(below), rng)

    def mean_log_probability():
        return np.diagonal(units.log_probability(above, up.hidden_field(below))).mean()

    expected = [finite_difference(mean_log_probability, array) for array in (up.W, up.c)]
    before = up.copy()
    learn_up(up, below, above, 0.25)
    np.testing.assert_allclose(up.W - before.W, 0.25 * expected[0], atol=1e-8)
    np.testing.assert_allclose(up.c - before.c, 0.25 * expected[1], atol=1e-8)
    np.testing.assert_array_equal(up.b, before.b)


# ---- wake, top and sleep


def test_the_mean_wake_step_is_the_gradient_of_the_bound(plain, rng, finite_difference):
    v = plain.rbms[0].visible.states(3, 9)
    down, up = plain.rbms[0], plain.recognition[0]
    expected = finite_difference(lambda: exact_bound(plain, v).mean(), down.W)
    rows = np.tile(v, (40_000, 1))
    before = down.W.copy()
    learn_down(down, rows, up.sample_hidden(rows, rng), 1.0)
    assert abs(expected).max() > 0.1
    # 240,000 draws: standard errors of 0.001
    np.testing.assert_allclose(down.W - before, expected, atol=0.006)


def test_wake_steps_alone_raise_the_exact_bound(plain, rng):
    v = plain.rbms[0].visible.states(3, 9)
    down, up = plain.rbms[0], plain.recognition[0]
    rows = np.tile(v, (50, 1))
    bounds = [exact_bound(plain, v).mean()]
    for _ in range(20):
        learn_down(down, rows, up.sample_hidden(rows, rng), 0.2)
        bounds.append(exact_bound(plain, v).mean())
    assert bounds[-1] > bounds[0] + 0.1
    assert (np.diff(bounds) > 0).mean() > 0.7


def test_one_step_is_wake_then_top_then_sleep(dbn, v, labels):
    # the same by hand, drawing from the generator in the same order
    by_hand, rng, rate = dbn.untied(), np.random.default_rng(5), 0.1
    order = rng.permutation(20)
    v0, one_hot = v[order], np.eye(2)[labels[order]]
    (down1, down2, top), (up1, up2) = by_hand.rbms, by_hand.recognition
    h1 = up1.sample_hidden(v0, rng)
    h2 = up2.sample_hidden(h1, rng)
    for down, below, above in ((down1, v0, h1), (down2, h1, h2)):
        missing = below - down.visible_mean(above)
        down.W += rate * missing.T @ above / 20
        down.b += rate * missing.mean(axis=0)
    data = np.hstack([h2, one_hot])
    h3 = top.sample_hidden(data, rng)
    fantasy = top.sample_visible(h3, rng)
    p0, p1 = top.hidden_mean(data), top.hidden_mean(fantasy)
    top.W += 0.05 * (data.T @ p0 - fantasy.T @ p1) / 20
    top.b += 0.05 * (data - fantasy).mean(axis=0)
    top.c += 0.05 * (p0 - p1).mean(axis=0)
    d2 = fantasy[:, :4]
    d1 = down2.sample_visible(d2, rng)
    d0 = down1.sample_visible(d1, rng)
    for up, below, above in ((up2, d1, d2), (up1, d0, d1)):
        missing = above - up.hidden_mean(below)
        up.W += rate * below.T @ missing / 20
        up.c += rate * missing.mean(axis=0)

    wake_sleep(
        dbn,
        v,
        labels,
        epochs=1,
        rng=np.random.default_rng(5),
        learning_rate=rate,
        top_learning_rate=0.05,
        gradient=CD(1),
    )
    for found, expected in zip(weights(dbn), weights(by_hand), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_each_minibatch_is_a_step_of_its_own_in_every_epoch(dbn, v, labels, monkeypatch):
    sizes = []

    def spy(down, below, above, rate):
        sizes.append((len(below), round(rate, 3)))

    monkeypatch.setattr(updown, "learn_down", spy)
    wake_sleep(
        dbn,
        v,
        labels,
        epochs=2,
        rng=np.random.default_rng(0),
        batch_size=8,
        learning_rate=lambda epoch: 0.1 / (1 + epoch),
    )
    # batches of 8, 8 and 4, two lower layers each
    per_epoch = [8, 8, 8, 8, 4, 4]
    assert sizes == [(n, 0.1) for n in per_epoch] + [(n, 0.05) for n in per_epoch]


@pytest.mark.parametrize("grey", [False, True], ids=["binary", "grey"])
def test_what_is_dreamt_is_of_the_kind_of_the_data(grey, plain, v, rng, monkeypatch):
    dreamt = []

    def spy(up, below, above, rate):
        dreamt.append(below)

    monkeypatch.setattr(updown, "learn_up", spy)
    wake_sleep(plain, 0.5 * v if grey else v, epochs=1, rng=rng)
    assert np.isin(dreamt[0], (0, 1)).all() != grey
    assert ((dreamt[0] >= 0) & (dreamt[0] <= 1)).all()


def test_the_way_up_and_the_way_down_stay_apart(dbn, v, labels, rng):
    wake_sleep(dbn, v, labels, epochs=1, rng=rng)
    assert not dbn.tied
    for down, up in zip(dbn.rbms, dbn.recognition, strict=False):
        assert not np.shares_memory(down.W, up.W)
        assert (down.W != up.W).all()


# ---- a whole run


@pytest.mark.parametrize("seed", range(3))
def test_fine_tuning_raises_the_exact_bound_and_lowers_the_label_error(seed):
    # bars are class 0, stripes class 1; all-off and all-on, which are both, are left out
    bars, stripes = np.split(bars_and_stripes(3, distinct=False), 2)
    v = np.concatenate([bars[1:-1], stripes[1:-1]])
    rows, labels = np.tile(v, (20, 1)), np.tile(np.repeat([0, 1], 6), 20)
    rng = np.random.default_rng(seed)
    settings = {"rng": rng, "batch_size": 12}
    # pretrained for a short time, so that something is left to be learned
    dbn, _ = pretrain_dbn(
        rows, [8, 10], epochs=20, labels=labels, upward="sample", scale=0.1, **settings
    )
    dbn = dbn.untied()
    before = exact_bound(dbn, v).mean()
    history = wake_sleep(dbn, rows, labels, epochs=200, learning_rate=0.05, **settings)
    assert exact_bound(dbn, v).mean() > before + 0.8
    assert history["label_error"][0] > 0.3
    assert history["label_error"][-1] < 0.2
    assert history["reconstruction_error"][-1] < 0.8 * history["reconstruction_error"][0]


@pytest.mark.parametrize("make", [CD, PCD, PT, lambda: PCD(n_chains=7)])
def test_a_resumed_run_ends_in_the_same_bits(make, dbn, v, labels, tmp_path):
    def run(epochs, checkpoint):
        rng, model = np.random.default_rng(3), dbn.untied()
        history = wake_sleep(
            model,
            v,
            labels,
            epochs=epochs,
            rng=rng,
            gradient=make(),
            batch_size=8,
            checkpoint=checkpoint,
        )
        return [*weights(model), history["reconstruction_error"], rng.random(3)]

    straight = run(6, None)
    run(2, tmp_path / "run.npz")
    for one, other in zip(straight, run(6, tmp_path / "run.npz"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_leaves_the_last_finished_epoch_of_all_layers(dbn, v, labels, monkeypatch):
    def run(model, epochs):
        return wake_sleep(
            model, v, labels, epochs=epochs, rng=np.random.default_rng(3), batch_size=8
        )

    straight, cut = dbn.untied(), dbn.untied()
    run(straight, 2)
    learn, calls = updown.learn_up, []

    def interrupt(up, below, above, rate):
        learn(up, below, above, rate)
        calls.append(up)
        if len(calls) == 2 * 3 * 2 + 1:  # two layers, three batches, two epochs, and one more
            raise KeyboardInterrupt

    monkeypatch.setattr(updown, "learn_up", interrupt)
    with pytest.warns(InterruptedTrainingWarning, match="wake-sleep: stopped by Ctrl-C in epoch 3"):
        history = run(cut, 9)
    assert history.interrupted
    assert len(history) == 2
    for one, other in zip(weights(straight), weights(cut), strict=True):
        np.testing.assert_array_equal(one, other)


def test_divergence_is_named_and_leaves_the_last_finite_epoch(rng):
    rbms = [random_rbm(rng, 3, 4, visible="gaussian"), random_rbm(rng, 4, 3)]
    dbn = DBN([rbms[0], RBM(rbms[1].W, hidden="gaussian")]).untied()
    v = 10 * rng.normal(size=(50, 3))
    with pytest.raises(
        DivergenceError, match=r"wake-sleep diverged in epoch \d+: .* a tenth of it"
    ):
        wake_sleep(dbn, v, epochs=300, rng=rng, learning_rate=10.0, batch_size=5)
    assert all(np.isfinite(array).all() for array in weights(dbn))


def test_gaussian_pixels_can_be_fine_tuned(rng):
    v = rng.normal(size=(50, 3))
    rbms = [random_rbm(rng, 3, 4, visible="gaussian"), random_rbm(rng, 4, 3)]
    history = wake_sleep(DBN(rbms).untied(), v, epochs=3, rng=rng)
    assert np.isfinite(history["reconstruction_error"]).all()


def test_float32_stays_float32(v, labels, rng):
    units = Groups([Bernoulli(4), Softmax(2)])
    dbn = DBN([RBM.random(5, 4, rng), RBM.random(6, 3, rng, visible=units)]).untied()
    wake_sleep(dbn, v, labels, epochs=2, rng=rng)
    assert {array.dtype for array in weights(dbn)} == {np.dtype(np.float32)}


def test_watching_held_out_rows_changes_nothing_that_is_learned(dbn, v, labels):
    results = []
    for watched in ({}, {"held_out": 1 - v[:7], "held_out_labels": labels[:7]}):
        model = dbn.untied()
        rng = np.random.default_rng(1)
        history = wake_sleep(model, v, labels, epochs=2, rng=rng, **watched)
        results.append(weights(model))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
    # the last run watched: the numbers are those of the network that came out
    error = np.square(1 - v[:7] - model.reconstruct(1 - v[:7], depth=2)).sum(axis=1).mean()
    wrong = (model.label_probabilities(1 - v[:7]).argmax(axis=1) != labels[:7]).mean()
    assert history["held_out_reconstruction_error"][-1] == pytest.approx(error)
    assert history["held_out_label_error"][-1] == pytest.approx(wrong)


def test_a_network_without_label_is_watched_by_reconstruction_alone(plain, v, rng):
    history = wake_sleep(plain, v, epochs=2, rng=rng, held_out=v[:3])
    assert history.names == ["reconstruction_error", "held_out_reconstruction_error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, r"has a label unit: pass labels=\.\.\."),
        ({"labels": np.full(20, 2)}, "labels must be whole numbers from 0 to 1"),
        ({"labels": np.zeros(19)}, "labels must have length 20"),
        ({"held_out": np.ones((2, 5))}, r"has a label unit: pass held_out_labels=\.\.\."),
        ({"held_out_labels": np.ones(2)}, "held_out_labels were given without held_out"),
        ({"v": np.ones((20, 4))}, "v must have length 5 along axis 1"),
        ({"gradient": ExactGradient()}, "runs no chains; use CD"),
        ({"gradient": "cd"}, "gradient must be CD"),
        ({"learning_rate": -1.0}, "learning_rate must be a finite number"),
        ({"top_learning_rate": -1.0}, "top_learning_rate must be a finite number"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"epochs": -1}, "epochs must be at least 0"),
        ({"rng": 7}, "rng must be a numpy.random.Generator"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_wrong_settings_are_refused_and_leave_the_network_alone(
    change, message, dbn, v, labels, rng
):
    before = weights(dbn)
    settings = {"v": v, "labels": labels, "epochs": 1, "rng": rng} | change
    with pytest.raises((ValueError, TypeError), match=message):
        wake_sleep(dbn, **settings)
    for one, other in zip(before, weights(dbn), strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_for_a_network_without_label_are_refused(plain, v, labels, rng):
    with pytest.raises(ValueError, match="labels were given, but .* has no label unit"):
        wake_sleep(plain, v, labels, epochs=1, rng=rng)


def test_a_network_whose_ways_share_their_weights_is_refused(plain, v, rng):
    with pytest.raises(ValueError, match=r"pass dbn\.untied\(\)"):
        wake_sleep(DBN(plain.rbms), v, epochs=1, rng=rng)


def test_a_single_rbm_is_refused(plain, v, rng):
    with pytest.raises(ValueError, match="at least two RBMs"):
        wake_sleep(DBN(plain.rbms[:1]), v, epochs=1, rng=rng)
    with pytest.raises(TypeError, match=r"dbn must be a DBN, got RBM\("):
        wake_sleep(plain.rbms[0], v, epochs=1, rng=rng)
