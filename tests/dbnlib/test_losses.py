"""Losses against their definitions, deltas against finite differences and hand-made numbers."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from dbnlib.finite_differences import central_difference
from dbnlib.layers import ACTIVATIONS
from dbnlib.losses import LOSSES, count_wrong, make_loss, one_hot

PAIRS = [(loss.name, output) for loss in LOSSES.values() for output in loss.outputs]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_squared_error_by_hand():
    a = np.array([[1.0, 2.0], [0.0, 0.0]])
    y = np.array([[0.0, 0.0], [0.0, 3.0]])
    # rows: ½(1 + 4) = 2.5 and ½·9 = 4.5; their mean is 3.5
    assert LOSSES["squared_error"].value(a, a, y) == 3.5


def test_binary_cross_entropy_by_hand():
    z = np.log([[3.0, 1.0]])  # outputs ¾ and ½
    value = LOSSES["binary_cross_entropy"].value(z, None, np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(value, np.log(4) + np.log(2))


def test_categorical_cross_entropy_agrees_with_scikit_learn():
    z, y = rng().standard_normal((20, 4)), rng(1).integers(0, 4, 20)
    value = LOSSES["categorical_cross_entropy"].value(z, None, np.eye(4)[y])
    np.testing.assert_allclose(value, log_loss(y, ACTIVATIONS["softmax"].value(z)))


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_delta_is_the_slope_of_the_loss_in_the_last_field(loss, output):
    loss, f = LOSSES[loss], ACTIVATIONS[output]
    z, y = rng(1).standard_normal((3, 4)), rng(2).dirichlet(np.ones(4), 3)

    def value():
        return loss.value(z, f.value(z), y)

    numeric = np.reshape([central_difference(value, z, i) for i in range(z.size)], z.shape)
    np.testing.assert_allclose(loss.delta(f.value(z), y, f), numeric, atol=1e-9)


def test_delta_of_softmax_with_cross_entropy_by_hand():
    # Two rows, outputs (¼, ¾) and (½, ½), both of class 0: (a − y)/2
    a, y = np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    delta = LOSSES["categorical_cross_entropy"].delta(a, y, ACTIVATIONS["softmax"])
    np.testing.assert_allclose(delta, [[-0.375, 0.375], [-0.25, 0.25]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "categorical_cross_entropy"])
def test_known_error_08_no_logarithm_of_zero_at_fields_of_ten_thousand(name, dtype):
    """Sure and wrong: the loss is the size of the field. Sure and right: it is 0."""
    loss = LOSSES[name]
    z = np.array([[1e4, -1e4]], dtype)
    a = ACTIVATIONS[loss.matched].value(z)
    right, wrong = np.array([[1, 0]], dtype), np.array([[0, 1]], dtype)
    assert loss.value(z, a, right) == 0
    assert loss.value(z, a, wrong) == 2e4
    assert np.isfinite(loss.delta(a, wrong, ACTIVATIONS[loss.matched])).all()


def test_known_error_08_a_large_common_field_does_not_swallow_the_loss():
    """In float32, 10⁴ + log(1 + e⁻¹) − 10⁴ keeps three digits; with 10⁴ taken out it keeps all."""
    z = np.array([[1e4, 1e4 - 1]], np.float32)
    value = LOSSES["categorical_cross_entropy"].value(z, None, np.array([[1, 0]], np.float32))
    np.testing.assert_allclose(value, np.log1p(np.exp(-1)), rtol=1e-6)


@pytest.mark.parametrize("output", ACTIVATIONS)
def test_a_loss_not_named_is_the_one_that_matches_the_output(output):
    loss = make_loss(None, ACTIVATIONS[output])
    wanted = {"softmax": "categorical_cross_entropy", "sigmoid": "binary_cross_entropy"}
    assert loss.name == wanted.get(output, "squared_error")


@pytest.mark.parametrize(
    ("loss", "output"),
    [("binary_cross_entropy", "softmax"), ("categorical_cross_entropy", "sigmoid")],
)
def test_a_cross_entropy_with_another_output_is_refused(loss, output):
    with pytest.raises(ValueError, match="change the last activation"):
        make_loss(loss, ACTIVATIONS[output])


def test_an_unknown_loss_is_answered_with_the_list():
    with pytest.raises(ValueError, match="'squared_error'"):
        make_loss("hinge", ACTIVATIONS["identity"])


@pytest.mark.parametrize(
    ("name", "y", "message"),
    [
        ("binary_cross_entropy", [[0.0, 2.0]], "between 0 and 1"),
        ("categorical_cross_entropy", [[1.0, 1.0]], "sum to 1"),
        ("categorical_cross_entropy", [[-1.0, 2.0]], "between 0 and 1"),
    ],
)
def test_impossible_targets_are_refused(name, y, message):
    with pytest.raises(ValueError, match=message):
        LOSSES[name].check_targets("y", np.array(y))


def test_class_numbers_become_one_hot_rows():
    np.testing.assert_array_equal(one_hot("y", [2, 0], 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("classes", [[0, 3], [-1, 0], [0.5, 1]])
def test_numbers_that_are_no_class_are_refused(classes):
    with pytest.raises(ValueError, match="whole numbers from 0 to 2"):
        one_hot("y", classes, 3)


def test_wrong_choices_are_counted():
    a = np.array([[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]])
    assert count_wrong(a, np.eye(2)[[1, 1, 0]]) == 1
    assert count_wrong(a[:, :1], np.array([[0.0], [0.0], [1.0]])) == 1
