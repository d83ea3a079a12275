"""A DBN as the start of a network: the network computes what the DBN's passes compute."""

import numpy as np
import pytest

from dbnlib.dbn import DBN
from dbnlib.finetuning import activation_of, autoencoder_from_dbn, network_from_dbn
from dbnlib.rbm import RBM
from dbnlib.units import Gaussian, ReLU, Softmax


def random_rbm(rng, n_visible, n_hidden, **units):
    shape = (n_visible, n_hidden)
    W, b, c = (rng.normal(size=size) for size in (shape, n_visible, n_hidden))
    return RBM(W, b, c, **units)


@pytest.fixture
def untied(rng):
    """A DBN whose recognition weights differ from its generative ones."""
    dbn = DBN([random_rbm(rng, 6, 4), random_rbm(rng, 4, 3)]).untied()
    dbn.recognition[0].W += rng.normal(size=(6, 4))
    dbn.recognition[0].c += 1
    return dbn


def test_the_classifiers_hidden_layers_are_the_recognition_pass(untied, rng):
    v = rng.random((5, 6))
    layers = network_from_dbn(untied, 3, rng).forward(v)[1:-1]
    for ours, expected in zip(layers, untied.up(v), strict=True):
        np.testing.assert_allclose(ours, expected)


def test_the_autoencoder_is_up_and_down_again(untied, rng):
    v = rng.random((5, 6))
    network = autoencoder_from_dbn(untied)
    np.testing.assert_allclose(network.forward(v)[2], untied.up(v)[-1])
    np.testing.assert_allclose(network.predict(v), untied.reconstruct(v))


def test_network_and_dbn_share_no_memory(untied, rng):
    network = network_from_dbn(untied, 3, rng)
    before = untied.recognition[0].W.copy()
    network.weights[0] += 1
    np.testing.assert_array_equal(untied.recognition[0].W, before)


def test_a_linear_code_and_gaussian_pixels_go_with_squared_error(rng):
    rbm = random_rbm(rng, 6, 4, visible="gaussian")
    dbn = DBN([rbm, random_rbm(rng, 4, 2, hidden="gaussian")])
    network = autoencoder_from_dbn(dbn)
    assert [f.name for f in network.activations] == ["sigmoid", "identity", "sigmoid", "identity"]
    assert network.loss_function.name == "squared_error"


def test_units_and_activations_belong_together():
    assert activation_of(Gaussian(2)) == "identity"
    assert activation_of(ReLU(2)) == "relu"
    with pytest.raises(ValueError, match="cannot be made of Softmax"):
        activation_of(Softmax(2))


def test_a_label_unit_is_left_out(labelled, rng):
    v = rng.integers(0, 2, (5, 4)).astype(float)
    h = labelled.rbms[0].hidden_mean(v)
    top = 1 / (1 + np.exp(-(labelled.top.c + h @ labelled.top.W[:3])))
    np.testing.assert_allclose(network_from_dbn(labelled, 2, rng).forward(v)[2], top)
    down = 1 / (1 + np.exp(-(labelled.top.b[:3] + top @ labelled.top.W[:3].T)))
    expected = labelled.rbms[0].visible_mean(down)
    np.testing.assert_allclose(autoencoder_from_dbn(labelled).predict(v), expected)
