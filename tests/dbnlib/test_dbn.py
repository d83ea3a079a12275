"""The DBN's passes against enumeration of a small one."""

import numpy as np
import pytest
from scipy import stats

from dbnlib.bound import exact_log_likelihood
from dbnlib.dbn import DBN
from dbnlib.rbm import RBM
from dbnlib.sampling import states_seen


@pytest.fixture
def dbn(rng):
    """4 – 3 – 3 – 2 units, weights of order one, float64."""

    def machine(n_visible, n_hidden):
        shape = (n_visible, n_hidden)
        return RBM(rng.normal(size=shape), rng.normal(size=n_visible), rng.normal(size=n_hidden))

    return DBN([machine(4, 3), machine(3, 3), machine(3, 2)])


def test_the_way_up_is_one_conditional_mean_after_another(dbn):
    v = np.array([[1.0, 0.0, 1.0, 0.0]])
    h1 = dbn.rbms[0].hidden_mean(v)
    h2 = dbn.rbms[1].hidden_mean(h1)
    layers = dbn.up(v)
    np.testing.assert_array_equal(layers[0], h1)
    np.testing.assert_array_equal(layers[1], h2)
    np.testing.assert_array_equal(layers[2], dbn.rbms[2].hidden_mean(h2))


def test_the_way_down_is_one_conditional_mean_after_another(dbn):
    h = np.array([[1.0, 0.0]])
    expected = dbn.rbms[0].visible_mean(dbn.rbms[1].visible_mean(dbn.rbms[2].visible_mean(h)))
    np.testing.assert_array_equal(dbn.down(h), expected)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_reconstruction_from_every_depth_is_up_and_down(depth, dbn):
    v = np.array([[1.0, 0.0, 1.0, 0.0]])
    h = [v, *dbn.up(v)][depth]
    np.testing.assert_array_equal(dbn.reconstruct(v, depth=depth), dbn.down(h, depth=depth))


def test_sampled_layers_are_states(dbn, rng):
    v = rng.integers(0, 2, size=(20, 4)).astype(float)
    for layer in dbn.up(v, rng=rng):
        assert np.isin(layer, (0, 1)).all()
    pixels = dbn.down(dbn.up(v, rng=rng)[-1], rng=rng, pixels="sample")
    assert np.isin(pixels, (0, 1)).all()


@pytest.mark.parametrize("start", ["own", "data"])
def test_samples_have_the_enumerated_distribution(start, dbn, rng):
    states = dbn.rbms[0].visible.states(0, 16)
    probabilities = np.exp(exact_log_likelihood(dbn, states))
    first = None if start == "own" else np.tile([1.0, 1.0, 0.0, 0.0], (40_000, 1))
    v = dbn.sample(40_000, rng, n_steps=60, start=first, pixels="sample")
    counts = states_seen(v, 4)
    assert stats.chisquare(counts, probabilities * 40_000).pvalue > 1e-4


def test_pixel_means_of_samples_average_to_the_enumerated_mean(dbn, rng):
    states = dbn.rbms[0].visible.states(0, 16)
    expected = np.exp(exact_log_likelihood(dbn, states)) @ states
    means = dbn.sample(20_000, rng, n_steps=60)
    np.testing.assert_allclose(means.mean(axis=0), expected, atol=0.01)


def test_reconstruction_through_the_top_ends_in_the_models_distribution(dbn, rng):
    # after many top-level steps the image is forgotten, and the mean is the model's own
    states = dbn.rbms[0].visible.states(0, 16)
    expected = np.exp(exact_log_likelihood(dbn, states)) @ states
    v = np.tile([1.0, 1.0, 0.0, 0.0], (20_000, 1))
    means = dbn.reconstruct(v, rng=rng, top_steps=60)
    np.testing.assert_allclose(means.mean(axis=0), expected, atol=0.01)


def test_a_single_rbm_is_a_dbn_too(rbm, enumerated, rng):
    dbn = DBN([rbm])
    v = dbn.sample(40_000, rng, n_steps=60, pixels="sample")
    assert stats.chisquare(states_seen(v, 4), enumerated.p_v * 40_000).pvalue > 1e-4
    np.testing.assert_array_equal(dbn.reconstruct(enumerated.v), rbm.reconstruct(enumerated.v))


def test_untied_weights_lead_up_and_leave_the_way_down_alone(dbn):
    v, h = np.array([[1.0, 0.0, 1.0, 0.0]]), np.array([[1.0, 0.0]])
    untied = dbn.untied()
    assert dbn.tied
    assert not untied.tied
    untied.recognition[0].W += 1
    assert (untied.up(v)[0] != dbn.up(v)[0]).all()
    np.testing.assert_array_equal(untied.down(h), dbn.down(h))


def test_layers_that_do_not_meet_are_named(rng):
    with pytest.raises(ValueError, match=r"layer 1 ends in Bernoulli\(3\) and layer 2 starts"):
        DBN([RBM.random(4, 3, rng), RBM.random(5, 2, rng)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d, v, rng: d.up(v, depth=4), "depth is 4, but there are 3 hidden layers"),
        (lambda d, v, rng: d.up(v[:, :3]), "v must have length 4 along axis 1"),
        (lambda d, v, rng: d.up(v[0]), "for a single example write"),
        (lambda d, v, rng: d.up(v, rng=1), "rng must be a numpy.random.Generator"),
        (lambda d, v, rng: d.down(v, pixels="grey"), "pixels must be one of"),
        (lambda d, v, rng: d.down(np.ones((1, 2)), pixels="sample"), "needs a generator"),
        (lambda d, v, rng: d.reconstruct(v, top_steps=3), "top_steps wants rng"),
        (lambda d, v, rng: d.sample(2, rng, start=v[:1]), "start has 1 rows, but n_samples is 2"),
        (lambda d, v, rng: DBN([]), "at least one RBM"),
        (lambda d, v, rng: DBN(d.rbms, d.rbms), "one RBM with the same units per lower layer"),
    ],
)
def test_wrong_calls_are_explained(call, message, dbn, rng):
    with pytest.raises((ValueError, TypeError), match=message):
        call(dbn, np.ones((2, 4)), rng)
