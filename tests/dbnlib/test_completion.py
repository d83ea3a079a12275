"""Filling in what is missing: exact for an RBM, near for a DBN, useful on digits."""

import itertools

import numpy as np
import pytest

from dbnlib.bound import exact_log_likelihood
from dbnlib.completion import complete
from dbnlib.damage import flip_pixels, half_mask
from dbnlib.data import binarise, digits
from dbnlib.dbn import DBN
from dbnlib.groups import Groups
from dbnlib.patterns import bars_and_stripes
from dbnlib.pretraining import pretrain_dbn
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm
from dbnlib.units import Bernoulli, Softmax


def random_rbm(rng, n_visible, n_hidden, **units):
    W = rng.normal(size=(n_visible, n_hidden))
    return RBM(W, rng.normal(size=n_visible), rng.normal(size=n_hidden), **units)


def conditional_mean(log_p, states, row, known):
    """E[v | the known units of the row] by a sum over all states that agree with them."""
    agree = (states[:, known] == row[known]).all(axis=1)
    p = np.exp(log_p[agree] - log_p[agree].max())
    return p @ states[agree] / p.sum()


# ---- an RBM: Gibbs sampling with clamped units is exact


@pytest.mark.parametrize("hidden", range(0, 9, 3), ids=lambda n: f"{n} unknown pixels and more")
def test_an_rbm_gives_the_enumerated_conditional_mean(hidden, rng):
    rbm = random_rbm(rng, 9, 5)
    states = rbm.visible.states(0, 512)
    row, known = states[rng.integers(512)], np.arange(9) > hidden
    expected = conditional_mean(-rbm.free_energy(states), states, row, known)
    # 2000 chains side by side, each of them an estimate
    found = complete(rbm, np.tile(row, (2000, 1)), known, rng, n_steps=80, n_average=60)
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.01)


def test_a_single_chain_that_is_averaged_for_long_gives_it_too(rng):
    rbm = random_rbm(rng, 9, 5)
    states, known = rbm.visible.states(0, 512), np.arange(9) < 4
    expected = conditional_mean(-rbm.free_energy(states), states, states[300], known)
    found = complete(rbm, states[300:301], known, rng, n_steps=5000, n_average=4900)
    np.testing.assert_allclose(found[0], expected, atol=0.04)


def test_each_row_may_have_a_mask_of_its_own(rng):
    rbm = random_rbm(rng, 6, 4)
    states = rbm.visible.states(0, 64)
    rows, masks = states[[5, 40]], np.array([[1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 1]], dtype=bool)
    found = complete(
        rbm, np.repeat(rows, 2000, axis=0), np.repeat(masks, 2000, axis=0), rng, n_average=60
    )
    for i in range(2):
        expected = conditional_mean(-rbm.free_energy(states), states, rows[i], masks[i])
        mean = found[2000 * i : 2000 * (i + 1)].mean(axis=0)
        np.testing.assert_allclose(mean, expected, atol=0.012)


def test_gaussian_units_are_filled_in_with_their_conditional_mean(rng):
    rbm = RBM(0.5 * rng.normal(size=(4, 3)), rng.normal(size=4), visible="gaussian")
    v, known = rng.normal(size=4), np.array([True, False, True, False])
    h = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    field = rbm.b + h @ rbm.W.T
    # p(h | v_known) ∝ exp(c'h + v_known' field_known + ½‖field_unknown‖²)
    log_p = h @ rbm.c + field[:, known] @ v[known] + 0.5 * (field[:, ~known] ** 2).sum(axis=1)
    p = np.exp(log_p) / np.exp(log_p).sum()
    found = complete(rbm, np.tile(v, (2000, 1)), known, rng, n_average=60)
    np.testing.assert_allclose(found.mean(axis=0)[~known], (p @ field)[~known], atol=0.02)


def test_the_label_of_an_rbm_is_filled_in_with_its_probabilities(rng):
    rbm = random_rbm(rng, 6, 4, visible=Groups([Bernoulli(3), Softmax(3)]))
    row, known = np.array([1.0, 0, 1, 0, 0, 1]), np.arange(6) < 3
    weight = np.exp([-rbm.free_energy([[1, 0, 1, *label]])[0] for label in np.eye(3)])
    found = complete(rbm, np.tile(row, (2000, 1)), known, rng, n_average=60)
    np.testing.assert_allclose(found.mean(axis=0)[3:], weight / weight.sum(), atol=0.01)


# ---- a DBN: an approximation


def test_a_dbn_of_one_rbm_is_completed_as_the_rbm_is(rng):
    rbm = random_rbm(rng, 6, 4)
    rows, known = rbm.visible.states(0, 64), np.arange(6) < 3
    one = complete(rbm, rows, known, np.random.default_rng(1))
    other = complete(DBN([rbm]), rows, known, np.random.default_rng(1))
    np.testing.assert_array_equal(one, other)


def test_where_the_way_up_is_the_posterior_rounds_without_top_steps_are_exact(rng):
    # under a transposed second layer q(h | v) is the posterior, and v alternates with h
    lower = random_rbm(rng, 6, 4)
    dbn = DBN([lower, lower.transposed()])
    states, known = lower.visible.states(0, 64), np.arange(6) < 3
    expected = conditional_mean(-lower.free_energy(states), states, states[44], known)
    rows = np.tile(states[44], (2000, 1))
    found = complete(dbn, rows, known, rng, n_average=60, top_steps=0)
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.012)


def test_a_trained_dbn_comes_nearer_to_the_true_conditional_mean_than_the_mean_image():
    v, known = bars_and_stripes(3), np.arange(9) < 6
    wrong = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        settings = {"epochs": 60, "batch_size": 16, "scale": 0.1, "dtype": np.float64}
        rows = np.tile(v, (20, 1))
        dbn, _ = pretrain_dbn(rows, [8, 8], rng=rng, upward="sample", monitors={}, **settings)
        states = dbn.rbms[0].visible.states(0, 512)
        log_p = exact_log_likelihood(dbn, states)
        p = np.exp(log_p)
        # every state of the six known pixels, with its probability
        rows, p_rows = states[::8], p.reshape(64, 8).sum(axis=1)
        true = np.array([conditional_mean(log_p, states, row, known) for row in rows])
        found = complete(dbn, np.repeat(rows, 10, axis=0), known, rng).reshape(64, 10, 9)
        error = p_rows @ np.square(found - true[:, None]).sum(axis=2).mean(axis=1)
        mean = np.where(known, rows, p @ states)
        wrong.append([error, p_rows @ np.square(mean - true).sum(axis=1)])
    of_completion, of_the_mean = np.mean(wrong, axis=0)
    assert of_completion < 0.6 * of_the_mean


def test_known_pixels_reach_the_top_of_a_deep_dbn_and_come_back():
    # Going down, each unit is copied, pixels 0 and 1 from the same unit as pixels 2 and 3. Going
    # up, only pixels 0 and 1 are looked at. So they decide what the other two are.
    copy = RBM(20 * np.eye(2), np.full(2, -10.0), np.full(2, -10.0))
    down = RBM(20 * np.tile(np.eye(2), (2, 1)), np.full(4, -10.0))
    up = RBM(20 * np.eye(4)[:, :2], c=np.full(2, -10.0))
    dbn = DBN([down, copy, copy.copy()], recognition=[up, copy])
    rows = np.array([[1.0, 0, 9, 9], [0.0, 1, 9, 9], [1.0, 1, 9, 9], [0.0, 0, 9, 9]])
    found = complete(dbn, rows, np.arange(4) < 2, np.random.default_rng(0))
    np.testing.assert_allclose(found[:, 2:], rows[:, :2], atol=0.05)


def test_the_label_that_is_given_decides_what_is_filled_in(labelled, rng):
    # nothing is known but the label: after many top-level steps it is the mean of the class
    top, lower = labelled.top, labelled.rbms[0]
    u = Bernoulli(3).states(0, 8)
    rows, none = np.zeros((2000, 4)), np.zeros(4, dtype=bool)
    for y in range(2):
        weight = np.exp([-top.free_energy([[*row, *np.eye(2)[y]]])[0] for row in u])
        expected = weight / weight.sum() @ lower.visible_mean(u)
        settings = {"n_steps": 20, "n_average": 10, "top_steps": 10}
        found = complete(labelled, rows, none, rng, labels=np.full(2000, y), **settings)
        np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.012)


def test_without_a_label_it_is_left_open(labelled, p_v_y, rng):
    rows, none = np.zeros((2000, 4)), np.zeros(4, dtype=bool)
    found = complete(labelled, rows, none, rng, n_steps=20, n_average=10, top_steps=10)
    expected = p_v_y.sum(axis=1) @ Bernoulli(4).states(0, 16)
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.012)


# ---- whatever the model


@pytest.fixture(params=["rbm", "dbn"])
def model(request, rng):
    lower = random_rbm(rng, 6, 4)
    return lower if request.param == "rbm" else DBN([lower, random_rbm(rng, 4, 3)])


def test_known_entries_stay_as_they_are(model, rng):
    v = rng.integers(0, 2, size=(10, 6)).astype(float)
    known = rng.random((10, 6)) < 0.5
    found = complete(model, v, known, rng, n_steps=5, n_average=3)
    np.testing.assert_array_equal(found[known], v[known])
    assert ((found[~known] > 0) & (found[~known] < 1)).all()


def test_what_stands_in_an_unknown_entry_plays_no_part(model, rng):
    v, known = rng.integers(0, 2, size=(10, 6)).astype(float), np.arange(6) < 3
    results = []
    for nothing in (0.0, 1.0, np.nan, -7.0):
        rows = np.where(known, v, nothing)
        results.append(complete(model, rows, known, np.random.default_rng(1), n_average=5))
        np.testing.assert_array_equal(np.isnan(rows).any(), np.isnan(nothing))
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_the_same_seed_completes_alike_and_another_one_otherwise(model, rng):
    v, known = np.ones((5, 6)), np.arange(6) < 3
    one, again, other = (complete(model, v, known, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_what_is_returned_is_the_average_over_the_last_steps(rng, monkeypatch):
    rbm, known, means = random_rbm(rng, 6, 4), np.arange(6) < 3, []
    mean = rbm.visible.mean

    def spy(field, out=None):
        means.append(mean(field))
        return means[-1].copy()

    # the start is drawn, not averaged: it needs a mean too, before the first step
    start = rbm.visible.sample(np.tile(rbm.b, (5, 1)), rng)
    monkeypatch.setattr(rbm.visible, "sample", lambda field, rng: start)
    monkeypatch.setattr(rbm.visible, "mean", spy)
    found = complete(rbm, np.ones((5, 6)), known, rng, n_steps=7, n_average=2)
    assert len(means) == 7
    np.testing.assert_allclose(found[:, ~known], np.mean(means[-2:], axis=0)[:, ~known])


def test_float32_goes_in_and_out(rng):
    rbm = RBM.random(6, 4, rng)
    assert complete(rbm, np.ones((2, 6)), np.arange(6) < 3, rng).dtype == np.float32


def test_where_all_is_known_nothing_is_done(model, rng):
    v = rng.integers(0, 2, size=(10, 6)).astype(float)
    np.testing.assert_array_equal(complete(model, v, np.ones(6, dtype=bool), rng), v)


def test_grey_rows_are_completed_with_means_from_step_to_step(rng, monkeypatch):
    rbm, v = random_rbm(rng, 6, 4), np.full((5, 6), 0.5)

    def refuse(*_arguments):
        raise AssertionError("a pixel was drawn")

    known = np.arange(6) < 3
    # the first draw, from the biases alone, is where the chain starts; it goes through `sample`
    monkeypatch.setattr(rbm.visible, "draw", refuse)
    monkeypatch.setattr(rbm.visible, "sample", lambda field, rng: np.round(rng.random(field.shape)))
    assert np.isfinite(complete(rbm, v, known, rng)).all()
    with pytest.raises(AssertionError, match="a pixel was drawn"):
        complete(rbm, np.round(v), known, rng)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"known": np.arange(6)}, "known must hold True and False, got dtype int"),
        ({"known": np.ones(5, dtype=bool)}, r"known must have shape \(6,\) or \(10, 6\)"),
        ({"known": np.ones((3, 6), dtype=bool)}, r"known must have shape \(6,\) or \(10, 6\)"),
        ({"v": np.ones((10, 5))}, "v must have length 6 along axis 1"),
        ({"v": np.ones(6)}, "for a single example write"),
        ({"v": [[1, 2], [1]]}, "v is no array"),
        ({"v": np.full((10, 6), 2.0)}, "v must lie between 0 and 1"),
        ({"v": np.full((10, 6), np.nan)}, "NaN or infinite"),
        ({"rng": 1}, "rng must be a numpy.random.Generator"),
        ({"n_steps": 0}, "n_steps must be at least 1"),
        ({"n_average": 101}, "n_average is 101, but there are only n_steps=100"),
        ({"top_steps": -1}, "top_steps must be at least 0"),
        ({"labels": np.zeros(10)}, "labels were given, but .* has no label unit"),
        ({"model": "rbm"}, "model must be an RBM or a DBN, got 'rbm'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_wrong_calls_are_explained(change, message, model, rng):
    v = np.ones((10, 6))
    call = {"model": model, "v": v, "known": np.arange(6) < 3, "rng": rng} | change
    with pytest.raises((ValueError, TypeError), match=message):
        complete(**call)


def test_a_label_that_is_known_in_part_is_refused(rng):
    rbm = random_rbm(rng, 6, 4, visible=Groups([Bernoulli(3), Softmax(3)]))
    with pytest.raises(ValueError, match=r"a Softmax\(3\) is one unit; its columns go together"):
        complete(rbm, np.zeros((2, 6)), np.arange(6) < 4, rng)


# ---- digits: what it is good for


@pytest.fixture(scope="module")
def trained():
    """Binary digits in two parts, and an RBM trained on the first."""
    rng = np.random.default_rng(0)
    images = binarise(digits().images)[rng.permutation(1797)]
    train, held_out = images[:1500], images[1500:]
    rbm = RBM.random(64, 100, rng, data=train)
    train_rbm(rbm, train, epochs=60, rng=rng, learning_rate=0.05, batch_size=20, monitors={})
    return rbm, train, held_out


def test_the_lower_half_of_digits_is_filled_in_better_than_by_mean_or_nearest_image(trained):
    rbm, train, held_out = trained
    missing = half_mask((8, 8), "lower")
    known = ~missing

    def error(filled_in):
        return np.square(filled_in - held_out)[:, missing].sum(axis=1).mean()

    found = complete(rbm, np.where(known, held_out, 0), known, np.random.default_rng(1))
    of_the_mean = error(train.mean(axis=0))
    apart = np.square(held_out[:, None, known] - train[None, :, known]).sum(axis=2)
    of_the_nearest = error(train[apart.argmin(axis=1)])
    assert error(found) < 0.85 * of_the_mean
    assert error(found) < 0.85 * of_the_nearest


@pytest.mark.parametrize("p", [0.05, 0.1, 0.2])
def test_a_reconstruction_takes_noise_away(p, trained):
    rbm, _, held_out = trained
    noisy = flip_pixels(held_out, np.random.default_rng(1), p)
    before = np.square(noisy - held_out).sum(axis=1).mean()
    after = np.square(rbm.reconstruct(noisy) - held_out).sum(axis=1).mean()
    assert after < 0.75 * before


def test_a_reconstruction_of_clean_images_is_no_better_than_they_are(trained):
    # what takes away noise takes away a little of the image too
    rbm, _, held_out = trained
    assert np.square(rbm.reconstruct(held_out) - held_out).sum(axis=1).mean() > 0.5
