"""Few labels, confusions, and the way from DBN to network: what the pictures hold, and refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle
from sklearn.metrics import confusion_matrix

from dbnlib import widgets
from dbnlib.widgets.finetuning import (
    confusion,
    confusion_counts,
    few_labels,
    label_facts,
    transfer_graph,
)

RESULTS = {
    "pretrained": {30: [80.0, 84.0, 85.0], 300: [94.0, 95.0, 93.0]},
    "random": {30: [70.0, 80.0, 75.0], 300: [94.0, 96.0, 92.0]},
}
LABELS = [0, 0, 3, 3, 3, 9]
PREDICTIONS = [0, 5, 3, 5, 5, 9]
IMAGES = np.arange(24).reshape(6, 4) / 24


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def pictures(figure):
    """The images shown beside the confusion matrix."""
    axes = [axis for axis in figure.axes if not axis.get_xlabel()]
    return [image.get_array() for axis in axes for image in axis.images]


# ---- few labels


def test_facts_of_paired_draws_are_those_counted_by_hand():
    facts = label_facts(RESULTS, 30, "pretrained", "random")

    # differences 10, 4 and 10: mean 8, deviations 2, −4, 2, so a variance of 24 / 2
    assert facts[:2] == (83, 75)
    assert facts.gain == 8
    assert facts.spread == pytest.approx(np.sqrt(12))
    assert (facts.wins, facts.n_draws) == (3, 3)


def test_a_draw_that_ends_level_is_no_win():
    facts = label_facts(RESULTS, 300, "pretrained", "random")

    assert facts.gain == 0
    assert facts.wins == 1


def test_the_facts_change_sign_with_the_order_of_the_names():
    there = label_facts(RESULTS, 30, "pretrained", "random")
    back = label_facts(RESULTS, 30, "random", "pretrained")

    assert back.gain == -there.gain
    assert back.spread == there.spread
    assert back.wins == 0


def test_the_left_panel_has_the_means_and_their_standard_deviations():
    left = few_labels(RESULTS, 30).axes[0]

    for container, row in zip(left.containers, RESULTS.values(), strict=True):
        line, _, (bars,) = container.lines
        means = [np.mean(values) for values in row.values()]
        np.testing.assert_allclose(line.get_xydata(), np.column_stack([[30, 300], means]))
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(
            (ends[:, 1] - ends[:, 0]) / 2, [np.std(v, ddof=1) for v in row.values()]
        )


def test_the_right_panel_joins_the_accuracies_of_each_draw():
    right = few_labels(RESULTS, 30).axes[1]

    heights = [line.get_ydata().tolist() for line in right.lines]
    assert heights == [[80, 70], [84, 80], [85, 75]]
    shown = [points.get_offsets()[:, 1].tolist() for points in right.collections]
    assert shown == [[80, 84, 85], [70, 80, 75]]


def test_the_title_says_how_far_the_first_is_ahead_and_in_how_many_draws():
    title = few_labels(RESULTS, 30).get_suptitle()

    assert title == (
        "30 labels: pretrained against random: +8.0 ± 3.5 points, ahead in 3 of 3 draws"
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: few_labels(RESULTS, 100), ValueError, "one of [30, 300], got 100"),
        (lambda: label_facts(RESULTS, 30, "SVM", "random"), ValueError, "there is no 'SVM'"),
        (lambda: few_labels([], 30), TypeError, "results must be a mapping"),
        (
            lambda: label_facts({"a": {30: [1, 2]}, "b": {30: [1, 2, 3]}}, 30, "a", "b"),
            ValueError,
            "'b' at 30 labels must have length 2",
        ),
        (
            lambda: label_facts({"a": {30: [1, 2]}, "b": {60: [1, 2]}}, 30, "a", "b"),
            ValueError,
            "'b' was measured at [60] labels and another at [30]",
        ),
        (lambda: few_labels({"a": {30: [1.0]}}, 30), ValueError, "'a' at 30 labels has one draw"),
        (lambda: few_labels({"a": {30: [1, 2]}}, 30), ValueError, "2 to 4 names, got 1"),
    ],
)
def test_results_that_do_not_fit_are_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# ---- confusions


def test_counts_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(10, size=(2, 500))

    expected = confusion_matrix(labels, predictions, labels=range(10))

    np.testing.assert_array_equal(confusion_counts(labels, predictions, 10), expected)


def test_a_class_that_does_not_occur_has_a_row_of_zeros():
    counts = confusion_counts([0, 2], [2, 2], 4)

    np.testing.assert_array_equal(counts.sum(axis=1), [1, 0, 1, 0])


def test_the_matrix_writes_every_count_and_colours_the_errors_only():
    axis = confusion(IMAGES, LABELS, PREDICTIONS, 3, 5, (2, 2)).axes[0]

    written = {(*text.get_position(), text.get_text()) for text in axis.texts}
    # x is what was said, y what is true
    assert written == {(0, 0, "1"), (5, 0, "1"), (3, 3, "1"), (5, 3, "2"), (9, 9, "1")}
    coloured = axis.images[0].get_array()
    assert {(int(i), int(j)) for i, j in np.argwhere(coloured)} == {(0, 5), (3, 5)}


def test_the_images_of_the_cell_are_shown_and_no_others():
    figure = confusion(IMAGES, LABELS, PREDICTIONS, 3, 5, (2, 2))

    np.testing.assert_array_equal(pictures(figure), IMAGES[[3, 4]].reshape(2, 2, 2))


def test_the_frame_is_around_the_cell():
    axis = confusion(IMAGES, LABELS, PREDICTIONS, 3, 5, (2, 2)).axes[0]

    frames = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    assert [frame.get_xy() for frame in frames] == [(4.5, 2.5)]


def test_an_empty_cell_and_a_crowded_one_can_be_drawn():
    many = confusion(np.zeros((40, 4)), [1] * 40, [7] * 40, 1, 7, (2, 2))
    none = confusion(IMAGES, LABELS, PREDICTIONS, 8, 8, (2, 2))

    assert len(pictures(many)) == 12
    assert pictures(none) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion_counts([0, 1], [0], 2), "predictions must have length 2"),
        (lambda: confusion_counts([0, 2], [0, 1], 2), "labels must hold whole numbers from 0 to 1"),
        (lambda: confusion_counts([0.5], [0], 2), "labels must hold whole numbers"),
        (
            lambda: confusion(IMAGES, LABELS, PREDICTIONS, 3, 10, (2, 2)),
            "true and said must hold whole numbers from 0 to 9",
        ),
        (
            lambda: confusion(IMAGES, LABELS, PREDICTIONS, 3, 5, (3, 2)),
            "images must have length 6 along axis 1",
        ),
        (lambda: confusion(IMAGES, LABELS, PREDICTIONS, 3, 5, (4,)), "shape must be (rows, "),
    ],
)
def test_classes_and_images_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


# ---- the way from DBN to network


def test_the_network_has_one_layer_more_than_the_dbn():
    dbn, network = (
        [t.get_text() for t in axis.texts if "   $" in t.get_text()]
        for axis in transfer_graph().axes
    )

    assert len(dbn) == 3
    assert len(network) == 4


def test_only_the_arrows_of_the_way_up_are_in_both():
    counts = []
    for axis in transfer_graph().axes:
        arrows = [t for t in axis.texts if hasattr(t, "arrow_patch") and t.arrow_patch]
        upward = [a for a in arrows if a.xy[1] > a.get_position()[1]]
        counts.append((len(arrows), len(upward)))

    assert counts == [(4, 2), (3, 3)]


@pytest.mark.parametrize(
    "name", ["confusion", "confusion_counts", "few_labels", "label_facts", "transfer_graph"]
)
def test_the_package_offers_the_functions_by_name(name):
    assert callable(getattr(widgets, name))
