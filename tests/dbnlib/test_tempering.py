"""Parallel tempering against enumeration, and against plain Gibbs chains where those are stuck."""

import numpy as np
import pytest
from scipy.stats import chisquare

from dbnlib.checks import NotNormalisableError
from dbnlib.exact import log_likelihood, model_moments, visible_distribution
from dbnlib.gradients import CD, PCD, ExactGradient
from dbnlib.rbm import RBM
from dbnlib.sampling import record_chain, run_chain, states_seen
from dbnlib.tempering import PT, TemperedChains, parallel_tempering
from dbnlib.training import train_rbm


def two_modes(n_visible, n_hidden, w=1.0):
    """All off and all on, equally likely, with a valley between them that Gibbs does not cross."""
    return RBM(
        w * np.ones((n_visible, n_hidden)),
        np.full(n_visible, -w * n_hidden / 2),
        np.full(n_hidden, -w * n_visible / 2),
    )


def crossings(v):
    """How often chains, recorded as (n_records, n_chains, n_visible), change the mode."""
    return int(np.abs(np.diff((v.mean(axis=2) > 0.5).astype(int), axis=0)).sum())


def test_tempered_chains_cross_where_gibbs_chains_never_do():
    rbm, n_chains, n_steps, betas = two_modes(10, 10), 20, 100, np.linspace(1, 0, 8)
    start = np.zeros((n_chains, 10))
    rng = np.random.default_rng(0)
    chains = TemperedChains(rbm, start, betas)
    cold = []
    for _ in range(n_steps):
        chains.step(rbm, rng)
        cold.append(chains.cold.copy())
    # the same budget of Gibbs updates, all of it spent at β = 1
    plain = record_chain(rbm, start, n_steps * len(betas), rng)
    assert crossings(np.array(cold)) > 300
    assert crossings(plain) == 0


@pytest.fixture
def bimodal():
    """As above, but all on (62 %) is somewhat likelier than all off (38 %)."""
    rbm = two_modes(5, 6, 2.5)
    rbm.b += 0.1
    return rbm


def test_tempered_chains_have_the_enumerated_distribution(bimodal, rng):
    seen = states_seen(parallel_tempering(bimodal, np.zeros((1000, 5)), 200, rng), 5)
    p = visible_distribution(bimodal)
    # both modes, and all else
    counts = [seen[0], seen[-1], seen[1:-1].sum()]
    assert chisquare(counts, 1000 * np.array([p[0], p[-1], p[1:-1].sum()])).pvalue > 1e-3


def test_gibbs_chains_with_the_same_budget_do_not(bimodal, rng):
    seen = states_seen(run_chain(bimodal, np.zeros((1000, 5)), 2000, rng), 5)
    assert seen[-1] < 0.1 * 1000 * visible_distribution(bimodal)[-1]


def test_every_replica_has_the_distribution_of_its_temperature(rng):
    rbm = RBM(3 * rng.normal(size=(3, 4)), rng.normal(size=3), rng.normal(size=4))
    n_chains = 50_000
    chains = TemperedChains(rbm, np.zeros((n_chains, 3)), [1.0, 0.8, 0.5, 0.3])
    for _ in range(30):
        chains.step(rbm, rng)
    for beta, states in zip(chains.betas, chains.states, strict=True):
        p = visible_distribution(RBM(beta * rbm.W, beta * rbm.b, beta * rbm.c))
        assert chisquare(states_seen(states, 3), n_chains * p).pvalue > 1e-3


@pytest.mark.parametrize("visible", ["gaussian", "relu", "softmax"])
def test_other_units_keep_their_own_energy_at_every_temperature(visible, rng):
    rbm = RBM(rng.normal(size=(3, 4)), rng.normal(size=3), rng.normal(size=4), visible=visible)
    start = rbm.visible.sample(np.zeros((5_000, 3)), rng)
    chains = TemperedChains(rbm, start, [1.0, 0.5, 0.0])
    for _ in range(40):
        chains.step(rbm, rng)
    for beta, states in zip(chains.betas, chains.states, strict=True):
        machine = RBM(beta * rbm.W, beta * rbm.b, beta * rbm.c, visible=visible)
        error = 5 * states.std(axis=0) / np.sqrt(5_000)
        assert (abs(states.mean(axis=0) - model_moments(machine).v) < error).all()


def test_one_temperature_is_a_plain_gibbs_chain(rbm):
    tempered = parallel_tempering(rbm, np.zeros((5, 4)), 7, np.random.default_rng(1), betas=[1.0])
    plain = run_chain(rbm, np.zeros((5, 4)), 7, np.random.default_rng(1))
    np.testing.assert_array_equal(tempered, plain)


def test_neighbours_that_are_alike_always_swap_and_distant_ones_seldom(rng):
    rbm = two_modes(10, 10)
    chains = TemperedChains(rbm, np.zeros((50, 10)), [1.0, 0.999, 0.1])
    for _ in range(50):
        chains.step(rbm, rng)
    assert chains.swap_rates[0] > 0.95
    assert chains.swap_rates[1] < 0.4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_states_have_the_dtype_of_the_machine_and_huge_fields_do_not_warn(dtype, rng):
    rbm = RBM((1e4 * rng.normal(size=(4, 3))).astype(dtype), 1e4 * rng.normal(size=4))
    states = parallel_tempering(rbm, np.zeros((6, 4)), 20, rng)
    assert states.dtype == dtype
    assert rbm.visible.are_states(states)


def test_the_start_is_not_changed(rbm, rng):
    start = np.zeros((5, 4))
    parallel_tempering(rbm, start, 3, rng)
    assert not start.any()


# ---- as a gradient


def flat(gradient):
    return np.concatenate([gradient.W.ravel(), gradient.b, gradient.c])


def averaged(estimator, rbm, v, rng):
    """The mean of 200 gradients, after 100 in which the chains get used to the machine."""
    estimator.start(rbm, len(v), rng)
    gradients = [flat(estimator.gradient(rbm, v, rng)) for _ in range(300)]
    return np.mean(gradients[100:], axis=0)


def test_the_gradient_is_near_the_exact_one_where_cd_and_pcd_are_far(bimodal, rng):
    # the data sit in one mode, and the biases start persistent chains in that mode too
    v = np.zeros((100, 5))
    exact = flat(ExactGradient().gradient(bimodal, v, rng))
    error = {
        type(estimator).__name__: abs(averaged(estimator, bimodal, v, rng) - exact).max()
        for estimator in (CD(1), PCD(1), PT(1, n_chains=60))
    }
    assert error["PT"] < 0.06
    assert error["CD"] > 0.5
    assert error["PCD"] > 0.5


def test_scale_multiplies_the_gradient(rbm, rng):
    v = np.ones((4, 4))
    one, half = PT(2), PT(2)
    for estimator in (one, half):
        estimator.start(rbm, 4, np.random.default_rng(1))
    whole = flat(one.gradient(rbm, v, np.random.default_rng(2)))
    scaled = flat(half.gradient(rbm, v, np.random.default_rng(2), scale=0.5))
    np.testing.assert_allclose(scaled, 0.5 * whole)


def test_training_with_it_goes_as_far_as_with_the_exact_gradient():
    v = np.repeat([[0.0] * 6, [1.0] * 6], 50, axis=0)
    reached = []
    for gradient in (ExactGradient(), PT(5)):
        rbm = RBM.random(6, 4, np.random.default_rng(0), scale=0.1)
        settings = {"learning_rate": 0.05, "batch_size": 10, "monitors": {}}
        train_rbm(rbm, v, epochs=40, rng=np.random.default_rng(1), gradient=gradient, **settings)
        reached.append(log_likelihood(rbm, v).mean())
        assert rbm.dtype == np.float32
    # from −6 log 2 = −4.16
    assert reached[0] > -1.6
    assert reached[1] == pytest.approx(reached[0], abs=0.1)


def test_a_resumed_training_ends_in_the_same_bits(tmp_path, rng):
    v = rng.integers(0, 2, size=(30, 5)).astype(np.float32)

    def trained(*stops):
        for epochs in stops:
            # weights so strong that chains remember where they started
            rbm = RBM.random(5, 4, np.random.default_rng(0), scale=5.0)
            train_rbm(
                rbm,
                v,
                epochs=epochs,
                rng=np.random.default_rng(3),
                gradient=PT(2, betas=[1.0, 0.5, 0.2], n_chains=7),
                batch_size=8,
                checkpoint=tmp_path / f"{len(stops)}.npz",
            )
        return rbm

    straight, resumed = trained(5), trained(2, 5)
    for name in "Wbc":
        np.testing.assert_array_equal(getattr(straight, name), getattr(resumed, name))


# ---- refusals


@pytest.mark.parametrize("betas", [[0.9, 0.5], [1.0, 1.0], [1.0, 0.2, 0.5], [1.0, -0.1]])
def test_betas_must_fall_from_1(betas, rbm, rng):
    with pytest.raises(ValueError, match="betas must start with 1 and fall"):
        parallel_tempering(rbm, np.zeros((1, 4)), 1, rng, betas=betas)
    with pytest.raises(ValueError, match="betas must start with 1 and fall"):
        PT(betas=betas)


def test_a_machine_without_a_distribution_is_refused(rng):
    rbm = RBM(np.ones((2, 2)), visible="gaussian", hidden="gaussian")
    with pytest.raises(NotNormalisableError, match="largest singular value"):
        parallel_tempering(rbm, np.zeros((1, 2)), 1, rng)


@pytest.mark.parametrize("make", [lambda: PT(0), lambda: PT(1, n_chains=0)])
def test_numbers_of_steps_and_chains_start_at_one(make):
    with pytest.raises(ValueError, match="must be at least 1"):
        make()
