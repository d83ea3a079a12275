"""Chains over any model that has a Gibbs step: plain chains, recorded chains, annealing.

A model here is anything with `gibbs_step(states, rng, *, beta, clamped)`, which returns the next
states as a new array: an RBM (block Gibbs over its visible states), a Boltzmann machine (a sweep
over its units), an Ising grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from dbnlib.checks import (
    check_array,
    check_count,
    check_generator,
    check_real,
    check_two_valued,
)
from dbnlib.progress import bar


class HasGibbsStep(Protocol):
    """A model with a Gibbs step at inverse temperature β, which multiplies every field.

    For Bernoulli and softmax units that is the distribution ∝ exp(−βE(x)) over all units, hidden
    ones included; a layer's own energy ½u² is not scaled.
    """

    def gibbs_step(
        self,
        states: np.ndarray,
        rng: np.random.Generator,
        *,
        beta: float = 1.0,
        clamped: np.ndarray | None = None,
    ) -> np.ndarray:
        """The states after one step, in a new array."""
        ...


def as_states(model: HasGibbsStep, states: Any) -> np.ndarray:
    """`states` as finite numbers in the model's dtype; ValueError or TypeError otherwise."""
    states = check_array("states", states, ndim=np.ndim(states))
    return states.astype(getattr(model, "dtype", states.dtype), copy=False)


def run_chain(
    model: HasGibbsStep,
    states: np.ndarray,
    n_steps: int,
    rng: np.random.Generator,
    *,
    beta: float = 1.0,
    clamped: np.ndarray | None = None,
    progress: bool | None = False,
) -> np.ndarray:
    """The states after `n_steps` Gibbs steps, all chains side by side.

    Parameters
    ----------
    states : array, one row a chain, where the chains start; it is not changed
    beta : inverse temperature
    clamped : bool mask of the units that keep their value, for all chains or one row a chain

    Returns
    -------
    ndarray like `states`
    """
    check_generator(rng)
    beta = check_real("beta", beta, 0)
    states = as_states(model, states)
    with bar(check_count("n_steps", n_steps, 0), "Gibbs", "step", show=progress) as shown:
        for _ in range(n_steps):
            states = model.gibbs_step(states, rng, beta=beta, clamped=clamped)
            shown.update(1)
    return states if n_steps else states.copy()


def record_chain(
    model: HasGibbsStep,
    states: np.ndarray,
    n_records: int,
    rng: np.random.Generator,
    *,
    every: int = 1,
    burn_in: int = 0,
    beta: float = 1.0,
    clamped: np.ndarray | None = None,
    progress: bool | None = False,
) -> np.ndarray:
    """The states each `every` steps, after `burn_in` steps that are not kept.

    Returns
    -------
    ndarray of shape (n_records, *states.shape)
    """
    n_records, every = check_count("n_records", n_records), check_count("every", every)
    check_generator(rng)
    states = as_states(model, states)
    states = run_chain(model, states, burn_in, rng, beta=beta, clamped=clamped)
    kept = np.empty((n_records, *states.shape), dtype=states.dtype)
    with bar(n_records, "Gibbs", "record", show=progress) as shown:
        for record in kept:
            states = run_chain(model, states, every, rng, beta=beta, clamped=clamped)
            record[...] = states
            shown.update(1)
    return kept


def anneal(
    model: HasGibbsStep,
    states: np.ndarray,
    betas: Iterable[float],
    rng: np.random.Generator,
    *,
    clamped: np.ndarray | None = None,
) -> np.ndarray:
    """The states after one Gibbs step at each inverse temperature: simulated annealing.

    With `betas` that grow slowly, the chains settle in states of low energy.

    Source: Kirkpatrick, Gelatt, Vecchi (1983).
    """
    check_generator(rng)
    states = as_states(model, states)
    for beta in betas:
        beta = check_real("each of betas", beta, 0)
        states = model.gibbs_step(states, rng, beta=beta, clamped=clamped)
    return states


def geometric_betas(hottest: float, coldest: float, n: int) -> np.ndarray:
    """`n` inverse temperatures from 1/hottest to 1/coldest, each a constant factor apart."""
    hottest = check_real("hottest", hottest, 0, open_low=True)
    coldest = check_real("coldest", coldest, 0, open_low=True)
    return np.geomspace(1 / hottest, 1 / coldest, check_count("n", n))


def states_seen(states: Any, n_units: int) -> np.ndarray:
    """How often each of the 2ⁿ binary states occurs, in the order of `Bernoulli(n).states`.

    The histogram that one holds against an enumerated distribution.

    states : array of zeros and ones, shape (…, n_units)
    """
    n_units = check_count("n_units", n_units)
    states = check_array("states", states, ndim=np.ndim(states))
    if not states.ndim or states.shape[-1] != n_units:
        raise ValueError(
            f"states must have {n_units} columns, one a unit, got shape {states.shape}; pass "
            "n_units as it is, or reshape them"
        )
    check_two_valued("states", states, (0, 1), "for spins call dbnlib.spins.to_bits")
    powers = 2 ** np.arange(n_units - 1, -1, -1)
    numbers = states.reshape(-1, n_units).astype(np.int64) @ powers
    return np.bincount(numbers, minlength=2**n_units)
