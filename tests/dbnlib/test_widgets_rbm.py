"""Pictures of a tiny RBM: the numbers in them, against hand and enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba

from dbnlib.rbm import RBM
from dbnlib.widgets.rbm import (
    ON,
    expert_distributions,
    product_of_experts,
    state_facts,
    unit_switches,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def heights(axis):
    return np.array([bar.get_height() for bar in axis.patches])


def lengths(axis):
    return np.array([bar.get_width() for bar in axis.patches])


def marked(axis):
    """Which bars have the colour of what is on."""
    wanted = to_rgba(ON)
    return [n for n, bar in enumerate(axis.patches) if bar.get_facecolor() == wanted]


def panel(figure, label):
    return next(axis for axis in figure.axes if axis.get_label() == label)


def test_facts_of_one_state_are_those_counted_by_hand():
    # one visible and one hidden unit, weight log 3, no biases: exp(−E) is 1, 1, 1 and 3
    facts = state_facts(RBM([[np.log(3)]]), [1], [1])
    assert facts.energy == pytest.approx(-np.log(3))
    assert facts.free_energy == pytest.approx(-np.log(4))
    assert facts.joint_probability == pytest.approx(3 / 6)
    assert facts.visible_probability == pytest.approx(4 / 6)
    assert facts.hidden_mean == pytest.approx([3 / 4])
    assert facts.visible_mean == pytest.approx([3 / 4])


def test_facts_of_every_state_are_those_of_enumeration(rbm, enumerated):
    for i, v in enumerate(enumerated.v):
        for j, h in enumerate(enumerated.h):
            facts = state_facts(rbm, v, h)
            given_v = enumerated.p[i] / enumerated.p_v[i]
            given_h = enumerated.p[:, j] / enumerated.p_h[j]
            assert facts.energy == pytest.approx(-np.log(enumerated.weight[i, j]))
            assert facts.free_energy == pytest.approx(-np.log(enumerated.weight[i].sum()))
            assert facts.joint_probability == pytest.approx(enumerated.p[i, j])
            assert facts.visible_probability == pytest.approx(enumerated.p_v[i])
            np.testing.assert_allclose(facts.hidden_mean, given_v @ enumerated.h)
            np.testing.assert_allclose(facts.visible_mean, given_h @ enumerated.v)


def test_the_picture_shows_the_enumerated_probabilities_and_marks_the_state(rbm, enumerated):
    figure = unit_switches(rbm, enumerated.v[6], enumerated.h[5])
    np.testing.assert_allclose(heights(panel(figure, "all")), enumerated.p_v)
    assert marked(panel(figure, "all")) == [6]
    given_v = enumerated.p[6] / enumerated.p_v[6]
    np.testing.assert_allclose(lengths(panel(figure, "hidden")), given_v @ enumerated.h)
    assert marked(panel(figure, "hidden")) == np.flatnonzero(enumerated.h[5]).tolist()


def test_a_hidden_switch_moves_the_visible_bars_and_no_hidden_one(rbm):
    before = unit_switches(rbm, [1, 0, 1, 0], [0, 0, 1])
    after = unit_switches(rbm, [1, 0, 1, 0], [1, 0, 1])
    np.testing.assert_array_equal(*(lengths(panel(f, "hidden")) for f in (before, after)))
    moved = lengths(panel(after, "visible")) - lengths(panel(before, "visible"))
    assert (np.sign(moved) == np.sign(rbm.W[:, 0])).all()


def test_the_title_says_energy_and_probability(rbm, enumerated):
    title = unit_switches(rbm, enumerated.v[3], enumerated.h[2]).get_suptitle()
    assert f"E(v, h) = {-np.log(enumerated.weight[3, 2]):.2f}" in title
    assert f"p(v) = {enumerated.p_v[3]:.3f}" in title


def test_weights_between_units_that_are_on_are_bold_and_no_others():
    rbm = RBM([[1.0, -1.0], [0.0, 2.0]])
    lines = panel(unit_switches(rbm, [1, 1], [0, 1]), "machine").lines
    # weights in the order of W, without the one that is zero
    assert [line.get_linewidth() > 2 for line in lines] == [False, True, True]
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-"]


def test_experts_multiply_to_the_enumerated_distribution(rbm, enumerated):
    product = expert_distributions(rbm).prod(axis=0)
    np.testing.assert_allclose(product / product.sum(), enumerated.p_v)


def test_each_expert_is_the_machine_with_this_hidden_unit_only(rbm):
    alone = RBM(rbm.W[:, [1]], c=rbm.c[[1]])
    v = alone.visible.states(0, 16)
    weight = 1 + np.exp(alone.c + v @ alone.W)[:, 0]
    np.testing.assert_allclose(expert_distributions(rbm)[2], weight / weight.sum())


def test_the_lowest_panel_of_the_experts_is_their_product(rbm, enumerated):
    *experts, product = (heights(axis) for axis in product_of_experts(rbm).axes)
    np.testing.assert_allclose(experts, expert_distributions(rbm))
    np.testing.assert_allclose(product, enumerated.p_v)


def test_every_opinion_has_room_on_the_common_scale(rbm):
    # the second expert is surer than the biases, whose panel is drawn first
    axes = product_of_experts(RBM([[0.0, 4.0]], c=[0.0, 0.0])).axes
    highest = max(heights(axis).max() for axis in axes)
    assert all(axis.get_ylim()[1] > highest for axis in axes)


def test_names_stand_in_the_picture_and_default_to_numbered_letters(rbm):
    named = unit_switches(rbm, [0, 0, 0, 0], [0, 0, 0], hidden_names=["rain", "sea", "fog"])
    words = [label.get_text() for label in panel(named, "hidden").get_yticklabels()]
    assert words == ["rain", "sea", "fog"]
    words = [label.get_text() for label in panel(named, "visible").get_yticklabels()]
    assert words == ["v1", "v2", "v3", "v4"]


def test_switches_may_be_true_and_false(rbm):
    by_numbers = state_facts(rbm, [1, 0, 1, 0], [0, 1, 1])
    by_words = state_facts(rbm, [True, False, True, False], [False, True, True])
    assert by_words[:4] == by_numbers[:4]


def test_fields_of_ten_thousand_do_not_overflow():
    rbm = RBM([[1e4, -1e4], [-1e4, 1e4]], b=[1e4, -1e4])
    assert np.isfinite(state_facts(rbm, [1, 0], [1, 0])[:4]).all()
    np.testing.assert_allclose(expert_distributions(rbm).sum(axis=1), 1)
    unit_switches(rbm, [1, 0], [1, 0]).canvas.draw()
    product_of_experts(rbm).canvas.draw()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: state_facts(RBM(np.zeros((6, 2))), [0] * 6, [0, 0]), ValueError, "room for 5"),
        (lambda: state_facts(RBM([[1.0]]), [0.5], [0]), ValueError, "v must hold only 0 and 1"),
        (lambda: state_facts(RBM([[1.0]]), [0, 1], [0]), ValueError, "v must have length 1"),
        (lambda: state_facts(RBM([[1.0]]), [0], [[0]]), ValueError, "h must have 1 dimension"),
        (lambda: state_facts("rbm", [0], [0]), TypeError, "rbm must be an RBM"),
        (
            lambda: state_facts(RBM([[1.0]], visible="gaussian"), [0], [0]),
            ValueError,
            "units that are on or off",
        ),
        (
            lambda: unit_switches(RBM([[1.0]]), [0], [0], visible_names="a"),
            ValueError,
            "visible_names must be a list of 1 words",
        ),
        (
            lambda: product_of_experts(RBM([[1.0]]), hidden_names=["a", "b"]),
            ValueError,
            "hidden_names must be a list of 1 words",
        ),
    ],
)
def test_wrong_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
