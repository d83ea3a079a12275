"""Optimisers against numbers computed by hand and against scikit-learn's."""

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from dbnlib.network import Network
from dbnlib.optimisers import SGD, Adam
from dbnlib.schedules import linear, step


def run(optimiser, slope, theta0, n_steps, decay=0.0, dtype=np.float64):
    """The values of one parameter θ over the steps, when its slope is `slope(θ)`."""
    theta = np.array([theta0], dtype=dtype)
    optimiser.start([theta], [decay])
    values = [theta0]
    for _ in range(n_steps):
        optimiser.step([np.array([slope(theta[0])], dtype=dtype)], epoch=0)
        values.append(theta[0])
    return np.array(values)


def test_plain_descent_on_a_parabola_shrinks_by_a_fixed_factor():
    # the slope of ½θ² is θ: θ ← (1 − 0.1)θ
    np.testing.assert_allclose(
        run(SGD(0.1), lambda theta: theta, 1.0, 5), 0.9 ** np.arange(6), rtol=1e-12
    )


def test_momentum_by_hand():
    # v: −0.1, −0.05 − 0.09 = −0.14, −0.07 − 0.076 = −0.146
    np.testing.assert_allclose(
        run(SGD(0.1, 0.5), lambda theta: theta, 1.0, 3), [1, 0.9, 0.76, 0.614], rtol=1e-12
    )


def test_momentum_on_a_parabola_obeys_its_two_term_recurrence():
    """θₜ₊₁ = (1 + μ − ε)θₜ − μθₜ₋₁, whose roots give the values in closed form."""
    values = run(SGD(0.2, 0.9), lambda theta: theta, 1.0, 40)
    r1, r2 = np.roots([1, -(1 + 0.9 - 0.2), 0.9])
    c1, c2 = np.linalg.solve([[1, 1], [r1, r2]], [1, 0.8])
    t = np.arange(41)
    np.testing.assert_allclose(values, (c1 * r1**t + c2 * r2**t).real, atol=1e-12)


def test_nesterov_looks_where_the_momentum_carries():
    """Sutskever et al.'s own form, with the slope taken at θ + μv, followed in φ = θ + μv."""
    theta, v, mu, rate = 1.0, 0.0, 0.8, 0.1
    wanted = [1.0]
    for _ in range(6):
        v = mu * v - rate * (theta + mu * v)
        theta = theta + v
        wanted.append(theta + mu * v)
    found = run(SGD(rate, mu, nesterov=True), lambda phi: phi, 1.0, 6)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_adams_first_two_steps_by_hand():
    # g = 2: m̂ = 2 and ŝ = 4, so that the first step is the rate itself.
    # g = 1: m = 0.9·0.2 + 0.1 = 0.28, m̂ = 0.28/0.19 = 1.473684
    #        s = 0.999·0.004 + 0.001 = 0.004996, ŝ = 0.004996/0.001999 = 2.499250
    #        the second step is 0.1·1.473684/1.580902 = 0.0932179
    slopes = iter([2.0, 1.0])
    values = run(Adam(0.1, epsilon=1e-12), lambda theta: next(slopes), 1.0, 2)
    np.testing.assert_allclose(values, [1, 0.9, 0.9 - 0.0932179], atol=1e-7)


def test_adams_epsilon_stands_outside_the_root_of_the_corrected_square():
    # First step: m̂ = g and √ŝ = |g|, whatever the betas: θ − ε·g/(|g| + tiny) with tiny = g = 3
    values = run(Adam(0.5, epsilon=3.0), lambda theta: 3.0, 0.0, 1)
    np.testing.assert_allclose(values[1], -0.25)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_adam_does_not_care_for_the_scale_of_the_loss(scale):
    found = run(Adam(0.1, epsilon=1e-12), lambda theta: scale * theta, 1.0, 20)
    np.testing.assert_allclose(
        found, run(Adam(0.1, epsilon=1e-12), lambda theta: theta, 1.0, 20), rtol=1e-6
    )


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: Adam(0.1)])
def test_weight_decay_is_the_slope_of_half_lambda_times_the_square(make):
    """The optimiser's own decay is the same as a slope that has it already."""
    found = run(make(), lambda theta: np.cos(theta), 2.0, 10, decay=0.3)
    wanted = run(make(), lambda theta: np.cos(theta) + 0.3 * theta, 2.0, 10)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("optimiser", "settings"),
    [
        (SGD(0.1), {"solver": "sgd", "momentum": 0.0}),
        (SGD(0.1, 0.9), {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False}),
        (SGD(0.1, 0.9, nesterov=True), {"solver": "sgd", "momentum": 0.9}),
        (Adam(0.1, epsilon=1e-13), {"solver": "adam", "epsilon": 1e-13}),
    ],
    ids=["plain", "momentum", "nesterov", "adam"],
)
def test_five_steps_with_decay_equal_those_of_scikit_learn(optimiser, settings):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    peer = MLPRegressor(
        hidden_layer_sizes=(4,),
        activation="tanh",
        learning_rate_init=0.1,
        alpha=0.6,
        batch_size=30,
        **settings,
    )
    peer.partial_fit(x, y)  # makes its arrays, which are then set; its optimiser starts anew
    network = Network.random([3, 4, 1], rng, hidden="tanh", output="identity", dtype=np.float64)
    peer.coefs_ = [W.copy() for W in network.weights]
    peer.intercepts_ = [b.copy() for b in network.biases]
    del peer._optimizer
    # scikit-learn divides its alpha by the number of rows: 0.6/30
    optimiser.start(network.weights + network.biases, [0.02, 0.02, 0, 0])
    for _ in range(5):
        dW, db = network.gradients(x, y)
        optimiser.step(dW + db, epoch=0)
        peer.partial_fit(x, y)
    for ours, theirs in zip(
        network.weights + network.biases, peer.coefs_ + peer.intercepts_, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: Adam(0.1)])
def test_steps_leave_gradients_and_dtype_alone(make):
    theta, g = np.ones((2, 3), np.float32), np.full((2, 3), 0.5, np.float32)
    optimiser = make()
    optimiser.start([theta], [0.1])
    optimiser.step([g], epoch=0)
    np.testing.assert_array_equal(g, 0.5)
    assert theta.dtype == np.float32
    assert {a.dtype.name for a in optimiser.memory().values()} == {"float32", "int64"}


def test_rates_and_momenta_follow_the_epoch():
    theta = np.zeros(1)
    optimiser = SGD(linear(1.0, 0.0, 2), step(0.0, 0.5, 1))
    optimiser.start([theta])
    optimiser.step([np.ones(1)], epoch=0)  # v = −1
    optimiser.step([np.ones(1)], epoch=1)  # v = −0.5 − 0.5
    np.testing.assert_allclose(theta, -2)


@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: Adam(0.1)])
def test_steps_are_counted(make):
    optimiser = make()
    run(optimiser, lambda theta: theta, 1.0, 3)
    assert optimiser.memory()["steps"] == 3


def test_starting_again_forgets_the_velocities():
    theta, optimiser = np.zeros(1), SGD(0.1, 0.9)
    optimiser.start([theta])
    optimiser.step([np.ones(1)], epoch=0)
    optimiser.start([theta])
    assert {name: a.sum() for name, a in optimiser.memory().items()} == {
        "steps": 0,
        "velocity_0": 0,
    }


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD(-0.1), ValueError, "learning_rate"),
        (lambda: SGD("0.1"), TypeError, "learning_rate"),
        (lambda: SGD(0.1, 1.5), ValueError, "momentum"),
        (lambda: Adam(np.nan), ValueError, "learning_rate"),
        (lambda: Adam(beta1=1.0), ValueError, "below 1"),
        (lambda: Adam(beta2=-0.1), ValueError, "beta2"),
        (lambda: Adam(epsilon=0.0), ValueError, "epsilon"),
        (lambda: SGD(0.1).start([np.zeros(2)], [0.1, 0.1]), ValueError, "each of the 1 parameters"),
    ],
)
def test_bad_settings_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
