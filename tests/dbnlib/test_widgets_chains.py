"""A Gibbs chain step by step, and curves by rate and k: what the pictures hold, and refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba

from dbnlib import widgets
from dbnlib.rbm import RBM
from dbnlib.sampling import states_seen
from dbnlib.widgets.chains import BLUE, ORANGE, QUIET, chain_step, rate_and_k, record_gibbs


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def record(rbm):
    return record_gibbs(rbm, [1, 0, 1, 0], 30, np.random.default_rng(0))


def panel(figure, label):
    return next(axis for axis in figure.axes if axis.get_label() == label)


# ---- the chain


def test_the_record_begins_at_the_start_and_has_one_row_a_step(rbm, record):
    np.testing.assert_array_equal(record.v[0], [1, 0, 1, 0])
    assert record.v.shape == (31, 4)
    assert record.h.shape == (30, rbm.n_hidden)
    assert record.v_mean.shape == (30, 4)


def test_units_under_huge_weights_have_no_choice():
    # h copies v and v copies h: both fields are ±1000, so that nothing is left to chance
    copies = RBM(2000 * np.eye(2), [-1000, -1000], [-1000, -1000])

    record = record_gibbs(copies, [1, 0], 5, np.random.default_rng(0))

    np.testing.assert_array_equal(record.v, np.tile([1, 0], (6, 1)))
    np.testing.assert_array_equal(record.h, np.tile([1, 0], (5, 1)))
    np.testing.assert_array_equal(record.v_mean, np.tile([1, 0], (5, 1)))


def test_the_means_are_those_of_the_recorded_hidden_states(rbm, record):
    by_hand = 1 / (1 + np.exp(-(rbm.b + record.h @ rbm.W.T)))

    np.testing.assert_allclose(record.v_mean, by_hand)


def test_a_long_chain_visits_v_and_h_as_often_as_enumeration_says(rbm, enumerated):
    record = record_gibbs(rbm, enumerated.v[0], 40_000, np.random.default_rng(1))

    np.testing.assert_allclose(states_seen(record.v, 4) / 40_001, enumerated.p_v, atol=0.02)
    np.testing.assert_allclose(record.h.mean(axis=0), enumerated.p_h @ enumerated.h, atol=0.02)


def test_the_next_image_is_drawn_from_the_means_beside_it(rbm):
    record = record_gibbs(rbm, [0, 0, 0, 0], 40_000, np.random.default_rng(2))
    first = record.v_mean[:, 0]
    for level in np.unique(first.round(6)):
        rows = np.isclose(first, level, atol=1e-6)
        if rows.sum() > 2000:
            assert record.v[1:][rows, 0].mean() == pytest.approx(level, abs=0.05)


def test_a_step_shows_the_image_before_the_hidden_units_the_means_and_the_image_after(rbm, record):
    figure = chain_step(rbm, record, 7, (2, 2))

    for label, row in (("before", record.v[6]), ("mean", record.v_mean[6]), ("after", record.v[7])):
        np.testing.assert_array_equal(panel(figure, label).images[0].get_array().ravel(), row)
    bars = panel(figure, "hidden").patches
    by_hand = 1 / (1 + np.exp(-(rbm.c + record.v[6] @ rbm.W)))
    np.testing.assert_allclose([bar.get_height() for bar in bars], by_hand)
    filled = [bar.get_facecolor() == to_rgba(ORANGE) for bar in bars]
    np.testing.assert_array_equal(filled, record.h[6] == 1)


def test_the_energies_drawn_are_those_up_to_the_step(rbm, record, enumerated):
    line, dot = panel(chain_step(rbm, record, 4, (2, 2)), "energy").lines

    numbers = record.v[:5].astype(int) @ [8, 4, 2, 1]
    by_table = -np.log(enumerated.weight[numbers].sum(axis=1))
    np.testing.assert_allclose(line.get_ydata(), by_table)
    assert dot.get_xydata().tolist() == [[4, pytest.approx(by_table[4])]]


@pytest.mark.parametrize(
    ("step", "shape", "message"),
    [
        (31, (2, 2), "step must be at most 30, the steps recorded, got 31"),
        (0, (2, 2), "step must be at least 1, got 0"),
        (1, (2, 3), "shape must be (rows, cols) of 4 pixels, got (2, 3)"),
    ],
)
def test_chain_step_refuses_what_does_not_fit(rbm, record, step, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        chain_step(rbm, record, step, shape)


def test_chain_step_refuses_the_record_of_another_machine(record):
    with pytest.raises(ValueError, match="record is of a machine with 4 visible"):
        chain_step(RBM(np.zeros((4, 9))), record, 1, (2, 2))


def test_a_start_of_another_length_is_refused(rbm):
    with pytest.raises(ValueError, match="start must have length 4"):
        record_gibbs(rbm, [1, 0], 3, np.random.default_rng(0))


# ---- rate and k

CURVES = {(0.1, "CD-1"): [-6.0, -4.0, -3.5], (1.0, "CD-1"): [-5.0, -9.0, -30.0]}
EPOCHS = [10, 20, 30]


def test_the_chosen_curve_is_in_colour_and_the_others_are_grey():
    axis = rate_and_k(EPOCHS, CURVES, 0.1, "CD-1").axes[0]

    coloured = [line for line in axis.lines if line.get_color() == BLUE]
    grey = [line for line in axis.lines if line.get_color() == QUIET]
    assert len(coloured) == 1
    assert coloured[0].get_xydata().tolist() == [[10, -6], [20, -4], [30, -3.5]]
    assert sorted(line.get_ydata()[-1] for line in grey) == [-30, -3.5]


def test_what_diverges_takes_no_room_from_the_others():
    low, high = rate_and_k(EPOCHS, CURVES, 1.0, "CD-1", best=-2.5).axes[0].get_ylim()

    assert low > -12
    assert high > -2.5


def test_the_best_is_a_line_where_it_is_given():
    with_best = rate_and_k(EPOCHS, CURVES, 0.1, "CD-1", best=-2.5).axes[0].lines
    without = rate_and_k(EPOCHS, CURVES, 0.1, "CD-1").axes[0].lines

    assert len(with_best) == len(without) + 1
    assert with_best[-1].get_ydata()[0] == -2.5


def test_a_pair_that_was_not_run_is_refused_with_those_that_were():
    with pytest.raises(ValueError, match=re.escape("there are 0.1 with CD-1, 1 with CD-1")):
        rate_and_k(EPOCHS, CURVES, 0.3, "CD-1")


def test_a_curve_of_another_length_is_refused():
    with pytest.raises(ValueError, match="curves must have length 3"):
        rate_and_k(EPOCHS, {(0.1, "CD-1"): [-6.0, -4.0]}, 0.1, "CD-1")


def test_the_package_offers_the_functions_by_name():
    assert widgets.chain_step is chain_step
    assert widgets.rate_and_k is rate_and_k
    assert widgets.record_gibbs is record_gibbs
