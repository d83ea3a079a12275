"""The network against finite differences, hand-computed numbers and scikit-learn's perceptrons."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from dbnlib import storage
from dbnlib.layers import ACTIVATIONS, Sigmoid
from dbnlib.losses import LOSSES
from dbnlib.network import CHUNK, Network

HIDDEN = ("sigmoid", "tanh", "relu", "identity")
OUTPUTS = [(output, loss.name) for loss in LOSSES.values() for output in loss.outputs]


def example(sizes=(5, 4, 3), *, n_rows=7, seed=0, dtype=np.float64, **options):
    """A network with weights and biases of order 1, inputs, and targets that fit every loss."""
    rng = np.random.default_rng(seed)
    network = Network.random(sizes, rng, initialisation="he", dtype=dtype, **options)
    for b in network.biases:
        b[:] = rng.standard_normal(b.shape)
    return (
        network,
        rng.standard_normal((n_rows, sizes[0])),
        rng.dirichlet(np.ones(sizes[-1]), n_rows),
    )


# ---- forward


def test_forward_by_hand():
    network = Network(
        [np.array([[1.0], [2.0]]), [[np.log(3)]]], [[-3.0], [0.0]], ["relu", "sigmoid"]
    )
    x, hidden, output = network.forward([[2.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(x, [[2, 1], [0, 0]])
    np.testing.assert_array_equal(hidden, [[1], [0]])
    np.testing.assert_allclose(output, [[0.75], [0.5]])


@pytest.mark.parametrize("n_rows", [1, 7, 2 * CHUNK + 1])
def test_prediction_is_the_last_activation_however_many_rows(n_rows):
    network, x, _ = example(n_rows=n_rows)
    np.testing.assert_allclose(network.predict(x), network.forward(x)[-1], rtol=1e-12)


def test_prediction_leaves_the_input_alone():
    network, x, _ = example(hidden="relu")
    before = x.copy()
    network.predict(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("given", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_weights_governs(dtype, given):
    network, x, y = example(dtype=dtype)
    x, y = x.astype(given), y.astype(given)
    masks = [np.ones((7, 5)), None]
    dW, db = network.gradients(x, y, masks=masks)
    arrays = [network.predict(x), *network.forward(x), *dW, *db]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


# ---- loss and gradients


@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradients_are_the_slopes_of_the_loss(hidden, output, loss):
    network, x, y = example((5, 4, 3, 3), hidden=hidden, output=output, loss=loss, seed=3)
    assert network.check_gradients(x, y) < 1e-6


@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), (5, 4, 4, 4, 4, 3)])
def test_gradients_are_right_at_every_depth(sizes):
    network, x, y = example(sizes, hidden="tanh")
    assert network.check_gradients(x, y) < 1e-6


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_gradients_are_right_under_fixed_dropout_masks(output):
    network, x, y = example((5, 4, 3, 3), hidden="tanh", output=output)
    rng = np.random.default_rng(1)
    masks = [(rng.random((7, size)) < 0.6) / 0.6 for size in (5, 4, 3)]
    assert network.check_gradients(x, y, masks=masks) < 1e-6


def test_a_mask_of_ones_changes_nothing_and_a_mask_of_zeros_cuts_the_path():
    network, x, y = example()
    ones, zeros = [np.ones((7, 5)), np.ones((7, 4))], [None, np.zeros((7, 4))]
    assert network.loss(x, y, masks=ones) == network.loss(x, y)
    dW, _ = network.gradients(x, y, masks=zeros)
    assert [np.abs(slope).max() for slope in dW] == [0, 0]


def test_known_error_02_every_layer_has_its_own_derivative():
    """Slope over finite difference is 1 in every array, not about 5 in the hidden ones."""
    network, x, y = example((5, 4, 4, 3), hidden="sigmoid", output="sigmoid")
    dW, db = network.gradients(x, y)
    for array, slope in zip(network.weights + network.biases, dW + db, strict=True):
        numeric = np.empty_like(array)
        for index in np.ndindex(array.shape):
            array[index] += 1e-6
            above = network.loss(x, y)
            array[index] -= 2e-6
            numeric[index] = (above - network.loss(x, y)) / 2e-6
            array[index] += 1e-6
        np.testing.assert_allclose(slope, numeric, rtol=1e-4, atol=1e-9)


def test_known_error_02_would_be_found_by_the_check(monkeypatch):
    monkeypatch.setattr(Sigmoid, "backward", lambda self, a, slope, out=None: slope)
    network, x, y = example((5, 4, 4, 3), hidden="sigmoid")
    assert network.check_gradients(x, y) > 0.5


def test_known_error_03_the_gradient_of_few_rows_is_divided_by_their_number():
    """The slope of a mean: 7 rows weigh 4 + 3, each part by its own length."""
    network, x, y = example()
    whole, first, last = (network.gradients(x[s], y[s])[0] for s in np.s_[:, :4, 4:])
    for all_rows, four, three in zip(whole, first, last, strict=True):
        np.testing.assert_allclose(all_rows, (4 * four + 3 * three) / 7, rtol=1e-12, atol=1e-15)


def test_loss_and_error_of_many_rows_weigh_their_chunks_by_length():
    network, x, y = example(n_rows=CHUNK + 3)
    found = network.evaluate(x, y)
    wrong = network.predict(x).argmax(axis=1) != y.argmax(axis=1)
    np.testing.assert_allclose(found["loss"], network.loss(x, y), rtol=1e-12)
    assert found["error"] == wrong.mean()


def test_gradient_norms_are_those_of_the_weight_gradients():
    network, x, y = example()
    wanted = [np.sqrt((dW**2).sum()) for dW in network.gradients(x, y)[0]]
    np.testing.assert_allclose(network.gradient_norms(x, y), wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_known_error_08_fields_of_ten_thousand_give_finite_loss_and_slopes(output, loss, dtype):
    network, x, y = example(output=output, loss=loss, dtype=dtype)
    network.biases[-1][:] = [1e4, -1e4, 0]
    dW, db = network.gradients(x, y)
    assert np.isfinite(network.loss(x, y))
    assert all(np.isfinite(slope).all() for slope in dW + db)


# ---- scikit-learn


def peer_of(network, kind, hidden, y_fit, x):
    """scikit-learn's network with the same weights, one full-batch step of rate 1 ahead of it."""
    peer = kind(
        hidden_layer_sizes=tuple(network.sizes[1:-1]),
        activation={"sigmoid": "logistic"}.get(hidden, hidden),
        solver="sgd",
        learning_rate_init=1.0,
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=0.0,
        batch_size=len(x),
    )
    options = {"classes": np.unique(y_fit)} if kind is MLPClassifier else {}
    peer.partial_fit(x, y_fit, **options)
    peer.coefs_ = [W.copy() for W in network.weights]
    peer.intercepts_ = [b.copy() for b in network.biases]
    return peer


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_output_loss_and_gradients_equal_those_of_mlp_classifier(hidden, n_classes):
    n_outputs, output = (1, "sigmoid") if n_classes == 2 else (3, "softmax")
    network, x, _ = example((5, 4, 3, n_outputs), n_rows=30, hidden=hidden, output=output)
    y = np.random.default_rng(2).permutation(np.arange(30) % n_classes)
    peer = peer_of(network, MLPClassifier, hidden, y, x)
    theirs = peer.predict_proba(x)
    np.testing.assert_allclose(network.predict(x), theirs[:, 1:] if n_classes == 2 else theirs)
    assert_step_and_loss_are_equal(network, peer, x, y)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_output_loss_and_gradients_equal_those_of_mlp_regressor(hidden):
    network, x, y = example((5, 4, 3, 1), n_rows=30, hidden=hidden, output="identity")
    y = x[:, 0] * x[:, 1]
    peer = peer_of(network, MLPRegressor, hidden, y, x)
    np.testing.assert_allclose(network.predict(x)[:, 0], peer.predict(x))
    assert_step_and_loss_are_equal(network, peer, x, y)


def assert_step_and_loss_are_equal(network, peer, x, y):
    peer.partial_fit(x, y)
    dW, db = network.gradients(x, y)
    for array, slope, after in zip(
        network.weights + network.biases, dW + db, peer.coefs_ + peer.intercepts_, strict=True
    ):
        np.testing.assert_allclose(array - slope, after, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(network.loss(x, y), peer.loss_, rtol=1e-9)


# ---- targets


def test_class_numbers_are_as_good_as_one_hot_rows():
    network, x, _ = example()
    classes = np.array([0, 1, 2, 0, 1, 2, 2])
    assert network.loss(x, classes) == network.loss(x, np.eye(3)[classes])


def test_a_vector_of_targets_is_a_column_for_a_single_output():
    network, x, y = example((5, 4, 1), output="identity")
    assert network.loss(x, y[:, 0]) == network.loss(x, y)


@pytest.mark.parametrize(
    ("output", "loss", "sizes", "answer"),
    [
        ("softmax", None, (5, 3), True),
        ("softmax", "squared_error", (5, 3), True),
        ("sigmoid", None, (5, 1), True),
        ("sigmoid", None, (5, 3), False),
        ("sigmoid", "squared_error", (5, 1), False),
        ("identity", None, (5, 3), False),
    ],
)
def test_which_networks_have_an_error_rate(output, loss, sizes, answer):
    network, x, y = example(sizes, output=output, loss=loss)
    assert ("error" in network.evaluate(x, y)) == answer


# ---- making, copying, storing


def test_a_network_holds_copies_of_what_it_is_made_from():
    W = np.ones((2, 1))
    network = Network([W], [[0.0]], ["identity"])
    W[:] = 0
    assert network.weights[0].sum() == 2


def test_a_copy_is_equal_and_its_own():
    network, x, _ = example(dtype=np.float32)
    copy = network.copy()
    np.testing.assert_array_equal(copy.predict(x), network.predict(x))
    copy.weights[0][:] = 0
    assert network.weights[0].any()
    assert network.copy(np.float64).dtype == np.float64


def test_a_stored_network_computes_the_same_bits(tmp_path):
    network, x, y = example(output="sigmoid", loss="squared_error", hidden="tanh", dtype=np.float32)
    loaded = storage.load(storage.save(tmp_path / "network.npz", network))
    assert repr(loaded) == repr(network)
    np.testing.assert_array_equal(loaded.predict(x), network.predict(x))
    assert loaded.loss(x, y) == network.loss(x, y)


def test_a_random_network_follows_the_seed_and_not_the_global_state():
    first = Network.random([5, 4, 3], np.random.default_rng(1))
    second = Network.random([5, 4, 3], np.random.default_rng(1))
    assert first.dtype == np.float32
    for W1, W2 in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(W1, W2)


def test_repr_says_what_the_network_is():
    network, _, _ = example(hidden="relu", dtype=np.float32)
    assert repr(network) == ("Network(5-4-3: relu, softmax; categorical_cross_entropy, float32)")


ONES = np.ones


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network([], [], []), "one entry a layer"),
        (lambda: Network([ONES((2, 3))], [ONES(3)], ["relu", "relu"]), "one entry a layer"),
        (lambda: Network([ONES((2, 3))], [ONES(2)], ["relu"]), r"biases\[0\] must have length 3"),
        (
            lambda: Network([ONES((2, 3)), ONES((2, 3))], [ONES(3)] * 2, ["relu"] * 2),
            r"weights\[1\] must have length 3",
        ),
        (lambda: Network([[[np.nan]]], [[0.0]], ["relu"]), "NaN"),
        (lambda: Network([[[1.0]]], [[0.0]], ["gelu"]), "must be one of"),
        (lambda: Network([[[1.0]]], [[0.0]], ["softmax"]), "always 1"),
        (
            lambda: Network([ONES((2, 2))] * 2, [ONES(2)] * 2, ["softmax", "softmax"]),
            "only be the last",
        ),
        (
            lambda: Network([[[1.0]]], [[0.0]], ["relu"], loss="binary_cross_entropy"),
            "needs 'sigmoid'",
        ),
        (lambda: Network.random([5], np.random.default_rng(0)), "input and output"),
        (lambda: Network.random([5, 0], np.random.default_rng(0)), r"sizes\[1\]"),
    ],
)
def test_parameters_that_make_no_network_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (ONES(5), [0], ValueError, r"x\[None, :\]"),
        (ONES((2, 4)), [0, 1], ValueError, "x must have length 5 along axis 1"),
        (np.full((2, 5), np.nan), [0, 1], ValueError, "10 values that are NaN"),
        (np.zeros((0, 5)), [], ValueError, "empty"),
        (ONES((2, 5)), [0, 1, 2], ValueError, "3 rows for 2 inputs"),
        (ONES((2, 5)), [0, 3], ValueError, "whole numbers from 0 to 2"),
        (ONES((2, 5)), ["a", "b"], TypeError, "real numbers"),
        (ONES((2, 5)), np.eye(2), ValueError, "y must have length 3"),
        (ONES((2, 5)), ONES((2, 3)), ValueError, "sum to 1"),
    ],
)
def test_bad_pairs_are_refused(x, y, error, message):
    network, _, _ = example()
    with pytest.raises(error, match=message):
        network.gradients(x, y)


def test_every_activation_has_been_tried():
    assert {*HIDDEN, "softmax"} == set(ACTIVATIONS)


def test_activations_are_arrays_of_their_own():
    x = np.zeros((2, 3))
    Network.random([3, 2], np.random.default_rng(0), dtype=np.float64).forward(x)[0][...] = 1
    assert not x.any()


def test_a_dtype_that_is_none_and_sizes_that_are_none_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="dtype must be numpy.float32 or numpy.float64"):
        Network.random([3, 2], rng).copy(int)
    with pytest.raises(TypeError, match=r"sizes must be a list such as \[784, 500, 10\], got 5"):
        Network.random(5, rng)


def test_inputs_beyond_float32_are_refused_by_name():
    with pytest.raises(ValueError, match="x holds values up to 1e.39, more than float32 can hold"):
        Network.random([1, 2], np.random.default_rng(0)).predict([[1e39]])
