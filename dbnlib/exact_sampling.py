"""Draws from a small RBM that owe nothing to a Markov chain."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from dbnlib.checks import NotNormalisableError, check_count, check_generator
from dbnlib.exact import in_float64, is_small, smaller_side, state_chunks
from dbnlib.rbm import RBM

#: a layer with more states is not listed for drawing
MAX_EXACT_STATES = 2**16


def exact_samples(rbm: RBM, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Independent draws from p(v): states of the smaller layer by their enumerated probabilities.

    Where that is the hidden layer, h ~ p(h) and then v ~ p(v | h). They are what a sampler is held
    against, and where a reverse annealing must start.

    Returns
    -------
    ndarray of shape (n_samples, n_visible), in the machine's dtype

    Raises
    ------
    NotNormalisableError
        where neither layer has 2¹⁶ states or fewer
    """
    n_samples = check_count("n_samples", n_samples)
    check_generator(rng)
    if not is_small(rbm, MAX_EXACT_STATES):
        raise NotNormalisableError(
            f"{rbm!r} is too large for exact draws: its smaller layer must have at most 2^16 "
            "states; run long chains instead, by dbnlib.sampling or dbnlib.tempering"
        )
    wide = in_float64(rbm)
    side = smaller_side(rbm)
    units, free_energy = (
        (rbm.visible, wide.free_energy)
        if side == "visible"
        else (rbm.hidden, wide.free_energy_of_hidden)
    )
    chunks = state_chunks(units, max(rbm.W.shape))
    log_p = np.concatenate([-free_energy(states) for states in chunks])
    p = np.exp(log_p - logsumexp(log_p))
    states = units.states(0, units.n_states, rbm.dtype)
    drawn = states[rng.choice(len(p), n_samples, p=p / p.sum())]
    return drawn if side == "visible" else rbm.sample_visible(drawn, rng)
