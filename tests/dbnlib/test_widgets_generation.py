"""Dreams of a class against enumeration, and the pictures of notebook 07."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dbnlib import DBN, RBM, widgets
from dbnlib.widgets.generation import dream, image_rows, record_dreams


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def shown(figure):
    return [axis.images[0].get_array() for axis in figure.axes if axis.images]


# ---- recording


@pytest.mark.parametrize("label", [0, 1])
def test_chains_with_a_label_have_the_means_of_its_class(labelled, p_v_y, label):
    rng = np.random.default_rng(5)

    pictures = record_dreams(labelled, np.full(4000, label), 30, rng)

    v = (np.arange(16)[:, None] >> [3, 2, 1, 0]) & 1
    p_v_given_y = p_v_y[:, label] / p_v_y[:, label].sum()
    np.testing.assert_allclose(pictures[-1].mean(axis=0), p_v_given_y @ v, atol=0.02)


def test_the_classes_of_that_machine_differ(p_v_y):
    v = (np.arange(16)[:, None] >> [3, 2, 1, 0]) & 1

    means = (p_v_y / p_v_y.sum(axis=0)).T @ v

    assert np.abs(means[0] - means[1]).max() > 0.1


def test_there_is_a_picture_of_the_start_and_of_every_step(labelled, rng):
    pictures = record_dreams(labelled, [0, 1, 1], 7, rng)

    assert pictures.shape == (8, 3, 4)
    assert ((pictures > 0) & (pictures < 1)).all()


def test_a_network_without_label_cannot_be_asked_for_a_class(rng):
    with pytest.raises(ValueError, match="has no label unit"):
        record_dreams(DBN([RBM(np.zeros((4, 3))), RBM(np.zeros((3, 2)))]), [0], 3, rng)


def test_a_class_that_is_not_there_is_refused(labelled, rng):
    with pytest.raises(ValueError, match="labels must be whole numbers from 0 to 1"):
        record_dreams(labelled, [2], 3, rng)


# ---- the dream


@pytest.fixture
def recorded():
    """Pictures of 21 states of three chains, all different, and what they were taken for."""
    pictures = np.linspace(0, 1, 21 * 3 * 4).reshape(21, 3, 4)
    named = np.tile([0, 1, 1], (21, 1))
    named[::2, 1] = 2
    return pictures, named


def test_the_last_picture_is_that_of_the_step_and_the_others_lead_to_it(recorded):
    pictures, named = recorded

    drawn = shown(dream(pictures, named, 1, 14, (2, 2)))

    np.testing.assert_array_equal(drawn[-1], pictures[14, 1].reshape(2, 2))
    for image, step in zip(drawn[:-1], [0, 2, 4, 6, 8, 10, 12], strict=True):
        np.testing.assert_array_equal(image, pictures[step, 1].reshape(2, 2))


def test_what_the_pictures_were_taken_for_is_marked_up_to_the_step(recorded):
    axis = dream(*recorded, 1, 4, (2, 2)).axes[-1]

    right, wrong = (line for line in axis.lines if line.get_linestyle() == "None")
    np.testing.assert_array_equal(right.get_xdata(), [1, 3])
    np.testing.assert_array_equal(wrong.get_xdata(), [0, 2, 4])
    np.testing.assert_array_equal(wrong.get_ydata(), [2, 2, 2])
    assert axis.get_title() == "asked for 1: taken for it in 2 of 5 pictures"


def test_the_start_alone_can_be_drawn(recorded):
    pictures, named = recorded

    drawn = shown(dream(pictures, named, 2, 0, (2, 2)))

    assert all((image == pictures[0, 2].reshape(2, 2)).all() for image in drawn)


@pytest.mark.parametrize(
    ("label", "step", "shape", "message"),
    [
        (3, 4, (2, 2), "label must be below 3"),
        (1, 21, (2, 2), "step must be at most 20"),
        (1, -1, (2, 2), "step must be at least 0"),
        (1, 4, (3, 2), "pictures must have length 6 along axis 2"),
        (1, 4, 4, "shape must be (rows, columns)"),
    ],
)
def test_a_dream_that_was_not_recorded_is_refused(recorded, label, step, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        dream(*recorded, label, step, shape)


# ---- rows


def test_every_image_stands_in_its_row_under_its_title():
    rng = np.random.default_rng(0)
    rows = {"above": rng.random((3, 4)), "below": rng.random((3, 4))}

    figure = image_rows(rows, (2, 2), titles=["a", "b", "c"])

    np.testing.assert_array_equal(
        np.reshape(shown(figure), (6, 4)), np.vstack([rows["above"], rows["below"]])
    )
    assert [axis.get_ylabel() for axis in figure.axes] == ["above", "", "", "below", "", ""]
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c", "", "", ""]


def test_hidden_pixels_are_neither_white_nor_grey_nor_black():
    image = np.array([[np.nan, 0.0, 0.5, 1.0]])

    drawn = image_rows({"x": image}, (2, 2)).axes[0].images[0]

    colours = drawn.cmap(drawn.norm(drawn.get_array())).reshape(4, 4)[:, :3]
    assert np.ptp(colours[0]) > 0.3
    assert (np.ptp(colours[1:], axis=1) < 1e-9).all()


@pytest.mark.parametrize(
    ("rows", "titles", "message"),
    [
        ({}, None, "rows is empty"),
        ({"x": np.zeros((2, 9))}, None, "row 'x' must have shape (2, 4)"),
        ({"x": np.zeros((2, 4)), "y": np.zeros((3, 4))}, None, "row 'y' must have shape (2, 4)"),
        ({"x": np.zeros((2, 4))}, ["one"], "1 titles for 2 images"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, titles, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        image_rows(rows, (2, 2), titles=titles)


@pytest.mark.parametrize("name", ["dream", "image_rows", "record_dreams"])
def test_the_package_offers_the_functions_by_name(name):
    assert callable(getattr(widgets, name))
