"""Pictures of a bound: the numbers in them, against hand-made records and logarithms."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dbnlib.bound import exact_bound, exact_log_likelihood
from dbnlib.dbn import DBN
from dbnlib.rbm import RBM
from dbnlib.widgets.bound import bound_ascent, bound_facts, jensen_chord, stack_graph


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def stages():
    """Two examples; two records of the first stage, three of the second."""
    first = np.array([[-5.0, -7.0], [-4.0, -6.0]])
    second = np.array([[-4.0, -6.0], [-3.0, -5.0], [-3.5, -5.1]])
    gap = np.array([[0.0, 0.0], [0.2, 0.4], [0.1, 0.1]])
    return {"layer 1": (first, first), "layer 2": (second, second - gap)}


def line(axis, label):
    return next(line for line in axis.lines if line.get_label() == label)


def texts(axis):
    return [text.get_text() for text in axis.texts]


@pytest.mark.parametrize(
    ("record", "stage", "epoch", "log_p", "gap"),
    [
        (0, "layer 1", 0, -6.0, 0.0),
        (1, "layer 1", 1, -5.0, 0.0),
        (2, "layer 2", 0, -5.0, 0.0),
        (3, "layer 2", 1, -4.0, 0.3),
        (4, "layer 2", 2, -4.3, 0.1),
    ],
)
def test_records_are_counted_through_the_stages(stages, record, stage, epoch, log_p, gap):
    facts = bound_facts(stages, record)
    assert (facts.stage, facts.epoch) == (stage, epoch)
    assert facts.log_p == pytest.approx(log_p)
    assert facts.bound == pytest.approx(log_p - gap)
    assert facts.gap == pytest.approx(gap)


def test_the_left_panel_has_the_means_and_marks_the_record(stages):
    left = bound_ascent(stages, 3).axes[0]
    np.testing.assert_allclose(line(left, "mean log p(v)").get_ydata(), [-6, -5])
    second = left.lines[2:4]
    np.testing.assert_allclose(second[0].get_xdata(), [2, 3, 4])
    np.testing.assert_allclose(second[0].get_ydata(), [-5, -4, -4.3])
    np.testing.assert_allclose(second[1].get_ydata(), [-5, -4.3, -4.4])
    assert left.lines[-1].get_xdata()[0] == 3
    assert texts(left) == ["layer 1", "layer 2"]


def test_the_right_panel_has_what_each_example_gained_up_to_the_record(stages):
    # at the first record the two examples stood at −5 and −7
    right = bound_ascent(stages, 3, names=["a", "b"]).axes[1]
    np.testing.assert_allclose(line(right, "log p(v)").get_ydata(), [2, 2])
    np.testing.assert_allclose(line(right, "bound").get_ydata(), [1.8, 1.6])
    ends = [segment[:, 1] for segment in right.collections[0].get_segments()]
    np.testing.assert_allclose(ends, [[1.8, 2], [1.6, 2]])
    assert [label.get_text() for label in right.get_xticklabels()] == ["a", "b"]


def test_the_scale_of_the_examples_stays_where_it_is(stages):
    limits = {bound_ascent(stages, record).axes[1].get_ylim() for record in range(5)}
    assert len(limits) == 1


def test_the_title_says_where_it_stands(stages):
    title = bound_ascent(stages, 3).axes[0].get_title()
    assert title == "layer 2, epoch 1: log p(v) -4.000, bound -4.300, gap 0.300"


def test_exact_numbers_of_a_network_are_accepted(rng):
    lower = RBM(rng.normal(size=(4, 3)))
    dbn = DBN([lower, lower.transposed()])
    v = rng.integers(0, 2, size=(5, 4)).astype(float)
    record = (exact_log_likelihood(dbn, v)[None], exact_bound(dbn, v)[None])
    assert bound_facts({"start": record}, 0).gap == pytest.approx(0, abs=1e-12)


def test_jensen_of_one_and_three_is_counted_by_hand():
    axis = jensen_chord(1, 3).axes[0]
    assert axis.get_title() == "log of the mean 0.693, mean of the logarithms 0.549"
    (segment,) = axis.collections[0].get_segments()
    np.testing.assert_allclose(segment, [[2, 0.5 * np.log(3)], [2, np.log(2)]])


def test_jensen_with_unequal_shares_has_its_gap_on_the_chord_and_the_curve():
    (segment,) = jensen_chord(1, 5, 0.25).axes[0].collections[0].get_segments()
    np.testing.assert_allclose(segment, [[2, 0.25 * np.log(5)], [2, np.log(2)]])


def test_the_tangent_touches_the_curve_at_the_mean_and_is_above_it():
    axis = jensen_chord(1, 3).axes[0]
    curve, tangent = line(axis, "log w"), line(axis, "tangent at the mean")
    distance = tangent.get_ydata() - curve.get_ydata()
    assert distance.min() >= 0
    assert curve.get_xdata()[distance.argmin()] == pytest.approx(2, abs=0.02)


def arrows(axis):
    """Start, end and style of each arrow."""
    found = [text for text in axis.texts if getattr(text, "arrow_patch", None)]
    return [(t.xyann[1], t.xy[1], type(t.arrow_patch.get_arrowstyle()).__name__) for t in found]


def test_only_the_top_weights_have_no_direction_and_those_below_point_down():
    axis = stack_graph([3]).axes[0]
    assert [a for a in arrows(axis) if a[2] == "CurveFilledAB"] == [(3, 2, "CurveFilledAB")]
    downward = [a[:2] for a in arrows(axis) if a[2] == "CurveFilledB" and a[0] > a[1]]
    upward = [a[:2] for a in arrows(axis) if a[2] == "CurveFilledB" and a[0] < a[1]]
    assert downward == [(1, 0), (2, 1)]
    assert upward == [(0, 1), (1, 2)]


def test_one_panel_for_each_depth_and_no_way_up_in_a_single_rbm():
    figure = stack_graph()
    assert [axis.get_title() for axis in figure.axes] == [
        "one RBM",
        "a DBN of 2 hidden layers",
        "a DBN of 3 hidden layers",
    ]
    assert [texts(axis).count("$q$") for axis in figure.axes] == [0, 1, 2]


def test_below_the_top_stand_conditionals_and_at_the_top_a_joint_distribution():
    words = [text for text in texts(stack_graph([3]).axes[0]) if text.startswith("$p")]
    assert words == [r"$p(v \mid h^1)$", r"$p(h^1 \mid h^2)$", "$p(h^2, h^3)$"]


def test_a_bound_above_by_rounding_only_has_no_negative_gap():
    log_p = np.full((1, 2), -4.0)
    assert bound_facts({"a": (log_p, log_p + 1e-15)}, 0).gap == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: bound_facts(s, 5), ValueError, "record must be below 5"),
        (lambda s: bound_facts(s, -1), ValueError, "record"),
        (lambda s: bound_facts({}, 0), TypeError, "stages must be a mapping"),
        (lambda s: bound_facts({"a": s["layer 1"][0]}, 0), ValueError, "must be a pair"),
        (lambda s: bound_facts({"a": s["layer 2"][::-1]}, 0), ValueError, "above its log p"),
        (
            lambda s: bound_facts({"a": s["layer 1"], "b": (np.zeros((1, 3)),) * 2}, 0),
            ValueError,
            "log_p of 'b' must",
        ),
        (lambda s: bound_ascent(s, 0, names=["a"]), ValueError, "1 names for 2 examples"),
        (lambda s: jensen_chord(0, 1), ValueError, "low must be"),
        (lambda s: jensen_chord(2, 1), ValueError, "high must be"),
        (lambda s: jensen_chord(1, 2, 1), ValueError, "share must be below 1"),
        (lambda s: stack_graph([]), ValueError, "depths must be"),
        (lambda s: stack_graph([6]), ValueError, "depths must be"),
    ],
)
def test_wrong_input_is_named(stages, call, error, message):
    with pytest.raises(error, match=message):
        call(stages)
