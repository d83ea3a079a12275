"""The ELBO: a bound for every image, tight where the posterior is exact, raised by a new layer."""

import itertools

import numpy as np
import pytest

from dbnlib.bound import estimate_bound, exact_bound, exact_log_likelihood, log_weights
from dbnlib.checks import NotNormalisableError
from dbnlib.data import bars_and_stripes
from dbnlib.dbn import DBN
from dbnlib.exact import log_likelihood, log_partition
from dbnlib.gradients import ExactGradient
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm


def random_rbm(rng, n_visible, n_hidden, scale=1.0):
    W = scale * rng.normal(size=(n_visible, n_hidden))
    return RBM(W, rng.normal(size=n_visible), rng.normal(size=n_hidden))


def all_states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def bernoulli(states, p):
    return np.prod(np.where(states == 1, p, 1 - p), axis=-1)


@pytest.fixture
def dbn(rng):
    return DBN([random_rbm(rng, 4, 3), random_rbm(rng, 3, 2), random_rbm(rng, 2, 3)])


@pytest.fixture
def by_hand(dbn):
    """log p(v) and ELBO(v) of the three-layer network by a plain triple loop."""
    lower, middle, top = dbn.rbms
    v, h1, h2, h3 = (all_states(n) for n in (4, 3, 2, 3))
    weight = np.array([[np.exp(-top.energy([a], [b])[0]) for b in h3] for a in h2])
    p_top = weight.sum(axis=1) / weight.sum()
    log_p, bound = [], []
    for row in v:
        p, elbo = 0.0, 0.0
        for one, (two, p_two) in itertools.product(h1, zip(h2, p_top, strict=True)):
            joint = bernoulli(row, lower.visible_mean([one])[0])
            joint *= bernoulli(one, middle.visible_mean([two])[0]) * p_two
            q = bernoulli(one, lower.hidden_mean([row])[0])
            q *= bernoulli(two, middle.hidden_mean([one])[0])
            p += joint
            elbo += q * (np.log(joint) - np.log(q))
        log_p.append(np.log(p))
        bound.append(elbo)
    return np.array(log_p), np.array(bound)


def test_log_likelihood_and_bound_are_the_sums_over_all_states(dbn, by_hand):
    v = all_states(4)
    np.testing.assert_allclose(exact_log_likelihood(dbn, v), by_hand[0], atol=1e-10)
    np.testing.assert_allclose(exact_bound(dbn, v), by_hand[1], atol=1e-10)


def test_probabilities_of_all_images_sum_to_one(dbn):
    assert np.exp(exact_log_likelihood(dbn, all_states(4))).sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(10))
def test_the_bound_is_below_the_log_likelihood_for_every_image(seed):
    rng = np.random.default_rng(seed)
    dbn = DBN([random_rbm(rng, 5, 4, 2.0), random_rbm(rng, 4, 3, 2.0)]).untied()
    dbn.recognition[0].W += rng.normal(size=(5, 4))
    v = all_states(5)
    gap = exact_log_likelihood(dbn, v) - exact_bound(dbn, v)
    assert gap.min() > -1e-12
    assert gap.max() > 0.1


def test_the_bound_of_a_single_rbm_is_its_log_likelihood(rbm):
    v = all_states(4)
    np.testing.assert_allclose(exact_bound(DBN([rbm]), v), log_likelihood(rbm, v))


@pytest.fixture
def with_transposed_layer(rng):
    lower = random_rbm(rng, 5, 3)
    return lower, DBN([lower, lower.transposed()])


def test_a_transposed_second_layer_leaves_the_likelihood_where_it_was(with_transposed_layer):
    lower, dbn = with_transposed_layer
    v = all_states(5)
    np.testing.assert_allclose(exact_log_likelihood(dbn, v), log_likelihood(lower, v), atol=1e-10)


def test_a_transposed_second_layer_makes_the_bound_tight(with_transposed_layer):
    # the second layer's p(h) is the first one's, so q(h | v) is the exact posterior
    lower, dbn = with_transposed_layer
    v = all_states(5)
    np.testing.assert_allclose(exact_bound(dbn, v), log_likelihood(lower, v), atol=1e-10)


def test_biases_that_are_not_swapped_move_the_likelihood(with_transposed_layer):
    lower, _ = with_transposed_layer
    careless = DBN([lower, RBM(lower.W.T)])
    v = all_states(5)
    moved = exact_log_likelihood(careless, v) - log_likelihood(lower, v)
    assert abs(moved).max() > 0.1


def test_exact_training_of_the_second_layer_raises_the_mean_bound_at_every_step(rng):
    v = bars_and_stripes(3, distinct=False)
    lower = RBM.random(9, 4, rng, scale=0.1, dtype=np.float64)
    settings = {"rng": rng, "gradient": ExactGradient(), "monitors": {}, "batch_size": 1000}
    train_rbm(lower, v, epochs=100, learning_rate=0.3, momentum=0.9, **settings)
    dbn = DBN([lower, lower.transposed()])
    # the second layer's data: h ~ q(h | v), here all states of h with their exact weights
    states = all_states(4)
    q = np.exp(lower.hidden.log_probability(states, lower.hidden_field(v))).mean(axis=1)
    rows = np.repeat(states, np.round(q * 100_000).astype(int), axis=0)
    bounds = [exact_bound(dbn, v).mean()]
    for _ in range(40):
        train_rbm(
            dbn.top,
            rows,
            epochs=1,
            learning_rate=0.5,
            momentum=0.0,
            **{**settings, "batch_size": len(rows)},
        )
        bounds.append(exact_bound(dbn, v).mean())
    assert (np.diff(bounds) > 0).all()
    assert bounds[-1] > bounds[0] + 0.005


def test_the_estimated_bound_agrees_with_the_exact_one(dbn, rng):
    v = all_states(4)
    estimate = estimate_bound(dbn, v, rng, n_samples=4000)
    error = (estimate.value - exact_bound(dbn, v)) / estimate.standard_error
    assert abs(error).max() < 4.5
    assert 0.5 < np.sqrt((error**2).mean()) < 1.6
    assert estimate.mean == pytest.approx(exact_bound(dbn, v).mean(), abs=0.05)


def test_the_standard_error_of_the_mean_is_honest(dbn):
    v = all_states(4)
    exact = exact_bound(dbn, v).mean()
    estimates = [estimate_bound(dbn, v, np.random.default_rng(s), n_samples=50) for s in range(200)]
    z = np.array([(e.mean - exact) / e.mean_standard_error for e in estimates])
    assert 0.8 < z.std() < 1.25


def test_importance_weights_average_to_the_likelihood(dbn, rng):
    v = all_states(4)
    w = np.exp(log_weights(dbn, v, 4000, rng, top_log_z=log_partition(dbn.top)))
    error = (w.mean(axis=0) - np.exp(exact_log_likelihood(dbn, v))) / (
        w.std(axis=0) / np.sqrt(4000)
    )
    assert abs(error).max() < 5


def test_a_float32_network_has_the_bound_of_its_float64_copy(dbn, rng):
    def in_float32(rbm):
        return RBM(rbm.W.astype(np.float32), rbm.b, rbm.c)

    v = all_states(4)
    narrow = DBN([in_float32(rbm) for rbm in dbn.rbms])
    np.testing.assert_allclose(exact_bound(narrow, v), exact_bound(dbn, v), atol=1e-4)


def test_a_gaussian_visible_layer_has_a_bound_too(rng):
    lower = RBM(0.5 * rng.normal(size=(2, 3)), visible="gaussian")
    dbn = DBN([lower, lower.transposed().copy()])
    v = rng.normal(size=(6, 2))
    # the transposed layer on top is the Bernoulli–Gaussian machine: the model is unchanged
    np.testing.assert_allclose(exact_bound(dbn, v), log_likelihood(lower, v), atol=1e-10)


def test_layers_too_wide_to_sum_over_are_refused_with_advice(rng):
    dbn = DBN([RBM.random(20, 30, rng), RBM.random(30, 4, rng)])
    with pytest.raises(NotNormalisableError, match="use estimate_bound"):
        exact_bound(dbn, np.zeros((1, 20)))


def test_grey_images_have_no_bound(dbn, rng):
    with pytest.raises(ValueError, match="binarise"):
        exact_bound(dbn, np.full((1, 4), 0.5))
    with pytest.raises(ValueError, match="binarise"):
        estimate_bound(dbn, np.full((1, 4), 0.5), rng)


# ---- a label in the top RBM


def test_the_likelihood_of_a_labelled_network_sums_over_the_label(labelled, p_v_y):
    log_p = exact_log_likelihood(labelled, all_states(4))
    np.testing.assert_allclose(log_p, np.log(p_v_y.sum(axis=1)), atol=1e-10)


def test_the_bound_of_a_labelled_network_is_the_sum_over_all_states(labelled):
    lower, top = labelled.rbms
    v, u, h = (all_states(n) for n in (4, 3, 3))
    weight = [
        sum(np.exp(-top.energy([[*row, *y]], [b])[0]) for y in np.eye(2) for b in h) for row in u
    ]
    p_u = np.array(weight) / sum(weight)
    expected = np.zeros(len(v))
    for row, p in zip(u, p_u, strict=True):
        q = bernoulli(row, lower.hidden_mean(v))
        expected += q * (np.log(bernoulli(v, lower.visible_mean([row]))) + np.log(p) - np.log(q))
    np.testing.assert_allclose(exact_bound(labelled, v), expected, atol=1e-10)


def test_the_bound_of_a_labelled_network_is_below_its_likelihood(labelled, p_v_y):
    gap = np.log(p_v_y.sum(axis=1)) - exact_bound(labelled, all_states(4))
    assert gap.min() > 0
    assert gap.max() > 0.05


def test_the_estimated_bound_of_a_labelled_network_agrees_with_the_exact_one(labelled, rng):
    v = all_states(4)
    estimate = estimate_bound(labelled, v, rng, n_samples=4000)
    error = (estimate.value - exact_bound(labelled, v)) / estimate.standard_error
    assert abs(error).max() < 4.5
    assert 0.5 < np.sqrt((error**2).mean()) < 1.6


def test_a_layer_whose_fields_would_fill_the_memory_is_refused(rng):
    # 2¹⁶ states are few, and 2¹⁶ rows of 3000 fields are 1.6 GB
    dbn = DBN([RBM(np.zeros((3000, 16))), RBM(np.zeros((16, 2)))])
    with pytest.raises(NotNormalisableError, match="too wide to sum over their states"):
        exact_bound(dbn, np.zeros((1, 3000)))
