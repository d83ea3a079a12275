"""A network as it learns, optimisers in a bowl: what the pictures hold, and what they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dbnlib import widgets
from dbnlib.network import Network
from dbnlib.optimisers import SGD, Adam
from dbnlib.widgets.network import (
    boundary_facts,
    bowl_heights,
    bowl_paths,
    decision_boundary,
    descend,
    passes_graph,
)

X = np.array([[-1.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0, 0, 1, 1])


def line_network(slope):
    """One sigmoid unit, whose output is ½ on the vertical line through 0."""
    return Network([[[slope], [0.0]]], [[0.0]], ["sigmoid"])


#: knows nothing; is right and doubtful; is right and sure
STATES = [line_network(slope) for slope in (0.0, 1.0, 3.0)]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def level_lines(axis, width):
    """The points of the drawn level lines of that width, one array a line."""
    return [
        path.vertices
        for drawn in axis.collections
        if hasattr(drawn, "levels") and not drawn.filled and drawn.get_linewidths()[0] == width
        for path in drawn.get_paths()
        if len(path.vertices)
    ]


# ---- the boundary


def test_facts_are_those_worked_out_by_hand():
    # every point has a field of ±slope on its own side, so a loss of log(1 + e^−slope)
    assert boundary_facts(STATES[0], X, Y) == (pytest.approx(np.log(2)), 0.5)
    assert boundary_facts(STATES[2], X, Y) == (pytest.approx(np.log1p(np.exp(-3))), 1.0)


def test_the_black_line_is_where_the_output_is_a_half():
    (line,) = level_lines(decision_boundary(STATES, X, Y, 1).axes[0], 2)

    np.testing.assert_allclose(line[:, 0], 0, atol=1e-12)
    assert np.ptp(line[:, 1]) == pytest.approx(1.8)  # from edge to edge


def test_a_network_without_an_opinion_has_no_black_line():
    assert level_lines(decision_boundary(STATES, X, Y, 0).axes[0], 2) == []


def test_dashed_lines_are_where_first_hidden_fields_are_zero():
    # z = x₁ − ½ and z = x₂ − ¼; the third unit's line is far outside the map
    W, b = [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], [-0.5, -0.25, 9.0]
    network = Network([W, [[1.0], [1.0], [0.0]]], [b, [-0.1]], ["relu", "sigmoid"])

    lines = level_lines(decision_boundary([network], X, Y, 0).axes[0], 0.8)

    assert len(lines) == 2
    np.testing.assert_allclose(lines[0][:, 0], 0.5, atol=1e-12)
    np.testing.assert_allclose(lines[1][:, 1], 0.25, atol=1e-12)


def test_the_colour_is_the_output_of_the_chosen_state():
    axis = decision_boundary(STATES, X, Y, 2).axes[0]

    filled = next(drawn for drawn in axis.collections if getattr(drawn, "filled", False))
    # over the map, from x₁ = −1.4 to 1.4, the output runs from σ(−4.2) to σ(4.2)
    assert filled.zmin == pytest.approx(1 / (1 + np.exp(4.2)))
    assert filled.zmax == pytest.approx(1 / (1 + np.exp(-4.2)))


def test_points_have_a_colour_and_a_marker_for_each_label():
    axis = decision_boundary(STATES, X, Y, 0).axes[0]

    first, second = axis.collections[-2:]
    np.testing.assert_array_equal(first.get_offsets(), X[:2])
    np.testing.assert_array_equal(second.get_offsets(), X[2:])
    assert first.get_paths()[0].vertices.shape != second.get_paths()[0].vertices.shape
    assert not np.array_equal(first.get_facecolor(), second.get_facecolor())


def test_the_curve_has_the_loss_of_every_state_and_the_dot_is_at_the_chosen_one():
    figure = decision_boundary(STATES, X, Y, 1)

    curve, dot = figure.axes[1].lines
    losses = np.log1p(np.exp([0, -1, -3]))
    np.testing.assert_allclose(curve.get_ydata(), losses)
    np.testing.assert_allclose(dot.get_xydata(), [[1, losses[1]]])
    assert figure.get_suptitle() == "epoch 1: loss 0.31, 100% named rightly"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: decision_boundary(STATES, X, Y, 3), ValueError, "from 0 to 2, got 3"),
        (lambda: decision_boundary(STATES, X, Y, -1), ValueError, "epoch must be at least 0"),
        (lambda: decision_boundary([], X, Y, 0), ValueError, "at least one network"),
        (lambda: decision_boundary(STATES, X, Y + 1, 0), ValueError, "only 0 and 1, got 2"),
        (lambda: decision_boundary(STATES, X, Y[:3], 0), ValueError, "y must have length 4"),
        (lambda: decision_boundary(["no"], X, Y, 0), TypeError, "network must be a Network"),
        (
            lambda: boundary_facts(Network([np.eye(2)], [[0, 0]], ["softmax"]), X, Y),
            ValueError,
            "two inputs and one sigmoid output",
        ),
    ],
)
def test_states_and_points_that_do_not_fit_are_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# ---- the bowl


def test_each_direction_of_the_bowl_shrinks_by_its_own_factor():
    path = descend(SGD(0.1), 5, curvatures=[1, 4], start=[2, -3])

    # θᵢ after t steps is (1 − ηλᵢ)ᵗ θᵢ
    factors = np.array([[0.9, 0.6]]) ** np.arange(6)[:, None]
    np.testing.assert_allclose(path, factors * [2, -3])


def test_each_walk_starts_anew():
    optimiser = SGD(0.02, 0.9)

    first = descend(optimiser, 10)

    np.testing.assert_array_equal(descend(optimiser, 10), first)


def test_heights_are_half_the_curved_squares():
    np.testing.assert_allclose(bowl_heights(np.array([[2.0, 0.0], [2.0, 1.0]])), [2.0, 14.5])


def test_the_picture_has_the_ways_and_their_heights_under_their_names():
    optimisers = {"plain": SGD(0.03), "Adam": Adam(0.3)}

    plane, course = bowl_paths(optimisers, 7).axes

    assert [text.get_text() for text in course.get_legend().get_texts()] == ["plain", "Adam"]
    ways = {line.get_label(): line for line in plane.lines}
    for name, optimiser in optimisers.items():
        path = descend(optimiser, 7)
        np.testing.assert_array_equal(ways[name].get_xydata(), path)
        height = next(line for line in course.lines if line.get_label() == name)
        np.testing.assert_allclose(height.get_ydata(), path**2 @ [0.5, 12.5])


def test_an_optimiser_at_rest_on_the_bottom_can_be_drawn():
    # a rate of 1/25 takes the steep direction to 0 at once, and 1 the flat one
    figure = bowl_paths({"Newton by chance": SGD(lambda step: [0.04, 1.0][step % 2])}, 6)
    heights = figure.axes[1].lines[0].get_ydata()
    assert heights[0] > 20
    np.testing.assert_allclose(heights[2:], 0, atol=1e-25)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bowl_paths({}), ValueError, "1 to 5 of them, got 0"),
        (lambda: bowl_paths({str(n): SGD(0.01) for n in range(6)}), ValueError, "got 6"),
        (lambda: descend("SGD", 3), TypeError, "optimiser must be a"),
        (lambda: descend(SGD(0.1), 0), ValueError, "n_steps must be at least 1"),
        (lambda: descend(SGD(0.1), start=[1, 2, 3]), ValueError, "start must have length 2"),
    ],
)
def test_optimisers_and_bowls_that_do_not_fit_are_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# ---- forward and back


def test_two_layers_have_five_steps_forward_three_back_and_two_pairs_that_meet():
    (axis,) = passes_graph().axes

    arrows = [t for t in axis.texts if getattr(t, "arrow_patch", None)]
    # xy is where an arrow ends
    forward = [a for a in arrows if a.xy[1] == a.get_position()[1] == 1]
    back = [a for a in arrows if a.xy[1] == 0]
    assert len(forward) == 5
    assert all(a.xy[0] > a.get_position()[0] for a in forward)
    assert len(back) == 3
    assert all(a.xy[0] < a.get_position()[0] for a in back)
    assert len(arrows) == 5 + 3 + 4


@pytest.mark.parametrize(
    "name", ["boundary_facts", "bowl_paths", "decision_boundary", "descend", "passes_graph"]
)
def test_the_package_offers_the_functions_by_name(name):
    assert callable(getattr(widgets, name))
