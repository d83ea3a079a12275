"""Mending a damaged image: against enumeration, and against what `complete` does."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dbnlib import DBN, RBM, complete, widgets
from dbnlib.damage import half_mask
from dbnlib.units import Gaussian
from dbnlib.widgets.mending import (
    KINDS,
    Damage,
    MendRecord,
    damage,
    mend,
    mend_facts,
    record_mending,
)

SHAPE = (4, 4)
IMAGE = np.array([0, 1, 1, 0] * 4, dtype=float)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def small():
    """A DBN of 16 – 6 – 5 units, weights of order one, in float64."""
    rng = np.random.default_rng(0)
    sizes = [(16, 6), (6, 5)]
    return DBN([RBM(rng.normal(size=s), rng.normal(size=s[0])) for s in sizes])


# ---- damage


def test_hidden_rows_are_those_of_the_half_mask(rng):
    damaged = damage(IMAGE, "lower rows hidden", 2, SHAPE, rng)

    hidden = half_mask(SHAPE, "lower")
    np.testing.assert_array_equal(np.isnan(damaged.seen), hidden)
    np.testing.assert_array_equal(damaged.seen[~hidden], IMAGE[~hidden])


def test_a_hidden_block_lies_in_the_middle(rng):
    hidden = np.isnan(damage(IMAGE, "block hidden", 2, SHAPE, rng).seen).reshape(SHAPE)

    assert hidden[1:3, 1:3].all()
    assert hidden.sum() == 4


def test_what_is_known_is_certain_and_what_is_hidden_says_nothing(rng):
    damaged = damage([1, 0, 1, 0], "lower rows hidden", 1, (2, 2), rng)

    np.testing.assert_array_equal(damaged.evidence, [np.inf, -np.inf, 0, 0])


def test_the_evidence_of_noise_is_the_ratio_of_the_probabilities_of_what_is_seen(rng):
    damaged = damage(IMAGE, "noise", 4, SHAPE, rng)  # turned over with probability 0.2

    p_seen_if_on = np.where(damaged.seen == 1, 0.8, 0.2)
    p_seen_if_off = np.where(damaged.seen == 1, 0.2, 0.8)
    np.testing.assert_allclose(np.exp(damaged.evidence), p_seen_if_on / p_seen_if_off)


def test_noise_turns_over_as_many_pixels_as_it_says():
    image = np.zeros(10_000)

    seen = damage(image, "noise", 3, (100, 100), np.random.default_rng(1)).seen

    assert seen.mean() == pytest.approx(0.15, abs=0.02)


# ---- mending


def test_with_certain_evidence_it_is_what_complete_does(small):
    damaged = damage(IMAGE, "block hidden", 2, SHAPE, np.random.default_rng(1))
    known = ~np.isnan(damaged.seen)

    record = record_mending(small, damaged, 9, np.random.default_rng(2))

    expected = complete(
        small, IMAGE[None, :], known, np.random.default_rng(2), n_steps=9, n_average=4
    )
    np.testing.assert_allclose(record.v_mean[5:].mean(axis=0), expected[0])


def test_a_label_is_left_open_as_complete_leaves_it(labelled):
    image = np.array([1.0, 0.0, 1.0, 1.0])
    damaged = damage(image, "lower rows hidden", 1, (2, 2), np.random.default_rng(1))

    record = record_mending(labelled, damaged, 5, np.random.default_rng(2))

    known = ~np.isnan(damaged.seen)
    expected = complete(
        labelled, image[None, :], known, np.random.default_rng(2), n_steps=5, n_average=5
    )
    np.testing.assert_allclose(record.v_mean.mean(axis=0), expected[0])


def test_known_pixels_never_change(small):
    damaged = damage(IMAGE, "lower rows hidden", 2, SHAPE, np.random.default_rng(1))

    states = record_mending(small, damaged, 30, np.random.default_rng(2)).v

    assert (states[:, :8] == IMAGE[:8]).all()
    assert (states[:, 8:] != states[0, 8:]).any()


def test_of_an_rbm_the_chain_draws_from_what_bayes_rule_says(rbm, enumerated):
    seen, p = np.array([1.0, 0.0, np.nan, 1.0]), 0.2
    weight = np.log((1 - p) / p)
    damaged = Damage(seen, np.array([weight, -weight, 0, np.inf]))  # the last one is certain

    v = record_mending(DBN([rbm]), damaged, 20_000, np.random.default_rng(3)).v[1:]

    likelihood = np.where(enumerated.v[:, 0] == 1, 1 - p, p)
    likelihood *= np.where(enumerated.v[:, 1] == 0, 1 - p, p)
    likelihood *= enumerated.v[:, 3] == 1
    posterior = enumerated.p_v * likelihood
    posterior /= posterior.sum()
    shares = np.bincount(v.astype(int) @ [8, 4, 2, 1], minlength=16) / len(v)
    np.testing.assert_allclose(shares, posterior, atol=0.02)


def test_three_layers_are_passed_on_the_way_down(small):
    deep = DBN([*small.rbms, RBM(np.zeros((5, 2)), np.zeros(5))])
    damaged = damage(IMAGE, "noise", 2, SHAPE, np.random.default_rng(1))

    record = record_mending(deep, damaged, 400, np.random.default_rng(2))

    # with a top of zero weights nothing of the image is left on the way down but the evidence
    h2 = (np.arange(32)[:, None] >> np.arange(5)) & 1
    h1 = small.rbms[1].visible_mean(h2.astype(float))  # given each of the equally probable h²
    draws = np.random.default_rng(0).random((400, *h1.shape)) < h1
    x = small.rbms[0].visible_field(draws.reshape(-1, 6).astype(float))
    expected = (1 / (1 + np.exp(-(x + damaged.evidence)))).mean(axis=0)
    np.testing.assert_allclose(record.v_mean.mean(axis=0), expected, atol=0.08)


# ---- facts and picture


def test_facts_count_pixels_of_the_mean_over_the_later_half():
    image = np.array([1.0, 0.0, 1.0, 0.0])
    damaged = Damage(np.array([np.nan, 1.0, 1.0, np.nan]), np.zeros(4))
    v_mean = np.array([[0.2, 0.2, 0.2, 0.2], [0.9, 0.6, 0.9, 0.1], [0.9, 0.2, 0.9, 0.1]])

    facts = mend_facts(image, damaged, MendRecord(np.zeros((4, 4)), v_mean))

    assert (facts.n_hidden, facts.n_turned) == (2, 1)
    # round 1: the first mean; round 2: the second; round 3: the second and third together
    np.testing.assert_array_equal(facts.wrong, [2, 1, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_shows_the_image_what_is_seen_the_state_and_the_mean(small, kind):
    figure = mend(small, IMAGE, kind, 2, 6, SHAPE, np.random.default_rng(4))

    rng = np.random.default_rng(4)
    damaged = damage(IMAGE, kind, 2, SHAPE, rng)
    record = record_mending(small, damaged, 6, rng)
    expected = [IMAGE, damaged.seen, record.v[-1], record.v_mean[3:].mean(axis=0)]
    shown = [
        axis.images[0].get_array().filled(np.nan).ravel() for axis in figure.axes if axis.images
    ]
    assert len(shown) == 4
    for picture, wanted in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(picture, wanted)


def test_the_curve_is_that_of_the_facts_and_the_damage_has_a_line(small):
    axis = mend(small, IMAGE, "noise", 5, 6, SHAPE, np.random.default_rng(4)).axes[-1]

    rng = np.random.default_rng(4)
    damaged = damage(IMAGE, "noise", 5, SHAPE, rng)
    facts = mend_facts(IMAGE, damaged, record_mending(small, damaged, 6, rng))
    curve, left_as_seen = axis.lines
    np.testing.assert_array_equal(curve.get_ydata(), facts.wrong)
    assert set(left_as_seen.get_ydata()) == {facts.n_turned}
    assert f"{facts.n_turned} turned over, {facts.wrong[-1]} wrong" in axis.get_title()


@pytest.mark.parametrize(
    ("image", "kind", "strength", "error", "message"),
    [
        (IMAGE, "scratches", 2, ValueError, "kind must be one of"),
        (IMAGE, "noise", 10, ValueError, "at most 9 for 'noise', got 10"),
        (IMAGE, "block hidden", 5, ValueError, "at most 4 for 'block hidden', got 5"),
        (IMAGE, "noise", 0, ValueError, "strength must be at least 1"),
        (IMAGE, "noise", 0.5, TypeError, "strength must be a whole number"),
        (IMAGE / 2, "noise", 2, ValueError, "image must hold only 0 and 1"),
        (IMAGE[:9], "noise", 2, ValueError, "image must have length 16"),
    ],
)
def test_damage_that_cannot_be_done_is_refused(image, kind, strength, error, message, rng):
    with pytest.raises(error, match=re.escape(message)):
        damage(image, kind, strength, SHAPE, rng)


@pytest.mark.parametrize(
    ("damaged", "error", "message"),
    [
        (IMAGE, TypeError, "damaged must be a Damage"),
        (Damage(IMAGE[:4], IMAGE[:4]), ValueError, "damaged must have 16 pixels, got shapes (4,)"),
        (Damage(IMAGE * np.nan, IMAGE), ValueError, "must be 0 where damaged.seen is NaN"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(small, damaged, error, message, rng):
    with pytest.raises(error, match=re.escape(message)):
        record_mending(small, damaged, 3, rng)


def test_only_pixels_that_are_on_or_off_are_mended(rng):
    grey = DBN([RBM(np.zeros((16, 2)), visible=Gaussian(16))])

    with pytest.raises(ValueError, match="Bernoulli pixels"):
        mend(grey, IMAGE, "noise", 2, 3, SHAPE, rng)


@pytest.mark.parametrize("name", ["damage", "mend", "mend_facts", "record_mending"])
def test_the_package_offers_the_functions_by_name(name):
    assert callable(getattr(widgets, name))
