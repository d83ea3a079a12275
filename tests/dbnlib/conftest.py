"""Small machines that can be enumerated, and the enumeration, written the plain way."""

import itertools

import numpy as np
import pytest

from dbnlib.rbm import RBM


@pytest.fixture
def rng():
    return np.random.default_rng(2024)


@pytest.fixture
def rbm(rng):
    """Four visible and three hidden Bernoulli units, weights of order one, in float64."""
    return RBM(rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3))


@pytest.fixture
def enumerated(rbm):
    """The joint distribution of `rbm` by a double loop over states: v, h and p(v, h)."""
    v = np.array(list(itertools.product([0.0, 1.0], repeat=rbm.n_visible)))
    h = np.array(list(itertools.product([0.0, 1.0], repeat=rbm.n_hidden)))
    weight = np.empty((len(v), len(h)))
    for i, j in itertools.product(range(len(v)), range(len(h))):
        energy = -rbm.b @ v[i] - rbm.c @ h[j] - v[i] @ rbm.W @ h[j]
        weight[i, j] = np.exp(-energy)
    return Enumerated(v, h, weight, weight.sum())


class Enumerated:
    """All states of a small RBM with their weights exp(−E) and Z."""

    def __init__(self, v, h, weight, Z):
        self.v, self.h, self.weight, self.Z = v, h, weight, Z
        self.p = weight / Z
        self.p_v = self.p.sum(axis=1)
        self.p_h = self.p.sum(axis=0)


def finite_difference(function, array, epsilon=1e-5):
    """Central differences of a scalar function by every entry of `array`, changed in place."""
    result = np.empty_like(array)
    for index in np.ndindex(array.shape):
        here = array[index]
        array[index] = here + epsilon
        above = function()
        array[index] = here - epsilon
        below = function()
        array[index] = here
        result[index] = (above - below) / (2 * epsilon)
    return result


@pytest.fixture(name="finite_difference")
def finite_difference_fixture():
    return finite_difference
