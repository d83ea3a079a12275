"""What can be known of an RBM without sampling: Z, likelihood and expectations by enumeration.

The sum over one layer is done in closed form, so only the other is enumerated, whichever has fewer
states. That is possible up to some 2²⁵ states; each chunk of them takes bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from dbnlib.boltzmann import BoltzmannMachine
from dbnlib.checks import NotNormalisableError, check_count, check_generator, check_kind, check_real
from dbnlib.progress import bar
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Units, softplus

#: more states than this are refused; 2²⁵ take minutes
MAX_STATES = 2**25
#: numbers in the largest array of a chunk: 2 MB in float64, which a CPU's cache holds
CHUNK_NUMBERS = 2**18


class Moments(NamedTuple):
    """E[vh'] (n_visible, n_hidden), E[v] (n_visible,) and E[h] (n_hidden,)."""

    vh: np.ndarray
    v: np.ndarray
    h: np.ndarray


def smaller_side(rbm: RBM) -> str:
    """'visible' or 'hidden': the layer with fewer states, the one that is enumerated.

    Raises NotNormalisableError if neither can be enumerated.
    """
    check_kind("rbm", rbm, RBM)
    counts = {}
    for side in ("visible", "hidden"):
        try:
            counts[side] = getattr(rbm, side).n_states
        except NotNormalisableError:
            continue
    if not counts or min(counts.values()) > MAX_STATES:
        raise NotNormalisableError(
            f"{rbm!r} is too large to enumerate: its smaller layer must have at most 2^25 states; "
            "estimate log Z instead, by annealed importance sampling"
        )
    return min(counts, key=counts.get)


def is_small(rbm: RBM, max_states: int = 2**12) -> bool:
    """Whether enumeration takes so little time that a monitor may do it each epoch."""
    try:
        return getattr(rbm, smaller_side(rbm)).n_states <= max_states
    except NotNormalisableError:
        return False


def state_chunks(units: Units, width: int) -> Iterator[np.ndarray]:
    """All states of a layer in float64, in chunks small enough for arrays of `width` columns."""
    rows = max(1, CHUNK_NUMBERS // max(width, units.n))
    for start in range(0, units.n_states, rows):
        yield units.states(start, min(start + rows, units.n_states))


def in_float64(rbm: RBM) -> RBM:
    """The machine in float64, so that what is called exact is."""
    check_kind("rbm", rbm, RBM)
    return RBM(rbm.W.astype(np.float64), rbm.b, rbm.c, visible=rbm.visible, hidden=rbm.hidden)


def log_partition(rbm: RBM, *, progress: bool | None = None) -> float:
    """log Z = log Σ_h exp(−G(h)), or log Σ_v exp(−F(v)), over the layer with fewer states.

    F and G are the free energies: the other layer is summed out in closed form. In nats, float64.

    Raises NotNormalisableError for more than 2²⁵ states, or where Z is infinite.

    Source: Salakhutdinov and Murray (2008).
    """
    side = smaller_side(rbm)
    rbm = in_float64(rbm)
    rbm = rbm if side == "hidden" else rbm.transposed()
    parts = []
    with bar(rbm.hidden.n_states, "log Z", "state", show=progress) as shown:
        for minus_G in _negative_free_energies(rbm):
            parts.append(logsumexp(minus_G))
            shown.update(len(minus_G))
    return float(logsumexp(parts))


def _negative_free_energies(rbm: RBM) -> Iterator[np.ndarray]:
    """−G(h) = c'h + A(b + hW') of all hidden states, in chunks.

    Of Bernoulli units the last few run through all their states within a chunk, and what they add
    to the field is the same in each: x = (b + W h_first) + W h_last, the second part made once.
    """
    if not isinstance(rbm.hidden, Bernoulli):
        for states in state_chunks(rbm.hidden, max(rbm.W.shape)):
            yield -rbm.free_energy_of_hidden(states)
        return
    rows = max(1, CHUNK_NUMBERS // max(rbm.W.shape))
    n_last = min(rbm.n_hidden, rows.bit_length() - 1)
    n_first = rbm.n_hidden - n_last
    numbers = np.arange(2**n_last, dtype=np.int64)
    last = Bernoulli(n_last).numbered(numbers) if n_last else np.zeros((1, 0))
    x_last, bias_last = last @ rbm.W[:, n_first:].T, last @ rbm.c[n_first:]
    x, work = np.empty_like(x_last), np.empty_like(x_last)
    for number in range(2**n_first):
        first = np.array([number >> bit & 1 for bit in range(n_first - 1, -1, -1)], np.float64)
        np.add(x_last, rbm.b + rbm.W[:, :n_first] @ first, out=x)
        if isinstance(rbm.visible, Bernoulli):
            A = _sum_of_softplus(x, work)
        else:
            A = rbm.visible.log_normaliser(x)
        yield rbm.c[:n_first] @ first + bias_last + A


def _sum_of_softplus(x: np.ndarray, work: np.ndarray) -> np.ndarray:
    """Σ log(1 + eˣ) of each row as ½ Σ (x + |x|) + log Π (1 + e^−|x|): one logarithm a row.

    The factors lie between 1 and 2, so that some 1000 of them make a finite product. `work` is an
    array like x to work in.
    """
    np.abs(x, out=work)
    total = 0.5 * (x.sum(axis=1) + work.sum(axis=1))
    np.negative(work, out=work)
    np.exp(work, out=work)
    work += 1
    most = np.finfo(x.dtype).maxexp - 1
    for start in range(0, x.shape[1], most):
        total += np.log(work[:, start : start + most].prod(axis=1))
    return total


def log_likelihood(rbm: RBM, v: Any, *, log_z: float | None = None) -> np.ndarray:
    """log p(v) = −F(v) − log Z.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
        states, such as zeros and ones
    log_z : float, optional
        log Z if it is known already; enumerated otherwise

    Returns
    -------
    ndarray of shape (n_examples,), in nats, float64

    Raises
    ------
    ValueError
        for grey values, which have a free energy but no probability
    NotNormalisableError
        where log Z cannot be enumerated and is not given
    """
    rbm = in_float64(rbm)
    v = rbm.check_visible_states("v", v)
    log_z = log_partition(rbm) if log_z is None else check_real("log_z", log_z)
    return -rbm.free_energy(v) - log_z


def visible_distribution(rbm: RBM) -> np.ndarray:
    """p(v) for every v, in the order of `rbm.visible.states`: shape (n_states,), float64.

    Raises NotNormalisableError for more than 2²⁵ visible states.
    """
    if rbm.visible.n_states > MAX_STATES:
        raise NotNormalisableError(f"{rbm.visible!r} has too many states to list; at most 2^25")
    rbm = in_float64(rbm)
    chunks = state_chunks(rbm.visible, max(rbm.W.shape))
    log_p = np.concatenate([-rbm.free_energy(states) for states in chunks])
    return np.exp(log_p - logsumexp(log_p))


def model_moments(rbm: RBM) -> Moments:
    """E[vh'], E[v] and E[h] under the model: the negative phase without any sampling.

    One layer is enumerated. The other enters by its conditional mean: E[vh'] = Σ_h p(h) E[v|h] h'.
    """
    side = smaller_side(rbm)
    rbm = in_float64(rbm)
    log_z = log_partition(rbm, progress=False)
    moments = Moments(np.zeros(rbm.W.shape), np.zeros(rbm.n_visible), np.zeros(rbm.n_hidden))
    units = rbm.visible if side == "visible" else rbm.hidden
    for states in state_chunks(units, max(rbm.W.shape)):
        if side == "visible":
            v, h = states, rbm.hidden_mean(states)
            p = np.exp(-rbm.free_energy(v) - log_z)
        else:
            v, h = rbm.visible_mean(states), states
            p = np.exp(-rbm.free_energy_of_hidden(h) - log_z)
        moments.vh[...] += (p[:, None] * v).T @ h
        moments.v[...] += p @ v
        moments.h[...] += p @ h
    return moments


def pseudo_log_likelihood(
    rbm: RBM, v: Any, *, n_flips: int | None = None, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Σᵢ log p(vᵢ | all other units), with log p(vᵢ | rest) = log σ(F(v with i flipped) − F(v)).

    It needs no Z. It is no likelihood either: it says how well each pixel fits the rest of its
    image.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), zeros and ones
    n_flips : int, optional
        estimate the sum from this many units, drawn anew for each row, times
        n_visible / n_flips; needs `rng`. All units by default.

    Returns
    -------
    ndarray of shape (n_examples,), in nats

    Raises
    ------
    ValueError
        for visible units other than Bernoulli, or values other than 0 and 1

    Source: Besag (1975); Marlin et al. (2010).
    """
    check_kind("rbm", rbm, RBM)
    if not isinstance(rbm.visible, Bernoulli):
        raise ValueError(
            f"the pseudo-likelihood needs Bernoulli visible units, not {rbm.visible!r}"
        )
    v = rbm.check_visible_states("v", v)
    n, n_visible = v.shape
    if n_flips is None:
        columns = np.tile(np.arange(n_visible), (n, 1))
    else:
        if check_count("n_flips", n_flips) > n_visible:
            raise ValueError(f"n_flips is {n_flips}, but there are {n_visible} visible units")
        columns = check_generator(rng).random((n, n_visible)).argsort(axis=1)[:, :n_flips]
    field = rbm.hidden_field(v)
    here = rbm.hidden.log_normaliser(field)
    total = np.zeros(n, dtype=rbm.dtype)
    for i in columns.T:
        # flipping unit i adds ±1 to it, so ±Wᵢ to the hidden field and ±bᵢ to −F
        change = 1 - 2 * v[np.arange(n), i]
        there = rbm.hidden.log_normaliser(field + change[:, None] * rbm.W[i])
        # log σ(F(flipped) − F(v)) = −log(1 + exp(F(v) − F(flipped)))
        total -= softplus(change * rbm.b[i] + there - here)
    return total * (n_visible / columns.shape[1])


def as_boltzmann_machine(rbm: RBM) -> BoltzmannMachine:
    """The same model as a general Boltzmann machine: J has W and W' off the diagonal blocks.

    Raises ValueError unless both layers are Bernoulli.
    """
    if not (isinstance(rbm.visible, Bernoulli) and isinstance(rbm.hidden, Bernoulli)):
        raise ValueError(f"a Boltzmann machine has Bernoulli units only, not {rbm!r}")
    nv, n = rbm.n_visible, rbm.n_visible + rbm.n_hidden
    J = np.zeros((n, n), dtype=rbm.dtype)
    J[:nv, nv:] = rbm.W
    J[nv:, :nv] = rbm.W.T
    return BoltzmannMachine(J, np.concatenate([rbm.b, rbm.c]), n_visible=nv)
