"""Unit 03: contrastive divergence, what to watch while it learns, and an estimate of log Z.

Replace each `raise NotImplementedError` by your code; the task is in task.md. Check yourself with

    course check 03

All units are 0 or 1. Rows are examples. W has shape (n_visible, n_hidden), b (n_visible,) and
c (n_hidden,). You may import NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np


def reconstruction_error(v: np.ndarray, W: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Mean over the rows of Σᵢ (vᵢ − v'ᵢ)², with v' = E[v | h = E[h | v]]: up and down in means.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W, b, c : the machine

    Returns
    -------
    a number
    """
    raise NotImplementedError


def pseudo_log_likelihood(v: np.ndarray, W: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Σᵢ log p(vᵢ | all other visible units), for each row.

    With F the free energy, log p(vᵢ | rest) = log σ(F(v with unit i flipped) − F(v)).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), zeros and ones
    W, b, c : the machine

    Returns
    -------
    array of shape (n_examples,), in nats
    """
    raise NotImplementedError


def cd_update(
    v: np.ndarray,
    k: int,
    W: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The step of CD-k: ⟨v h'⟩ of the data less that of the fantasies, and the same for the biases.

    A chain starts at each row of v and takes k Gibbs steps: h ~ p(h | v), then v' ~ p(v | h), both
    drawn. In both phases h enters the averages by its mean, E[h | v] and E[h | v'].

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), the minibatch
    k : number of Gibbs steps, at least 1
    W, b, c : the machine
    rng : the only source of randomness

    Returns
    -------
    three arrays of the shapes of W, b and c: means over the rows, to be added to the parameters
    """
    raise NotImplementedError


def pcd_update(
    v: np.ndarray,
    chains: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The step of persistent CD, and where its chains stand afterwards.

    Each chain takes one Gibbs step from where it stood: h ~ p(h | v'), then v' ~ p(v | h). The
    fantasies are the new v'. In both phases h enters the averages by its mean.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), the minibatch
    chains : array of shape (n_chains, n_visible), states; n_chains need not be n_examples
    W, b, c : the machine
    rng : the only source of randomness

    Returns
    -------
    dW, db, dc : arrays of the shapes of W, b and c, to be added to the parameters
    chains : array of shape (n_chains, n_visible), of 0 and 1, for the next call
    """
    raise NotImplementedError


def momentum_step(
    theta: np.ndarray,
    velocity: np.ndarray,
    update: np.ndarray,
    rate: float,
    momentum: float,
    decay: float,
) -> tuple[np.ndarray, np.ndarray]:
    """One step of learning: velocity ← μ velocity + ε (update − λθ), then θ ← θ + velocity.

    Parameters
    ----------
    theta : array, the parameter
    velocity : array of its shape
    update : array of its shape, which points uphill, such as the dW of `cd_update`
    rate, momentum, decay : the numbers ε, μ and λ

    Returns
    -------
    theta, velocity : the new ones
    """
    raise NotImplementedError


def ais_log_weights(
    W: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    betas: np.ndarray,
    n_chains: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Annealed importance sampling: log w for each chain, so that E[w] = Z / Z of the start.

    The machine at β has the parameters βW, βb and βc; F_β is its free energy. At β = 0 all states
    are equally probable, and Z is 2 to the number of all units. Each chain starts at a fair draw of
    v and with log w = 0. Then, for each β of `betas` after the first:

        log w ← log w + F_previous(v) − F_β(v)        then one Gibbs step of v in the machine at β

    Parameters
    ----------
    W, b, c : the machine
    betas : array of shape (n_betas,), rising from 0 to 1
    n_chains : how many chains
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_chains,), in nats
    """
    raise NotImplementedError
