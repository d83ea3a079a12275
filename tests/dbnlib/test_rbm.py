"""The RBM's quantities against a double loop over all states, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.neural_network import BernoulliRBM

from dbnlib.groups import Groups
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Gaussian, Softmax


def test_energy_is_the_sum_in_the_definition():
    # E = −(1·0.5 + 1·(−1)) − 1·2 − (3 + 4), by hand for v = (1, 1), h = (0, 1)
    rbm = RBM([[1.0, 3.0], [2.0, 4.0]], b=[0.5, -1.0], c=[1.0, 2.0])
    assert rbm.energy([[1, 1]], [[0, 1]]).tolist() == [-8.5]


def test_free_energy_sums_the_hidden_units_out(rbm, enumerated):
    expected = -np.log(enumerated.weight.sum(axis=1))
    np.testing.assert_allclose(rbm.free_energy(enumerated.v), expected, atol=1e-12)


def test_free_energy_of_hidden_sums_the_visible_units_out(rbm, enumerated):
    expected = -np.log(enumerated.weight.sum(axis=0))
    np.testing.assert_allclose(rbm.free_energy_of_hidden(enumerated.h), expected, atol=1e-12)


def test_hidden_mean_is_the_conditional_of_the_joint(rbm, enumerated):
    conditional = enumerated.p / enumerated.p_v[:, None]
    np.testing.assert_allclose(rbm.hidden_mean(enumerated.v), conditional @ enumerated.h)


def test_visible_mean_is_the_conditional_of_the_joint(rbm, enumerated):
    conditional = enumerated.p / enumerated.p_h
    np.testing.assert_allclose(rbm.visible_mean(enumerated.h), conditional.T @ enumerated.v)


def test_free_energy_and_hidden_mean_equal_scikit_learns(rng):
    ours = RBM(rng.normal(size=(20, 7)), rng.normal(size=20), rng.normal(size=7))
    theirs = BernoulliRBM(n_components=7)
    theirs.components_ = ours.W.T
    theirs.intercept_visible_, theirs.intercept_hidden_ = ours.b, ours.c
    v = rng.integers(0, 2, size=(50, 20)).astype(float)
    np.testing.assert_allclose(ours.free_energy(v), theirs._free_energy(v), atol=1e-10)
    np.testing.assert_allclose(ours.hidden_mean(v), theirs.transform(v), atol=1e-12)


def test_energy_of_other_units_has_their_rest_energy():
    # Gaussian visible units add ½v²: ½(2² + 1²) = 2.5
    rbm = RBM(np.zeros((2, 2)), visible="gaussian")
    assert rbm.energy([[2.0, -1.0]], [[0, 1]]).tolist() == [2.5]


@pytest.mark.parametrize("kind", ["bernoulli", "softmax"])
def test_free_energy_of_every_discrete_visible_layer_is_consistent(kind, rng):
    rbm = RBM(rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=2), visible=kind)
    v = rbm.visible.states(0, rbm.visible.n_states)
    h = rbm.hidden.states(0, 4)
    weights = [np.exp(-rbm.energy(v, np.tile(state, (len(v), 1)))) for state in h]
    np.testing.assert_allclose(np.exp(-rbm.free_energy(v)), sum(weights))


def test_a_label_group_is_read_off_by_its_free_energies(rng):
    rbm = RBM(rng.normal(size=(5, 4)), visible=Groups([Bernoulli(2), Softmax(3)]))
    v = np.hstack([np.tile([1.0, 0.0], (3, 1)), np.eye(3)])
    p_label = np.exp(-rbm.free_energy(v))
    p_label /= p_label.sum()
    # the same from the joint: sum over h of p(label, h | pixels)
    h = rbm.hidden.states(0, 16)
    joint = np.array([[np.exp(-rbm.energy(row[None], s[None]))[0] for s in h] for row in v])
    np.testing.assert_allclose(p_label, joint.sum(axis=1) / joint.sum())


def test_reconstruction_without_a_generator_is_the_mirror_of_means(rbm):
    v = np.array([[1.0, 0.0, 1.0, 1.0]])
    once = rbm.visible_mean(rbm.hidden_mean(v))
    np.testing.assert_allclose(rbm.reconstruct(v), once)
    np.testing.assert_allclose(rbm.reconstruct(v, k=2), rbm.visible_mean(rbm.hidden_mean(once)))


def test_reconstruction_with_a_generator_averages_to_the_expectation(rbm, enumerated, rng):
    v = np.tile([1.0, 0.0, 1.0, 1.0], (100_000, 1))
    p_h = np.prod(
        np.where(enumerated.h == 1, rbm.hidden_mean(v[:1]), 1 - rbm.hidden_mean(v[:1])), axis=1
    )
    expected = p_h @ rbm.visible_mean(enumerated.h)
    np.testing.assert_allclose(rbm.reconstruct(v, rng=rng).mean(axis=0), expected, atol=0.005)


def test_clamped_units_keep_their_value(rbm, rng):
    v = rng.integers(0, 2, size=(50, 4)).astype(float)
    clamped = np.array([True, False, True, False])
    after = rbm.gibbs_step(v, rng, clamped=clamped)
    np.testing.assert_array_equal(after[:, clamped], v[:, clamped])
    assert (after[:, ~clamped] != v[:, ~clamped]).any()


def test_transposed_swaps_layers_and_biases(rbm, enumerated):
    upside_down = rbm.transposed()
    np.testing.assert_allclose(
        upside_down.free_energy(enumerated.h), rbm.free_energy_of_hidden(enumerated.h)
    )


def test_random_start_has_the_datas_means(rng):
    data = (rng.random((5000, 3)) < [0.1, 0.5, 0.8]).astype(np.float32)
    rbm = RBM.random(3, 2, rng, scale=0.0, data=data)
    np.testing.assert_allclose(rbm.visible_mean(np.zeros((1, 2)))[0], data.mean(axis=0), atol=1e-5)


def test_the_weights_dtype_is_the_dtype_of_everything(rng):
    rbm = RBM(rng.normal(size=(3, 2)).astype(np.float32), b=np.zeros(3))
    v = np.ones((4, 3))
    results = [rbm.hidden_mean(v), rbm.free_energy(v), rbm.gibbs_step(v.astype("f4"), rng)]
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


def test_the_callers_arrays_are_left_alone(rng):
    W, v = rng.normal(size=(3, 2)), np.ones((1, 3))
    rbm = RBM(W)
    rbm.W += 1
    rbm.gibbs_step(v, rng)
    assert W is not rbm.W
    assert not np.shares_memory(W, rbm.W)
    np.testing.assert_array_equal(v, np.ones((1, 3)))


def test_gaussian_rows_may_have_any_value_and_bernoulli_rows_may_not():
    v = np.array([[3.0, -2.0]])
    RBM(np.zeros((2, 1)), visible=Gaussian(2)).free_energy(v)
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        RBM(np.zeros((2, 1))).free_energy(v)


def test_values_beyond_float32_are_refused_by_name():
    rbm = RBM(np.ones((1, 1), np.float32), visible="gaussian")
    with pytest.raises(ValueError, match="v holds values up to 1e.39, more than float32 can hold"):
        rbm.free_energy([[-1e39]])
