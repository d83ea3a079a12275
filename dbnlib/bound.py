"""The evidence lower bound (ELBO) of a DBN, by exact sums on small models, else by Monte Carlo.

For any distribution q(h | v) over the hidden layers h = (h¹, …, hᴸ⁻¹) below the top,

    log p(v) ≥ ELBO(v) = E_q[ log p(v, h) − log q(h | v) ] = log p(v) − KL(q(h | v) ‖ p(h | v))

by Jensen's inequality for the concave logarithm. Here q is the recognition pass, and

    log p(v, h) = log p(v | h¹) + … + log p(hᴸ⁻² | hᴸ⁻¹) − G(hᴸ⁻¹) − log Z

with the top layer summed out, and the label, if the top RBM has one: G is the free energy of the
top RBM's visible side, Z its partition function. With one hidden layer nothing is left to guess,
and the bound is log p(v) itself.

Source: Hinton, Osindero, Teh (2006), section 4; Salakhutdinov and Murray (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from dbnlib.checks import NotNormalisableError, check_count, check_generator, check_kind, check_real
from dbnlib.dbn import DBN
from dbnlib.exact import CHUNK_NUMBERS, in_float64, log_partition
from dbnlib.labels import marginal_free_energy
from dbnlib.rbm import RBM

#: number of entries of a table, such as the pairs of states of neighbouring layers
MAX_PAIRS = 2**24


class BoundEstimate(NamedTuple):
    """Estimated ELBO and its standard error for each row, shape (n_examples,), in nats."""

    value: np.ndarray
    standard_error: np.ndarray

    @property
    def mean(self) -> float:
        """Mean over the rows."""
        return float(self.value.mean())

    @property
    def mean_standard_error(self) -> float:
        """Standard error of that mean which is due to the draws from q."""
        return float(np.sqrt(np.square(self.standard_error).sum()) / len(self.value))


def exact_bound(dbn: DBN, v: Any, *, top_log_z: float | None = None) -> np.ndarray:
    """ELBO(v), summed over all states of all layers between: shape (n_examples,), in nats.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), states
    top_log_z : log Z of the top RBM, enumerated if not given

    Raises
    ------
    NotNormalisableError
        where layers are too large, or have continuous units; use `estimate_bound` there
    """

    def average(log_q: np.ndarray, log_joint: np.ndarray) -> np.ndarray:
        # Σ_h q(h) [log p(·, h) − log q(h)]
        return (np.exp(log_q) * (log_joint - log_q)).sum(axis=1)

    return _from_the_top(dbn, v, top_log_z, average)


def exact_log_likelihood(dbn: DBN, v: Any, *, top_log_z: float | None = None) -> np.ndarray:
    """log p(v) = log Σ_h p(v, h), summed over all states of all layers between.

    Parameters, shape and errors as for `exact_bound`. The recognition weights play no part.
    """

    def total(log_q: np.ndarray, log_joint: np.ndarray) -> np.ndarray:
        return logsumexp(log_joint, axis=1)

    return _from_the_top(dbn, v, top_log_z, total)


def _from_the_top(
    dbn: DBN,
    v: Any,
    top_log_z: float | None,
    combine: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Work downward: what layer l is worth for each of its states follows from layer l + 1.

    value(hᴸ⁻¹) = log p_top(hᴸ⁻¹), then value(hˡ) = combine over hˡ⁺¹ of
    log p(hˡ | hˡ⁺¹) + value(hˡ⁺¹). At the bottom, only the rows of v are asked for.
    """
    check_kind("dbn", dbn, DBN)
    v = dbn.rbms[0].check_visible_states("v", v).astype(np.float64)
    top = in_float64(dbn.top)
    between = [rbm.hidden for rbm in dbn.rbms[:-1]]
    n_states = [1] + [units.n_states for units in between]
    for rbm, (below, above) in zip(dbn.rbms, pairwise(n_states), strict=False):
        # one table holds the pairs, another the fields of the layer below
        if above * max(below, *rbm.W.shape) > MAX_PAIRS:
            raise NotNormalisableError(
                f"the layers of {dbn!r} are too wide to sum over their states; "
                "use estimate_bound, or importance weights"
            )
    log_z = log_partition(top, progress=False) if top_log_z is None else top_log_z
    log_z = check_real("top_log_z", log_z)
    layers = [v] + [units.states(0, units.n_states) for units in between]
    rows = max(1, CHUNK_NUMBERS // max(top.W.shape))
    starts = range(0, len(layers[-1]), rows)
    parts = [-_top_free_energy(dbn, top, layers[-1][i : i + rows]) for i in starts]
    value = np.concatenate(parts) - log_z
    for level in range(dbn.n_layers - 2, -1, -1):
        down, up = in_float64(dbn.rbms[level]), in_float64(dbn.recognition[level])
        below, above = layers[level], layers[level + 1]
        x_down = down.visible_field(above)
        rows = max(1, MAX_PAIRS // (4 * len(above)))
        parts = []
        for some in (below[i : i + rows] for i in range(0, len(below), rows)):
            log_q = up.hidden.log_probability(above, up.hidden_field(some)).T
            log_joint = down.visible.log_probability(some, x_down) + value
            parts.append(combine(log_q, log_joint))
        value = np.concatenate(parts)
    return value


def log_weights(
    dbn: DBN, v: Any, n_samples: int, rng: np.random.Generator, *, top_log_z: float
) -> np.ndarray:
    """log w = log p(v, h) − log q(h | v) for draws h ~ q(h | v).

    E[log w] is the ELBO, and E[w] = p(v).

    Returns
    -------
    ndarray of shape (n_samples, n_examples), in nats, float64
    """
    v = dbn.rbms[0].check_visible_states("v", v)
    check_generator(rng)
    top_log_z = check_real("top_log_z", top_log_z)
    result = np.empty((check_count("n_samples", n_samples), len(v)))
    for log_w in result:
        log_w[...] = -top_log_z
        below = v
        for down, up in zip(dbn.rbms, dbn.recognition, strict=False):
            x_up = up.hidden_field(below)
            h = up.hidden.sample(x_up, rng)
            # + log p(below | h) − log q(h | below)
            log_w += _paired(down.visible, below, down.visible_field(h))
            log_w -= _paired(up.hidden, h, x_up)
            below = h
        log_w -= _top_free_energy(dbn, dbn.top, below)
    return result


def _top_free_energy(dbn: DBN, top: RBM, u: np.ndarray) -> np.ndarray:
    """G(u) of the top RBM, given in any precision, with its label summed out where there is one."""
    return marginal_free_energy(top, u) if dbn.n_labels else top.free_energy(u)


def _paired(units: Any, states: np.ndarray, field: np.ndarray) -> np.ndarray:
    """log p(u | x) for rows that belong together: shape (n_examples,), float64."""
    states, field = states.astype(np.float64), field.astype(np.float64)
    inner = np.einsum("ij,ij->i", states, field)
    return inner - units.rest_energy(states) - units.log_normaliser(field)


def estimate_bound(
    dbn: DBN,
    v: Any,
    rng: np.random.Generator,
    *,
    n_samples: int = 100,
    top_log_z: float | None = None,
) -> BoundEstimate:
    """ELBO(v) by Monte Carlo: the mean of log w over draws from q, with its standard error.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), states
    n_samples : draws from q for each row, at least 2
    top_log_z : log Z of the top RBM; enumerated if not given, which needs a top RBM with at most
        25 units in its smaller layer. With an estimate of log Z the bound is an estimate too.
    """
    n_samples = check_count("n_samples", n_samples, 2)
    check_kind("dbn", dbn, DBN)
    if top_log_z is None:
        top_log_z = log_partition(dbn.top, progress=False)
    log_w = log_weights(dbn, v, n_samples, rng, top_log_z=top_log_z)
    return BoundEstimate(log_w.mean(axis=0), log_w.std(axis=0, ddof=1) / np.sqrt(n_samples))
