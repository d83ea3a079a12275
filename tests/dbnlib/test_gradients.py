"""The exact gradient against finite differences, and the estimators against the exact gradient."""

import numpy as np
import pytest

from dbnlib.data import bars_and_stripes
from dbnlib.exact import log_likelihood, model_moments
from dbnlib.gradients import CD, PCD, ExactGradient, Gradient, centred_gradient
from dbnlib.rbm import RBM
from dbnlib.sampling import run_chain
from dbnlib.tempering import PT


@pytest.fixture
def data(rng):
    return rng.integers(0, 2, size=(6, 4)).astype(float)


def gradient_of(estimator, rbm, v, rng, **settings):
    estimator.start(rbm, len(v), rng)
    gradient = estimator.gradient(rbm, v, rng, **settings)
    return Gradient(*[array.copy() for array in gradient])


def flat(gradient):
    return np.concatenate([gradient.W.ravel(), gradient.b, gradient.c])


def averaged(estimator, rbm, v, rng, repeats):
    """Mean and standard error of many estimates, all rows of a large batch in one."""
    estimates = np.array([flat(gradient_of(estimator, rbm, v, rng)) for _ in range(repeats)])
    return estimates.mean(axis=0), estimates.std(axis=0, ddof=1) / np.sqrt(repeats)


@pytest.mark.parametrize("visible", ["bernoulli", "softmax", "gaussian"])
@pytest.mark.parametrize("hidden", ["bernoulli", "softmax"])
def test_exact_gradient_is_the_slope_of_the_log_likelihood(visible, hidden, rng, finite_difference):
    W = 0.5 * rng.normal(size=(4, 3))
    rbm = RBM(W, rng.normal(size=4), rng.normal(size=3), visible=visible, hidden=hidden)
    v = rbm.visible.sample(rng.normal(size=(5, 4)), rng)
    gradient = gradient_of(ExactGradient(), rbm, v, rng)
    for name in "Wbc":
        slope = finite_difference(lambda: log_likelihood(rbm, v).mean(), getattr(rbm, name))
        error = abs(getattr(gradient, name) - slope).max() / abs(slope).max()
        assert error < 1e-6, name


def test_cd_1_has_the_mean_that_enumeration_gives(rbm, enumerated, rng):
    # E[CD-1] by sums: v0 → h → v1, with p1 = E[h | v1]
    v0 = np.array([[1.0, 0.0, 1.0, 1.0]])
    row = int(v0[0] @ [8, 4, 2, 1])
    p_h = enumerated.p[row] / enumerated.p_v[row]
    p_v1 = p_h @ (enumerated.p / enumerated.p_h).T
    p1 = rbm.hidden_mean(enumerated.v)
    expected = Gradient(
        v0.T @ rbm.hidden_mean(v0) - (p_v1[:, None] * enumerated.v).T @ p1,
        v0[0] - p_v1 @ enumerated.v,
        rbm.hidden_mean(v0)[0] - p_v1 @ p1,
        None,
        None,
    )
    mean, error = averaged(CD(1), rbm, np.tile(v0, (2000, 1)), rng, 50)
    assert (abs(mean - flat(expected)) < 5 * error + 1e-9).all()


def test_the_mean_cd_k_update_tends_to_the_exact_gradient(rng):
    rbm = RBM(1.5 * rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3))
    v = np.repeat(rng.integers(0, 2, size=(4, 4)).astype(float), 5000, axis=0)
    exact = flat(gradient_of(ExactGradient(), rbm, v, rng))
    bias = []
    for k in (1, 4, 64):
        mean, _ = averaged(CD(k), rbm, v, rng, 8)
        bias.append(abs(mean - exact).max())
    assert bias[0] > 2 * bias[1] > 4 * bias[2]
    assert bias[0] > 0.02
    assert bias[2] < 0.004


def test_persistent_chains_with_fixed_weights_give_the_exact_negative_phase(rbm, data, rng):
    estimator = PCD(1, n_chains=500)
    estimator.start(rbm, len(data), rng)
    for _ in range(50):
        estimator.gradient(rbm, data, rng)
    estimates = np.array([flat(estimator.gradient(rbm, data, rng)) for _ in range(400)])
    exact = flat(gradient_of(ExactGradient(), rbm, data, rng))
    assert abs(estimates.mean(axis=0) - exact).max() < 0.01


# Bernoulli units are drawn by their mean, rectified ones by their field
@pytest.mark.parametrize("hidden", ["bernoulli", "relu"])
def test_persistent_chains_go_on_where_they_were(hidden, data, rng):
    rbm = RBM(rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3), hidden=hidden)
    estimator = PCD(1, n_chains=3)
    estimator.start(rbm, len(data), rng)
    estimator.gradient(rbm, data, rng)
    chains = estimator.memory()["chains"].copy()
    estimator.gradient(rbm, 1 - data, np.random.default_rng(8))
    # one Gibbs step from `chains` with the same draws, the data playing no part in it
    again = np.random.default_rng(8)
    v1 = rbm.sample_visible(chains, again)
    np.testing.assert_allclose(estimator.memory()["chains"], rbm.sample_hidden(v1, again))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3])
def test_the_buffered_step_is_the_textbook_step(k, dtype, rng):
    rbm = RBM(rng.normal(size=(12, 7)).astype(dtype), rng.normal(size=12), rng.normal(size=7))
    v0 = rng.random((9, 12)).astype(dtype)
    fast = gradient_of(CD(k), rbm, v0, np.random.default_rng(4))

    again = np.random.default_rng(4)
    p0 = rbm.hidden_mean(v0)
    h = rbm.sample_hidden(v0, again)
    for step in range(k):
        v1 = rbm.sample_visible(h, again)
        if step < k - 1:
            h = rbm.sample_hidden(v1, again)
    p1 = rbm.hidden_mean(v1)
    n = len(v0)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(fast.W, v0.T @ p0 / n - v1.T @ p1 / n, atol=tolerance)
    np.testing.assert_allclose(fast.b, (v0 - v1).mean(axis=0), atol=tolerance)
    np.testing.assert_allclose(fast.c, (p0 - p1).mean(axis=0), atol=tolerance)
    assert fast.W.dtype == dtype


def test_a_short_last_batch_is_divided_by_its_own_length(rbm, data):
    estimator = CD(1)
    estimator.start(rbm, 6, np.random.default_rng(0))
    short = estimator.gradient(rbm, data[:2], np.random.default_rng(1))
    alone = gradient_of(CD(1), rbm, data[:2], np.random.default_rng(1))
    np.testing.assert_allclose(short.W, alone.W)
    np.testing.assert_allclose(short.b, alone.b)


def test_scale_multiplies_the_gradient(rbm, data):
    plain = gradient_of(CD(1), rbm, data, np.random.default_rng(1))
    scaled = gradient_of(CD(1), rbm, data, np.random.default_rng(1), scale=0.25)
    np.testing.assert_allclose(flat(scaled), 0.25 * flat(plain), atol=1e-15)


@pytest.mark.parametrize("visible", ["gaussian", "relu"])
def test_cd_with_many_steps_tends_to_the_exact_gradient_for_other_units(visible, rng):
    rbm = RBM(0.4 * rng.normal(size=(3, 2)), visible=visible)
    v = np.repeat(abs(rng.normal(size=(3, 3))), 8_000, axis=0)
    mean, error = averaged(CD(20), rbm, v, rng, 6)
    exact = flat(gradient_of(ExactGradient(), rbm, v, rng))
    assert (abs(mean - exact) < 6 * error + 0.004).all()


def test_means_in_place_of_visible_draws_are_biased(rbm, data, rng):
    v = np.repeat(data, 3000, axis=0)
    exact = flat(gradient_of(ExactGradient(), rbm, v, rng))
    with_draws, _ = averaged(CD(30), rbm, v, rng, 4)
    with_means, _ = averaged(CD(30, sample_visible=False), rbm, v, rng, 4)
    assert abs(with_means - exact).max() > 5 * abs(with_draws - exact).max()


def test_the_centred_gradient_is_the_same_for_the_negative_image(rng):
    # flipping every visible unit v → 1 − v maps W → −W, b → −b, c → c + Σᵢ Wᵢ
    rbm = RBM(rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3))
    flipped = RBM(-rbm.W, -rbm.b, rbm.c + rbm.W.sum(axis=0))
    v = rng.integers(0, 2, size=(5, 4)).astype(float)
    results = {}
    for name, machine, rows in (("plain", rbm, v), ("flipped", flipped, 1 - v)):
        gradient = gradient_of(ExactGradient(), machine, rows, rng)
        results[name] = (
            gradient,
            centred_gradient(
                Gradient(*[a.copy() for a in gradient]), gradient.v_data, gradient.h_data
            ),
        )
    np.testing.assert_allclose(results["plain"][1].W, -results["flipped"][1].W, atol=1e-12)
    # the plain gradient has no such symmetry
    assert abs(results["plain"][0].W + results["flipped"][0].W).max() > 0.01


def test_the_centred_gradient_is_that_of_the_centred_machine(rng, finite_difference):
    # E = −b°'(v − μ) − c°'(h − λ) − (v − μ)'W(h − λ): the slope by W at fixed b°, c°
    rbm = RBM(rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=2))
    v = rng.integers(0, 2, size=(5, 3)).astype(float)
    mu, lam = rng.random(3), rng.random(2)
    b_centred, c_centred = rbm.b + rbm.W @ lam, rbm.c + rbm.W.T @ mu

    def likelihood_by_centred_W():
        machine = RBM(rbm.W, b_centred - rbm.W @ lam, c_centred - rbm.W.T @ mu)
        return log_likelihood(machine, v).mean()

    slope = finite_difference(likelihood_by_centred_W, rbm.W)
    gradient = centred_gradient(gradient_of(ExactGradient(), rbm, v, rng), mu, lam)
    np.testing.assert_allclose(gradient.W, slope, atol=1e-7)


def test_the_negative_phase_of_bars_and_stripes_is_not_the_positive_one(rng):
    rbm = RBM.random(9, 4, rng, dtype=np.float64)
    v = bars_and_stripes(3)
    gradient = gradient_of(ExactGradient(), rbm, v, rng)
    chains = run_chain(rbm, np.zeros((50_000, 9)), 20, rng)
    np.testing.assert_allclose(chains.mean(axis=0), model_moments(rbm).v, atol=0.02)
    np.testing.assert_allclose(gradient.b, v.mean(axis=0) - chains.mean(axis=0), atol=0.02)


@pytest.mark.parametrize("make", [lambda: CD(0), lambda: CD(-1), lambda: PCD(1, n_chains=0)])
def test_numbers_of_steps_and_chains_start_at_one(make):
    with pytest.raises(ValueError, match="must be at least 1"):
        make()


def test_a_fractional_number_of_steps_is_refused():
    with pytest.raises(TypeError, match="k must be a whole number"):
        CD(1.5)


# ---- grey data, and calls in the wrong order


def test_persistent_chains_hand_on_means_where_the_data_are_grey(rbm, rng):
    estimator = PCD(1, n_chains=20, sample_visible=False)
    estimator.start(rbm, 5, rng)
    h = estimator.memory()["chains"].copy()
    estimator.gradient(rbm, rng.random((5, 4)), rng)
    np.testing.assert_allclose(estimator.fantasies(), rbm.visible_mean(h))


def test_the_name_of_persistent_chains_says_whether_they_draw():
    # checkpoints know the gradient by it
    assert repr(PCD(2, sample_visible=False)) == "PCD(k=2, n_chains=None, sample_visible=False)"


@pytest.mark.parametrize("make", [CD, PCD, PT])
def test_an_estimator_that_was_not_started_says_what_to_call(make, rbm, rng):
    for call in (lambda e: e.gradient(rbm, np.ones((2, 4)), rng), lambda e: e.fantasies()):
        with pytest.raises(RuntimeError, match=r"call start\(rbm, batch_size, rng\) first"):
            call(make())


@pytest.mark.parametrize("make", [CD, PCD])
def test_more_rows_than_the_buffers_hold_are_refused(make, rbm, rng):
    estimator = make()
    estimator.start(rbm, 3, rng)
    with pytest.raises(ValueError, match="v has 4 rows, but start was called for batches of up to"):
        estimator.gradient(rbm, np.ones((4, 4)), rng)
