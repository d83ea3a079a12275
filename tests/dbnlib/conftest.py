"""Small machines that can be enumerated, and the enumeration, written the plain way."""

import itertools

import numpy as np
import pytest

from dbnlib.dbn import DBN
from dbnlib.groups import Groups
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Softmax


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


@pytest.fixture
def labelled(rng):
    """A DBN of 4 – 3 – 3 units with one of two labels in its top RBM, weights of order one."""

    def machine(n_visible, n_hidden, **units):
        shape = (n_visible, n_hidden)
        W, b, c = rng.normal(size=shape), rng.normal(size=n_visible), rng.normal(size=n_hidden)
        return RBM(W, b, c, **units)

    lower, top = machine(4, 3), machine(5, 3, visible=Groups([Bernoulli(3), Softmax(2)]))
    top.W[3:] *= 3  # so that the classes differ
    top.b[3:] = 0
    return DBN([lower, top])


@pytest.fixture
def p_v_y(labelled):
    """p(v, y) of `labelled` by a loop over all states: shape (16, 2), v in the order of `v`."""
    lower, top = labelled.rbms
    v, u, h = (np.array(list(itertools.product([0.0, 1.0], repeat=n))) for n in (4, 3, 3))
    p_u_y = np.zeros((len(u), 2))
    for i, y, j in itertools.product(range(len(u)), range(2), range(len(h))):
        both = np.append(u[i], np.eye(2)[y])
        p_u_y[i, y] += np.exp(top.b @ both + top.c @ h[j] + both @ top.W @ h[j])
    p_u_y /= p_u_y.sum()
    on = 1 / (1 + np.exp(-(lower.b + u @ lower.W.T)))
    p_v_given_u = np.where(v[:, None, :] == 1, on, 1 - on).prod(axis=2)
    return p_v_given_u @ p_u_y


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
