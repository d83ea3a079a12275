"""A label beside the features: an RBM whose visible layer ends in a softmax unit.

With the visible layer `Groups([features, Softmax(n_labels)])`, one state is a pair (u, y) of
features and a label, and the machine is a model of both:

    p(u, y) = exp(−F(u, y)) / Z

Summing over the few labels is easy, so that a label can be left open wherever features come alone:

    F(u) = −log Σ_y exp(−F(u, y))            p(y | u) = exp(F(u) − F(u, y))

The second is classification by free energy; Z is not needed, since it is the same for all labels.

Sources: Hinton, Osindero, Teh (2006), section 6; Larochelle and Bengio (2008), eq. 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import logsumexp

from dbnlib.checks import as_dtype, check_array, check_generator, check_kind
from dbnlib.groups import Groups
from dbnlib.rbm import RBM
from dbnlib.units import Softmax, Units

#: numbers in the largest array of a chunk of rows
CHUNK_NUMBERS = 2**20


def split_units(units: Units) -> tuple[Units, Softmax | None]:
    """The features' units and the label unit of a visible layer; None where it has no label."""
    if not isinstance(units, Groups) or not isinstance(units.members[-1], Softmax):
        return units, None
    features = units.members[:-1]
    if not features:
        return units, None
    return features[0] if len(features) == 1 else Groups(features), units.members[-1]


def n_labels(rbm: RBM) -> int:
    """The number of labels, 0 where the visible layer does not end in a softmax unit."""
    label = split_units(rbm.visible)[1]
    return 0 if label is None else label.n


def check_labels(name: str, labels: Any, n_labels: int, n_rows: int | None = None) -> np.ndarray:
    """`labels` as whole numbers from 0 to n_labels − 1, shape (n_rows,); ValueError otherwise."""
    labels = check_array(name, labels, ndim=1, shape=(n_rows,))
    if (labels != np.floor(labels)).any() or labels.min() < 0 or labels.max() >= n_labels:
        raise ValueError(
            f"{name} must be whole numbers from 0 to {n_labels - 1}, got values from "
            f"{labels.min():g} to {labels.max():g}; map them to such numbers, for example with "
            "numpy.unique(labels, return_inverse=True)"
        )
    return labels.astype(np.int64)


def with_labels(rbm: RBM, u: Any, labels: Any) -> np.ndarray:
    """Rows (u, y): the features, and beside them the label one-hot.

    Parameters
    ----------
    u : array of shape (n_examples, n_features)
    labels : class numbers of shape (n_examples,)

    Returns
    -------
    ndarray of shape (n_examples, n_features + n_labels), in the machine's dtype
    """
    u = check_features(rbm, u)
    labels = check_labels("labels", labels, n_labels(rbm), len(u))
    return np.hstack([u, np.eye(n_labels(rbm), dtype=rbm.dtype)[labels]])


def check_features(rbm: RBM, u: Any) -> np.ndarray:
    """`u` as an array of features, in the machine's dtype; ValueError where there is no label."""
    check_kind("rbm", rbm, RBM)
    features, label = split_units(rbm.visible)
    if label is None:
        raise ValueError(
            f"{rbm!r} has no label unit; its visible layer must be Groups([features, Softmax(n)])"
        )
    u = check_array("u", u, ndim=2, shape=(None, features.n))
    features.check("u", u)
    return as_dtype("u", u, rbm.dtype)


def free_energy_by_label(rbm: RBM, u: Any) -> np.ndarray:
    """F(u, y) for every label y.

    Parameters
    ----------
    u : array of shape (n_examples, n_features)

    Returns
    -------
    ndarray of shape (n_examples, n_labels), in nats, float64
    """
    u = check_features(rbm, u)
    features, _ = split_units(rbm.visible)
    b, d = rbm.b[: features.n], rbm.b[features.n :]
    parts = []
    for some, fields in _fields_by_label(rbm, u):
        # F(u, y) = −b'u + r(u) − d_y − A_h(c + uW + U_y)
        own = features.rest_energy(some) - some @ b
        by_label = [
            own - d_y - rbm.hidden.log_normaliser(x) for d_y, x in zip(d, fields, strict=True)
        ]
        parts.append(np.stack(by_label, axis=1).astype(np.float64))
    return np.concatenate(parts)


def marginal_free_energy(rbm: RBM, u: Any) -> np.ndarray:
    """F(u) = −log Σ_y exp(−F(u, y)): shape (n_examples,); of a machine without label its F(u)."""
    if not n_labels(rbm):
        return rbm.free_energy(u)
    return -logsumexp(-free_energy_by_label(rbm, u), axis=1)


def label_probabilities(rbm: RBM, u: Any) -> np.ndarray:
    """p(y | u) = exp(−F(u, y)) / Σ_y' exp(−F(u, y')).

    Parameters
    ----------
    u : array of shape (n_examples, n_features)

    Returns
    -------
    ndarray of shape (n_examples, n_labels), float64

    Source: Larochelle and Bengio (2008), eq. 2.
    """
    log_p = -free_energy_by_label(rbm, u)
    return np.exp(log_p - logsumexp(log_p, axis=1, keepdims=True))


def draw_labels(rbm: RBM, u: Any, rng: np.random.Generator) -> np.ndarray:
    """One draw from p(y | u) for each row: class numbers of shape (n_examples,)."""
    p = label_probabilities(rbm, u)
    drawn = Softmax(p.shape[1]).draw(p, p, check_generator(rng))
    return drawn.argmax(axis=1)


def hidden_mean_without_label(rbm: RBM, u: Any) -> np.ndarray:
    """E[h | u] = Σ_y p(y | u) E[h | u, y]: shape (n_examples, n_hidden)."""
    u = check_features(rbm, u)
    p = label_probabilities(rbm, u).astype(rbm.dtype)
    mean = np.zeros((len(u), rbm.n_hidden), rbm.dtype)
    start = 0
    for some, fields in _fields_by_label(rbm, u):
        rows = slice(start, start + len(some))
        for y, x in enumerate(fields):
            mean[rows] += p[rows, y, None] * rbm.hidden.mean(x)
        start += len(some)
    return mean


def _fields_by_label(rbm: RBM, u: np.ndarray) -> Iterator[tuple[np.ndarray, Iterator[np.ndarray]]]:
    """Rows of u, some at a time, with the hidden fields c + uW + U_y, one label y after another."""
    n_features = u.shape[1]
    W, U = rbm.W[:n_features], rbm.W[n_features:]
    rows = max(1, CHUNK_NUMBERS // max(rbm.W.shape))
    for start in range(0, len(u), rows):
        some = u[start : start + rows]
        x = rbm.c + some @ W
        yield some, (x + U_y for U_y in U)
