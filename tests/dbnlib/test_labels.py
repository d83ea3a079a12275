"""An RBM with a label: all of it against plain sums over features, labels and hidden units."""

import itertools

import numpy as np
import pytest
from scipy import stats

from dbnlib.groups import Groups
from dbnlib.labels import (
    check_labels,
    draw_labels,
    free_energy_by_label,
    hidden_mean_without_label,
    label_probabilities,
    marginal_free_energy,
    n_labels,
    split_units,
    with_labels,
)
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Gaussian, Softmax

N_FEATURES, N_LABELS, N_HIDDEN = 3, 3, 4


@pytest.fixture(params=[Bernoulli, Gaussian], ids=lambda kind: kind.name)
def machine(request, rng):
    """Three features, three labels, four hidden units, weights of order one, in float64."""
    n_visible = N_FEATURES + N_LABELS
    return RBM(
        rng.normal(size=(n_visible, N_HIDDEN)),
        rng.normal(size=n_visible),
        rng.normal(size=N_HIDDEN),
        visible=Groups([request.param(N_FEATURES), Softmax(N_LABELS)]),
    )


@pytest.fixture
def u(machine, rng):
    """Rows of features: all states of binary ones, any numbers for Gaussian ones."""
    features = machine.visible.members[0]
    return features.states(0, 8) if isinstance(features, Bernoulli) else rng.normal(size=(8, 3))


@pytest.fixture
def weight(machine, u):
    """exp(−E(u, y, h)) for each row of u, label y and hidden state h, one by one: (8, 3, 16)."""
    h = np.array(list(itertools.product([0.0, 1.0], repeat=N_HIDDEN)))
    gaussian = isinstance(machine.visible.members[0], Gaussian)
    result = np.empty((len(u), N_LABELS, len(h)))
    for i, y, j in itertools.product(*map(range, result.shape)):
        v = np.concatenate([u[i], np.eye(N_LABELS)[y]])
        energy = -machine.b @ v - machine.c @ h[j] - v @ machine.W @ h[j]
        result[i, y, j] = np.exp(-energy - gaussian * 0.5 * u[i] @ u[i])
    return result


def test_free_energy_of_each_label_is_the_sum_over_hidden_states(machine, u, weight):
    expected = -np.log(weight.sum(axis=2))
    np.testing.assert_allclose(free_energy_by_label(machine, u), expected, atol=1e-12)


def test_free_energy_of_each_label_is_that_of_features_and_label_together(machine, u):
    by_label = free_energy_by_label(machine, u)
    for y in range(N_LABELS):
        v = with_labels(machine, u, np.full(len(u), y))
        np.testing.assert_allclose(by_label[:, y], machine.free_energy(v), atol=1e-12)


def test_marginal_free_energy_is_the_sum_over_labels_and_hidden_states(machine, u, weight):
    expected = -np.log(weight.sum(axis=(1, 2)))
    np.testing.assert_allclose(marginal_free_energy(machine, u), expected, atol=1e-12)


def test_without_a_label_the_marginal_free_energy_is_the_free_energy(rbm, enumerated):
    expected = -np.log(enumerated.weight.sum(axis=1))
    np.testing.assert_allclose(marginal_free_energy(rbm, enumerated.v), expected, atol=1e-12)


def test_label_probabilities_are_the_enumerated_ones(machine, u, weight):
    expected = weight.sum(axis=2) / weight.sum(axis=(1, 2))[:, None]
    np.testing.assert_allclose(label_probabilities(machine, u), expected, atol=1e-12)


def test_hidden_mean_with_the_label_left_open_is_the_enumerated_one(machine, u, weight):
    h = np.array(list(itertools.product([0.0, 1.0], repeat=N_HIDDEN)))
    p_h = weight.sum(axis=1) / weight.sum(axis=(1, 2))[:, None]
    np.testing.assert_allclose(hidden_mean_without_label(machine, u), p_h @ h, atol=1e-12)


def test_drawn_labels_have_the_enumerated_probabilities(machine, u, weight, rng):
    p = weight[5].sum(axis=1) / weight[5].sum()
    drawn = draw_labels(machine, np.tile(u[5], (20_000, 1)), rng)
    assert stats.chisquare(np.bincount(drawn, minlength=N_LABELS), 20_000 * p).pvalue > 1e-4


def test_each_row_gets_a_draw_of_its_own_probabilities(machine, rng):
    # weights so large that features decide: unit i of the features calls for label i
    machine.W[...] = 0
    machine.W[:3, :3] = 30 * np.eye(3)
    machine.W[3:, :3] = 30 * np.eye(3)
    machine.b[...], machine.c[...] = 0, -30
    assert draw_labels(machine, np.eye(3)[[2, 0, 1, 1]], rng).tolist() == [2, 0, 1, 1]


def test_rows_in_chunks_are_the_rows_in_one(machine, rng, monkeypatch):
    u = rng.integers(0, 2, size=(20, 3)).astype(float)
    in_one = free_energy_by_label(machine, u), hidden_mean_without_label(machine, u)
    monkeypatch.setattr("dbnlib.labels.CHUNK_NUMBERS", 7 * 6)
    np.testing.assert_allclose(free_energy_by_label(machine, u), in_one[0], rtol=1e-12)
    np.testing.assert_allclose(hidden_mean_without_label(machine, u), in_one[1], rtol=1e-12)


def test_labels_stand_one_hot_behind_the_features(machine):
    rows = with_labels(machine, [[0.0, 1.0, 0.5], [1.0, 1.0, 0.0]], [2, 0])
    assert rows.tolist() == [[0, 1, 0.5, 0, 0, 1], [1, 1, 0, 1, 0, 0]]


def test_several_kinds_of_features_can_stand_before_the_label(rng):
    units = Groups([Bernoulli(2), Gaussian(1), Softmax(3)])
    machine = RBM(rng.normal(size=(6, 4)), visible=units)
    u = np.array([[1.0, 0.0, -2.5]])
    expected = np.exp([-machine.free_energy([[1, 0, -2.5, *row]])[0] for row in np.eye(3)])
    assert split_units(units)[0] == Groups([Bernoulli(2), Gaussian(1)])
    np.testing.assert_allclose(label_probabilities(machine, u)[0], expected / expected.sum())


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (Bernoulli(6), 0),
        (Softmax(6), 0),
        (Groups([Softmax(6)]), 0),
        (Groups([Softmax(2), Bernoulli(4)]), 0),
        (Groups([Bernoulli(4), Softmax(2)]), 2),
        (Groups([Softmax(4), Softmax(2)]), 2),
    ],
    ids=repr,
)
def test_a_label_is_a_softmax_unit_at_the_end_behind_something_else(visible, expected, rng):
    assert n_labels(RBM.random(6, 3, rng, visible=visible)) == expected


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_fields_of_ten_thousand_do_no_harm(size, rng):
    units = Groups([Bernoulli(3), Softmax(3)])
    W = np.full((6, 4), size, dtype=np.float32)
    machine = RBM(W, size * np.arange(6), np.full(4, size), visible=units)
    p = label_probabilities(machine, np.ones((2, 3)))
    # all that tells the labels apart is their bias: the largest wins
    assert p.argmax(axis=1).tolist() == [2 if size > 0 else 0] * 2
    assert np.isfinite(marginal_free_energy(machine, np.ones((2, 3)))).all()
    assert np.isfinite(hidden_mean_without_label(machine, np.ones((2, 3)))).all()


def test_a_float32_machine_keeps_its_dtype_where_means_come_out(rng):
    machine = RBM.random(6, 4, rng, visible=Groups([Bernoulli(3), Softmax(3)]))
    assert hidden_mean_without_label(machine, np.ones((2, 3))).dtype == np.float32
    assert with_labels(machine, np.ones((2, 3)), [0, 1]).dtype == np.float32
    assert label_probabilities(machine, np.ones((2, 3))).dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "whole numbers from 0 to 2, got values from 0 to 3"),
        ([-1, 0], "whole numbers from 0 to 2, got values from -1 to 0"),
        ([0.5, 1.0], "whole numbers from 0 to 2, got values from 0.5 to 1"),
        ([0, 1e300], "whole numbers from 0 to 2, got values from 0 to 1e"),
        ([0, 1, 2], "labels must have length 2 along axis 0"),
        ([[0], [1]], "labels must have 1 dimension"),
        ([0, np.nan], "NaN or infinite"),
        (["a", "b"], "must hold real numbers"),
    ],
    ids=str,
)
def test_wrong_labels_are_refused(labels, message):
    with pytest.raises((ValueError, TypeError), match=message):
        check_labels("labels", labels, 3, 2)


@pytest.mark.parametrize(
    "function",
    [free_energy_by_label, label_probabilities, hidden_mean_without_label],
    ids=lambda function: function.__name__,
)
def test_a_machine_without_label_is_refused(function, rbm):
    with pytest.raises(ValueError, match=r"no label unit; its visible layer must be Groups\("):
        function(rbm, np.ones((1, 4)))


def test_features_of_another_width_are_refused(machine):
    with pytest.raises(ValueError, match="u must have length 3 along axis 1"):
        label_probabilities(machine, np.ones((2, 6)))


def test_a_seed_is_no_generator(machine):
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        draw_labels(machine, np.ones((2, 3)), 1)
