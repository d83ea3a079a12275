"""The DBN's passes against enumeration of a small one."""

import numpy as np
import pytest
from scipy import stats

from dbnlib.bound import exact_log_likelihood
from dbnlib.dbn import DBN
from dbnlib.groups import Groups
from dbnlib.rbm import RBM
from dbnlib.sampling import states_seen
from dbnlib.storage import load, save
from dbnlib.units import Bernoulli, Gaussian, Softmax


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


# ---- a label in the top RBM

LABELLED = Groups([Bernoulli(3), Softmax(2)])


def test_a_label_may_stand_beside_the_layer_below_the_top_rbm(labelled):
    assert labelled.n_labels == 2
    assert DBN([labelled.rbms[0], RBM(np.ones((3, 2)))]).n_labels == 0


def test_a_label_may_not_stand_further_down(labelled):
    below_the_top = RBM(np.ones((5, 3)), visible=LABELLED)
    with pytest.raises(ValueError, match="a label beside them may only stand in the top RBM"):
        DBN([labelled.rbms[0], below_the_top, RBM(np.ones((3, 2)))])


def test_a_label_does_not_mend_layers_that_do_not_meet(labelled):
    with pytest.raises(ValueError, match="layer 1 ends in Bernoulli"):
        DBN([RBM(np.ones((4, 2))), labelled.top])
    with pytest.raises(ValueError, match="layer 1 ends in Gaussian"):
        DBN([RBM(np.ones((4, 3)), hidden=Gaussian(3)), labelled.top])


def test_a_softmax_unit_that_the_layer_below_has_too_is_no_label():
    dbn = DBN([RBM(np.ones((4, 5)), hidden=LABELLED), RBM(np.ones((5, 2)), visible=LABELLED)])
    assert dbn.n_labels == 0
    assert dbn.up(np.ones((2, 4)))[-1].shape == (2, 2)


def test_label_probabilities_are_the_top_rbms_given_the_means_below_it(labelled):
    v = np.array([[1.0, 0.0, 1.0, 0.0]])
    u = labelled.rbms[0].hidden_mean(v)[0]
    top = labelled.top
    weight = np.exp([-top.free_energy([[*u, *label]])[0] for label in np.eye(2)])
    np.testing.assert_allclose(labelled.label_probabilities(v)[0], weight / weight.sum())


def test_the_way_up_without_a_label_is_the_mixture_of_the_ways_with_each(labelled, rng):
    v = rng.integers(0, 2, size=(6, 4)).astype(float)
    p = labelled.label_probabilities(v)
    given = [labelled.up(v, labels=np.full(6, y))[-1] for y in range(2)]
    mixture = p[:, :1] * given[0] + p[:, 1:] * given[1]
    assert abs(given[0] - given[1]).max() > 0.1
    np.testing.assert_allclose(labelled.up(v)[-1], mixture, atol=1e-12)


def test_the_label_given_is_what_the_top_rbm_sees_on_the_way_up(labelled):
    v = np.array([[1.0, 0.0, 1.0, 0.0]])
    u = labelled.rbms[0].hidden_mean(v)[0]
    expected = labelled.top.hidden_mean([[*u, 0, 1]])
    np.testing.assert_array_equal(labelled.up(v, labels=[1])[-1], expected)


def test_draws_upward_average_to_the_mixture_of_labels(labelled, rng):
    v = np.tile([1.0, 0.0, 1.0, 0.0], (40_000, 1))
    u = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    q = np.exp(Bernoulli(3).log_probability(u, labelled.rbms[0].hidden_field(v[:1])))
    weight = np.exp([[-labelled.top.free_energy([[*r, *y]])[0] for y in np.eye(2)] for r in u])
    means = [[labelled.top.hidden_mean([[*r, *y]])[0] for y in np.eye(2)] for r in u]
    p_y = weight / weight.sum(axis=1, keepdims=True)
    expected = np.einsum("ua,uy,uyj->j", q, p_y, np.array(means))
    np.testing.assert_allclose(labelled.up(v, rng=rng)[-1].mean(axis=0), expected, atol=0.012)


def total_variation(v, p):
    """Half the sum of |frequency − probability| over the 16 images."""
    return 0.5 * abs(states_seen(v, 4) / len(v) - p).sum()


# 15,000 draws from a law over 16 images differ from it by some 0.013 by chance.


@pytest.mark.parametrize("start", ["own", "data"])
def test_samples_of_a_class_have_the_enumerated_distribution(start, labelled, p_v_y, rng):
    n = 30_000
    first = None if start == "own" else np.tile([1.0, 1.0, 0.0, 0.0], (n, 1))
    labels = np.arange(n) % 2
    v = labelled.sample(n, rng, labels=labels, n_steps=40, start=first, pixels="sample")
    p = p_v_y / p_v_y.sum(axis=0)
    for label in range(2):
        assert total_variation(v[labels == label], p[:, label]) < 0.025
        assert total_variation(v[labels == label], p[:, 1 - label]) > 0.1


def test_samples_without_labels_have_the_enumerated_distribution(labelled, p_v_y, rng):
    v = labelled.sample(15_000, rng, n_steps=40, pixels="sample")
    assert total_variation(v, p_v_y.sum(axis=1)) < 0.025


def test_reconstruction_through_a_labelled_top_ends_in_the_models_distribution(
    labelled, p_v_y, rng
):
    expected = p_v_y.sum(axis=1) @ Bernoulli(4).states(0, 16)
    means = labelled.reconstruct(np.tile([1.0, 1, 0, 0], (20_000, 1)), rng=rng, top_steps=60)
    np.testing.assert_allclose(means.mean(axis=0), expected, atol=0.012)


@pytest.mark.parametrize("depth", [1, 2])
def test_reconstruction_leaves_the_label_out_of_the_image(depth, labelled):
    v = np.array([[1.0, 0.0, 1.0, 0.0]])
    h = labelled.up(v)[depth - 1]
    u = h if depth == 1 else labelled.top.visible_mean(h)[:, :3]
    expected = labelled.rbms[0].visible_mean(u)
    np.testing.assert_array_equal(labelled.reconstruct(v, depth=depth), expected)


def test_a_labelled_network_is_the_same_after_saving_and_loading(labelled, tmp_path):
    v = Bernoulli(4).states(0, 16)
    again = load(save(tmp_path / "dbn.npz", labelled.untied()))
    assert again.n_labels == 2
    np.testing.assert_array_equal(again.label_probabilities(v), labelled.label_probabilities(v))
    same = {"n_steps": 3, "labels": [0, 1, 1, 0, 1]}
    one = labelled.sample(5, np.random.default_rng(1), **same)
    np.testing.assert_array_equal(again.sample(5, np.random.default_rng(1), **same), one)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d, v, rng: d.up(v, labels=[0, 2]), "labels must be whole numbers from 0 to 1"),
        (lambda d, v, rng: d.up(v, labels=[0]), "labels must have length 2"),
        (lambda d, v, rng: d.sample(3, rng, labels=[0, 1]), "labels must have length 3"),
        (lambda d, v, rng: DBN(d.rbms[:1]).up(v, labels=[0, 1]), "has no label unit"),
        (lambda d, v, rng: DBN(d.rbms[:1]).sample(2, rng, labels=[0, 1]), "has no label unit"),
        (lambda d, v, rng: DBN(d.rbms[:1]).label_probabilities(v), "has no label unit"),
    ],
)
def test_wrong_labels_are_explained(call, message, labelled, rng):
    with pytest.raises(ValueError, match=message):
        call(labelled, np.ones((2, 4)), rng)


def test_depth_zero_gives_an_array_of_its_own(labelled):
    v = np.zeros((2, 4))
    labelled.reconstruct(v, depth=0)[...] = 1
    assert not v.any()


def test_a_way_up_that_is_no_rbm_is_refused(labelled):
    with pytest.raises(TypeError, match="recognition must hold RBMs only"):
        DBN(labelled.rbms, [None])
