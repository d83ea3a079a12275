"""Activations against finite differences and hand-computed numbers; starts and masks by moments."""

import numpy as np
import pytest

from dbnlib.finite_differences import central_difference
from dbnlib.layers import (
    ACTIVATIONS,
    INITIALISATIONS,
    check_masks,
    draw_mask,
    dropout_probabilities,
    initialise,
    make_activation,
)

ELEMENTWISE = ("sigmoid", "tanh", "relu", "identity")


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [
        ("sigmoid", [0.0, np.log(3)], [0.5, 0.75]),
        ("tanh", [0.0, np.log(2)], [0.0, 0.6]),
        ("relu", [-2.0, 3.0], [0.0, 3.0]),
        ("identity", [-2.0, 3.0], [-2.0, 3.0]),
        ("softmax", [0.0, np.log(3)], [0.25, 0.75]),
    ],
)
def test_activation_by_hand(name, z, a):
    np.testing.assert_allclose(ACTIVATIONS[name].value(np.array([z])), [a], atol=1e-15)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivative_is_the_slope_of_the_value(name):
    f = ACTIVATIONS[name]
    z = np.linspace(-3.1, 3.0, 17)[None]
    numeric = (f.value(z + 1e-6) - f.value(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(f.derivative(f.value(z)), numeric, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_takes_the_slope_in_a_to_the_slope_in_z(name):
    """L = Σ w·f(z) has the slope w in a; its slope in z is found by trial."""
    f, z, w = ACTIVATIONS[name], rng(1).standard_normal((3, 4)), rng(2).standard_normal((3, 4))

    def loss():
        return (w * f.value(z)).sum()

    numeric = np.reshape([central_difference(loss, z, i) for i in range(z.size)], z.shape)
    np.testing.assert_allclose(f.backward(f.value(z), w), numeric, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_may_write_over_the_slope_it_is_given(name):
    f, slope = ACTIVATIONS[name], rng(2).standard_normal((3, 4))
    a = f.value(rng(1).standard_normal((3, 4)))
    wanted = f.backward(a, slope)
    np.testing.assert_array_equal(f.backward(a, slope, out=slope), wanted)
    assert f.backward(a, slope, out=slope) is slope


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_may_be_taken_in_place(name):
    f, z = ACTIVATIONS[name], rng(1).standard_normal((3, 4))
    wanted = f.value(z)
    assert f.value(z, out=z) is z
    np.testing.assert_array_equal(z, wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_huge_fields_stay_finite_and_keep_their_dtype(name, dtype):
    f = ACTIVATIONS[name]
    a = f.value(np.array([[-1e4, 0.0, 1e4]], dtype=dtype))
    back = f.backward(a, np.ones_like(a))
    assert np.isfinite(a).all()
    assert np.isfinite(back).all()
    assert a.dtype == back.dtype == dtype


def test_unknown_activation_is_answered_with_the_list():
    with pytest.raises(ValueError, match="'sigmoid', 'tanh', 'relu'"):
        make_activation("activations[0]", "swish")


# ---- starting weights


@pytest.mark.parametrize(
    ("how", "deviation"),
    [
        ("zero", 0.0),
        ("small_normal", 0.01),
        ("glorot", np.sqrt(2 / (300 + 100))),  # the variance of U(−r, r) is r²/3 = 2/(n + m)
        ("he", np.sqrt(2 / 300)),
    ],
)
def test_starting_weights_have_the_standard_deviation_of_their_formula(how, deviation):
    W = initialise(300, 100, how, rng(), np.float64)
    assert W.shape == (300, 100)
    np.testing.assert_allclose(W.std(), deviation, rtol=0.02)
    np.testing.assert_allclose(W.mean(), 0, atol=deviation / 40)


def test_glorot_weights_are_uniform_up_to_their_bound():
    bound = np.sqrt(6 / 400)
    size = np.abs(initialise(300, 100, "glorot", rng(), np.float64))
    assert bound * 0.999 < size.max() <= bound
    np.testing.assert_allclose(size.mean(), bound / 2, rtol=0.02)


@pytest.mark.parametrize(("hidden", "how"), [("relu", "he"), ("tanh", "glorot")])
def test_the_start_made_for_an_activation_keeps_signals_alive_through_ten_layers(hidden, how):
    a = rng(1).standard_normal((200, 100))
    for _ in range(10):
        a = ACTIVATIONS[hidden].value(a @ initialise(100, 100, how, rng(2), np.float64))
    dead = rng(1).standard_normal((200, 100))
    for _ in range(10):
        dead = ACTIVATIONS[hidden].value(dead @ initialise(100, 100, "small_normal", rng(2)))
    assert 0.1 < np.sqrt((a**2).mean()) < 3
    assert np.sqrt((dead**2).mean()) < 1e-8


@pytest.mark.parametrize("how", INITIALISATIONS)
def test_starting_weights_have_the_dtype_asked_for_and_follow_the_seed(how):
    W = initialise(4, 3, how, rng(5))
    assert W.dtype == np.float32
    np.testing.assert_array_equal(W, initialise(4, 3, how, rng(5)))


# ---- dropout


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mask_drops_a_share_p_and_scales_the_rest_to_a_mean_of_one(dtype):
    mask = draw_mask(0.2, rng(), np.empty((500, 400), dtype))
    np.testing.assert_allclose(np.unique(mask), [0, 1.25], rtol=1e-6)
    np.testing.assert_allclose((mask == 0).mean(), 0.2, atol=0.005)
    np.testing.assert_allclose(mask.mean(dtype=float), 1, atol=0.005)


@pytest.mark.parametrize(
    ("dropout", "n_layers", "wanted"),
    [
        (None, 3, [0.0, 0.0, 0.0]),
        ((0.2, 0.5), 4, [0.2, 0.5, 0.5, 0.5]),
        ([0.2, 0.5], 2, [0.2, 0.5]),
        ([0.1, 0.2, 0.3], 3, [0.1, 0.2, 0.3]),
        ((0.2, 0.5), 1, [0.2]),
    ],
)
def test_dropout_is_spelled_out_for_input_and_hidden_layers(dropout, n_layers, wanted):
    assert dropout_probabilities(dropout, n_layers) == wanted


@pytest.mark.parametrize(
    ("dropout", "error", "message"),
    [
        (0.5, TypeError, "a pair"),
        ((0.2, 1.0), ValueError, "below 1"),
        ((-0.1, 0.5), ValueError, r"\[0, inf\]"),
        ((0.1, 0.2, 0.3, 0.4), ValueError, "3 probabilities"),
        (("0.1", 0.2), TypeError, "must be a number"),
        ((np.nan, 0.2), ValueError, "finite"),
    ],
)
def test_bad_dropout_is_refused(dropout, error, message):
    with pytest.raises(error, match=message):
        dropout_probabilities(dropout, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 3, "he", rng()), ValueError, "n_in must be at least 1"),
        ((4, 2.5, "he", rng()), TypeError, "n_out must be a whole number"),
        ((4, 3, "xavier", rng()), ValueError, "'glorot'"),
        ((4, 3, "he", 0), TypeError, "default_rng"),
    ],
)
def test_bad_initialisation_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        initialise(*arguments)


def test_masks_of_wrong_number_or_shape_are_refused():
    with pytest.raises(ValueError, match="2 entries"):
        check_masks([None], 5, [3, 4], np.float64)
    with pytest.raises(ValueError, match=r"masks\[1\] must have length 4"):
        check_masks([None, np.ones((5, 3))], 5, [3, 4], np.float64)
