"""Training: what it learns, what it reports, how it stops, and that nothing is lost."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

from dbnlib.checks import DivergenceError, StorageError
from dbnlib.loop import InterruptedTrainingWarning
from dbnlib.network import Network
from dbnlib.network_training import bound_columns, train_network
from dbnlib.optimisers import SGD, Adam
from dbnlib.schedules import linear, step


def rng(seed=0):
    return np.random.default_rng(seed)


def moons(n_rows=200, seed=0):
    return make_moons(n_rows, noise=0.1, random_state=seed)


def problem(n_rows=50, seed=0, dtype=np.float64):
    """A small classifier, and noisy pairs that it can only learn by heart."""
    network = Network.random([5, 8, 3], rng(seed), hidden="tanh", dtype=dtype)
    return network, rng(1).standard_normal((n_rows, 5)), rng(2).integers(0, 3, n_rows)


def arrays_of(network):
    return list(network.parameters().values())


def assert_same_bits(network, other):
    for ours, theirs in zip(arrays_of(network), arrays_of(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ---- what it learns


@pytest.mark.parametrize("optimiser", [SGD(0.5, 0.9), Adam(0.02)], ids=["momentum", "adam"])
def test_two_moons_are_told_apart(optimiser):
    network = Network.random([2, 16, 1], rng(), hidden="tanh", output="sigmoid")
    train_network(network, *moons(), epochs=100, optimiser=optimiser, rng=rng(1), batch_size=20)
    assert network.evaluate(*moons(seed=1))["error"] <= 0.05


def test_known_error_10_the_start_was_to_blame_and_not_the_optimiser():
    """2-4-6-6-4-1, 2000 plain steps: He's start learns the moons, 0.1·N(0, 1) has not moved."""
    x, y = moons()

    def after(rate, *, shrunk):
        network = Network.random(
            [2, 4, 6, 6, 4, 1],
            rng(),
            hidden="relu",
            output="sigmoid",
            initialisation="he",
            dtype=np.float64,
        )
        if shrunk:
            for W in network.weights:
                W[:] = 0.1 * rng(1).standard_normal(W.shape)
        options = {"epochs": 2000, "batch_size": len(x), "rng": rng(2)}
        train_network(network, x, y, optimiser=SGD(rate), **options)
        return network.evaluate(x, y)

    # The loss of a coin is log 2 = 0.693.
    assert after(0.01, shrunk=True)["loss"] > 0.69
    assert after(0.1, shrunk=True)["loss"] > 0.69
    assert after(0.1, shrunk=False)["error"] <= 0.05


def test_an_autoencoder_learns_to_copy_through_fewer_units():
    network = Network.random([8, 3, 8], rng(), output="sigmoid", dtype=np.float64)
    train_network(
        network, np.eye(8), np.eye(8), epochs=1500, optimiser=Adam(0.05), rng=rng(1), batch_size=8
    )
    assert (network.predict(np.eye(8)).argmax(axis=1) == np.arange(8)).all()


# ---- each step is what the formulas say


def test_an_epoch_is_the_plain_gradient_steps_with_decay_in_the_drawn_order():
    network, x, y = problem()
    plain, order = network.copy(), rng(3).permutation(50)
    train_network(
        network, x, y, epochs=1, optimiser=SGD(0.1), rng=rng(3), batch_size=20, weight_decay=0.02
    )
    for rows in (order[:20], order[20:40], order[40:]):
        dW, db = plain.gradients(x[rows], y[rows])
        for W, slope in zip(plain.weights, dW, strict=True):
            W -= 0.1 * (slope + 0.02 * W)
        for b, slope in zip(plain.biases, db, strict=True):
            b -= 0.1 * slope
    for ours, wanted in zip(arrays_of(network), arrays_of(plain), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-10, atol=1e-14)


def test_decay_shrinks_weights_and_leaves_biases_where_nothing_is_to_learn():
    network = Network([[[2.0]]], [[3.0]], ["identity"])
    options = {"epochs": 4, "rng": rng(), "weight_decay": 0.5}
    # The input is 0 and the target the bias: the loss has no slope, only the penalty has.
    train_network(network, [[0.0]], [[3.0]], optimiser=SGD(0.1), **options)
    np.testing.assert_allclose(network.weights[0], 2 * 0.95**4)
    np.testing.assert_array_equal(network.biases[0], 3)


def test_columns_beyond_the_bound_are_shrunk_to_it_and_others_left():
    W = np.array([[3.0, 0.3], [4.0, 0.4]])
    bound_columns(W, 2.0)
    np.testing.assert_allclose(W, [[1.2, 0.3], [1.6, 0.4]])


def test_max_norm_holds_for_the_weights_into_every_unit():
    network, x, y = problem()
    options = {"epochs": 5, "rng": rng(3), "batch_size": 10, "max_norm": 0.7}
    train_network(network, x, y, optimiser=SGD(0.5), **options)
    norms = np.concatenate([np.linalg.norm(W, axis=0) for W in network.weights])
    assert norms.max() <= 0.7 * (1 + 1e-12)
    assert np.isclose(norms, 0.7).any()


def test_dropout_trains_what_the_whole_network_predicts_on_average():
    """One linear unit, inputs dropped with p = ½: the answer is ridge regression in closed form.

    E[(Σ mᵢxᵢwᵢ − y)²] = (x·w − y)² + p/(1−p) Σ xᵢ²wᵢ²   (Srivastava et al. 2014, section 9.1)
    """
    x = rng(1).standard_normal((40, 3))
    y = x @ [1.0, -2.0, 0.5]
    network = Network([np.zeros((3, 1))], [[0.0]], ["identity"])
    options = {"epochs": 4000, "rng": rng(2), "batch_size": 40, "dropout": [0.5]}
    train_network(network, x, y, optimiser=SGD(linear(0.1, 0.0, 4000)), **options)
    design = np.hstack([x, np.ones((40, 1))])
    penalty = np.diag([*(x**2).sum(axis=0), 0])
    wanted = np.linalg.solve(design.T @ design + penalty, design.T @ y)
    found = [*network.weights[0][:, 0], network.biases[0][0]]
    np.testing.assert_allclose(found, wanted, atol=0.03)


# ---- what it reports


def test_known_error_03_the_reported_loss_weighs_batches_by_their_rows():
    """At rate 0 the weights stand still, and the loss of an epoch is that of all rows."""
    network, x, y = problem()
    history = train_network(
        network, x, y, epochs=2, optimiser=SGD(0.0), rng=rng(3), batch_size=15, gradient_norms=True
    )
    truth = network.evaluate(x, y)
    np.testing.assert_allclose(history["loss"], truth["loss"], rtol=1e-12)
    np.testing.assert_allclose(history["error"], truth["error"], rtol=1e-12)


def test_gradient_norms_are_recorded_layer_by_layer():
    network, x, y = problem()
    options = {"epochs": 1, "rng": rng(3), "batch_size": 50, "gradient_norms": True}
    wanted = network.gradient_norms(x, y)
    history = train_network(network, x, y, optimiser=SGD(0.1), **options)
    assert history.names == ["loss", "error", "gradient_norm_1", "gradient_norm_2"]
    found = [history["gradient_norm_1"][0], history["gradient_norm_2"][0]]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_a_regression_reports_no_error_rate():
    network = Network.random([5, 4, 2], rng(), output="identity")
    x = rng(1).standard_normal((10, 5))
    options = {"epochs": 1, "rng": rng(), "held_out": (x, x[:, :2])}
    history = train_network(network, x, x[:, :2], optimiser=SGD(0.1), **options)
    assert history.names == ["loss", "held_out_loss"]


# ---- how it stops


@pytest.mark.parametrize(("patience", "stops"), [(3, True), (500, False)])
def test_early_stopping_returns_the_weights_of_the_best_epoch(patience, stops):
    network, x, y = problem()
    held_out = problem(seed=0)[1][::-1] + 0.5, y
    history = train_network(
        network,
        x,
        y,
        epochs=60,
        optimiser=Adam(0.03),
        rng=rng(3),
        batch_size=10,
        held_out=held_out,
        patience=patience,
    )
    losses = history["held_out_loss"]
    assert history.stopped_early == stops
    assert losses[-1] > losses.min()
    assert network.evaluate(*held_out)["loss"] == losses.min()
    if stops:
        assert len(history) == losses.argmin() + 1 + patience


def test_ctrl_c_leaves_the_last_finished_epoch():
    def rate(epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return 0.1

    network, x, y = problem()
    other = network.copy()
    # The held-out targets are the first outputs: each epoch is worse, and the last one is left.
    options = {"rng": rng(3), "held_out": (x, network.predict(x)), "patience": 9}
    with pytest.warns(InterruptedTrainingWarning):
        train_network(network, x, y, epochs=9, optimiser=SGD(rate), **options)
    train_network(other, x, y, epochs=2, optimiser=SGD(0.1), rng=rng(3))
    assert_same_bits(network, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_known_error_08_divergence_is_an_error_that_leaves_finite_weights(hidden, dtype):
    network = Network.random([5, 8, 8, 3], rng(), hidden=hidden, output="identity", dtype=dtype)
    _, x, y = problem()
    options = {"epochs": 200, "rng": rng(3), "batch_size": 10}
    with pytest.raises(DivergenceError, match=r"learning rate, 1e\+06, .* a tenth"):
        train_network(network, x, np.eye(3)[y], optimiser=SGD(1e6, 0.9), **options)
    assert all(np.isfinite(array).all() for array in arrays_of(network))


def test_divergence_on_unscaled_inputs_says_to_scale_them():
    network, x, _ = problem()
    network = Network.random([5, 1], rng(), output="identity")
    with pytest.raises(DivergenceError, match=r"inputs reach 2\d\d\.\d+: scale them"):
        train_network(network, 100 * x, x[:, 0], epochs=50, optimiser=SGD(0.1), rng=rng(3))


# ---- nothing is lost, nothing is left to chance


def test_the_same_seed_gives_the_same_bits_whatever_else_was_drawn():
    first, x, y = problem()
    second = first.copy()
    options = {"epochs": 3, "batch_size": 20, "dropout": (0.2, 0.5)}
    train_network(first, x, y, optimiser=SGD(0.1), rng=rng(3), **options)
    np.random.random()  # noqa: NPY002  (somebody else's draw from the global state)
    train_network(second, x, y, optimiser=SGD(0.1), rng=rng(3), **options)
    assert_same_bits(first, second)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "optimiser", [lambda: SGD(linear(0.1, 0.0, 6), step(0.5, 0.9, 2)), lambda: Adam(0.02)]
)
def test_a_resumed_run_ends_in_the_same_bits(tmp_path, optimiser, dtype):
    whole, x, y = problem(dtype=dtype)
    parts = whole.copy()
    options = {"batch_size": 20, "weight_decay": 1e-3, "dropout": (0.2, 0.5), "max_norm": 2.0}
    options |= {"held_out": (x[:9] + 0.1, y[:9]), "patience": 4}
    path = tmp_path / "run.npz"
    wanted = train_network(whole, x, y, epochs=6, optimiser=optimiser(), rng=rng(3), **options)
    train_network(
        parts, x, y, epochs=3, optimiser=optimiser(), rng=rng(3), checkpoint=path, **options
    )
    # another process: a new network, a new optimiser and a generator at its seed
    parts = problem(dtype=dtype)[0]
    found = train_network(
        parts, x, y, epochs=6, optimiser=optimiser(), rng=rng(3), checkpoint=path, **options
    )
    assert_same_bits(whole, parts)
    assert found.records == wanted.records


def test_a_resumed_run_still_knows_the_best_epoch_before_it(tmp_path):
    network, x, y = problem()
    options = {"optimiser": SGD(0.1), "checkpoint": tmp_path / "run.npz", "patience": 9}
    # The held-out targets are the first outputs, from which each epoch leads further away.
    options |= {"held_out": (x, network.predict(x))}
    train_network(network, x, y, epochs=2, rng=rng(3), **options)
    resumed = problem()[0]
    history = train_network(resumed, x, y, epochs=4, rng=rng(3), **options)
    assert history["held_out_loss"].argmin() == 0
    assert_same_bits(network, resumed)


@pytest.mark.parametrize(
    "change",
    [
        {"optimiser": SGD(0.2)},
        {"weight_decay": 0.1},
        {"dropout": (0.1, 0.1)},
        {"max_norm": 1.0},
        {"held_out": "two rows"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_checkpoint_of_another_run_is_refused(tmp_path, change):
    network, x, y = problem()
    options = {"epochs": 1, "optimiser": SGD(0.1), "checkpoint": tmp_path / "run.npz"}
    train_network(network, x, y, rng=rng(), **options)
    if "held_out" in change:
        change = {"held_out": (x[:2], y[:2])}
    with pytest.raises(StorageError, match=next(iter(change))):
        train_network(network, x, y, rng=rng(), **options | change)


def test_a_checkpoint_needs_schedules_that_it_can_know_again(tmp_path):
    network, x, y = problem()
    with pytest.raises(ValueError, match=r"dbnlib\.schedules"):
        train_network(
            network,
            x,
            y,
            epochs=1,
            optimiser=SGD(lambda epoch: 0.1),
            rng=rng(),
            checkpoint=tmp_path / "run.npz",
        )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"network": "net"}, TypeError, "must be a Network"),
        ({"x": np.ones((50, 4))}, ValueError, "x must have length 5"),
        ({"x": np.full((50, 5), np.inf)}, ValueError, "NaN or infinite"),
        ({"y": np.zeros(49, int)}, ValueError, "49 rows for 50 inputs"),
        ({"y": np.eye(4)[np.zeros(50, int)]}, ValueError, "y must have length 3"),
        ({"epochs": -1}, ValueError, "epochs"),
        ({"optimiser": 0.1}, TypeError, r"SGD\(...\) or Adam"),
        ({"rng": 0}, TypeError, "default_rng"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"weight_decay": -1e-4}, ValueError, "weight_decay"),
        ({"dropout": (0.2, 1.0)}, ValueError, "below 1"),
        ({"max_norm": 0.0}, ValueError, "max_norm"),
        ({"patience": 3}, ValueError, "patience needs held-out rows"),
        ({"held_out": np.ones((3, 5))}, TypeError, "pair"),
        ({"held_out": (np.ones((3, 4)), [0, 0, 0])}, ValueError, "held_out x must have length 5"),
        ({"held_out": (np.ones((3, 5)), [0, 0])}, ValueError, "held_out y has 2 rows"),
    ],
)
def test_bad_settings_are_refused(change, error, message):
    network, x, y = problem()
    settings = {"network": network, "x": x, "y": y}
    settings |= {"epochs": 1, "optimiser": SGD(0.1), "rng": rng()}
    with pytest.raises(error, match=message):
        train_network(**settings | change)


def test_a_network_with_its_best_weights_goes_on_from_its_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)), rng.integers(0, 2, 40)
    held_out = rng.random((20, 3)), rng.integers(0, 2, 20)

    def fit(network, epochs, checkpoint=None):
        settings = {"held_out": held_out, "patience": 20, "checkpoint": checkpoint}
        settings |= {"optimiser": SGD(1.0, 0.9), "rng": np.random.default_rng(2)}
        train_network(network, x, y, epochs=epochs, **settings)
        return network.weights[0]

    straight, again = (Network.random([3, 8, 2], np.random.default_rng(1)) for _ in range(2))
    expected = fit(straight, 12)
    fit(again, 6, tmp_path / "run.npz")
    np.testing.assert_array_equal(fit(again, 12, tmp_path / "run.npz"), expected)
