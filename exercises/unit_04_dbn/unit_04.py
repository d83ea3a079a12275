"""Unit 04: a deep belief network of two RBMs, its likelihood, its bound, and its samples.

Replace each `raise NotImplementedError` by your code; the task is in task.md. Check yourself with

    course check 04

All units are 0 or 1. Rows are examples. The first RBM has W1 of shape (n_visible, n_hidden1), the
visible biases b1 and the hidden biases c1. The second has W2 of shape (n_hidden1, n_hidden2), b2 of
shape (n_hidden1,) and c2: its visible layer is h¹. You may import NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np


def recognition_pass(
    v: np.ndarray, W1: np.ndarray, c1: np.ndarray, W2: np.ndarray, c2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The way up, in means: m¹ = σ(c¹ + vW¹), then m² = σ(c² + m¹W²).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W1, c1 : what leads from v to h¹
    W2, c2 : what leads from h¹ to h²

    Returns
    -------
    m1 : array of shape (n_examples, n_hidden1)
    m2 : array of shape (n_examples, n_hidden2)
    """
    raise NotImplementedError


def layer_two_data(
    v: np.ndarray, W1: np.ndarray, c1: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """What the second RBM learns from: one draw h¹ ~ q(h¹ | v) for each example.

    q(h¹ | v) is the first RBM's conditional: unit j is on with the probability σ(c¹ⱼ + (vW¹)ⱼ).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W1, c1 : what leads from v to h¹
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_examples, n_hidden1), of 0 and 1
    """
    raise NotImplementedError


def upside_down(
    W: np.ndarray, b: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The second RBM that changes nothing: the first one, turned upside down.

    Its visible layer is the first one's hidden layer, and its hidden layer has as many units as v.

    Parameters
    ----------
    W, b, c : weights, visible biases and hidden biases of the first RBM

    Returns
    -------
    W2, b2, c2 : weights, visible biases and hidden biases of the second RBM
    """
    raise NotImplementedError


def log_likelihood(
    v: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray, c2: np.ndarray
) -> np.ndarray:
    """log p(v) = log Σ_h¹ p(v | h¹) p(h¹), with p(h¹) from the second RBM, by going through all h¹.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W1, b1 : p(v | h¹)
    W2, b2, c2 : the second RBM, whose visible layer is h¹; at most a dozen units

    Returns
    -------
    array of shape (n_examples,), in nats, finite also where Z of the second RBM is no float
    """
    raise NotImplementedError


def elbo(
    v: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    c1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
) -> np.ndarray:
    """ELBO(v) = Σ_h¹ q(h¹ | v) [log p(v | h¹) + log p(h¹) − log q(h¹ | v)], through all h¹.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W1, b1, c1 : p(v | h¹) below, and q(h¹ | v) upward
    W2, b2, c2 : p(h¹), as in `log_likelihood`

    Returns
    -------
    array of shape (n_examples,), in nats, finite also where a unit of q is certain
    """
    raise NotImplementedError


def gap(
    v: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    c1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
) -> np.ndarray:
    """KL(q ‖ p) = Σ_h¹ q(h¹ | v) log [q(h¹ | v) / p(h¹ | v)]: what the ELBO lacks of log p(v).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W1, b1, c1, W2, b2, c2 : as in `elbo`

    Returns
    -------
    array of shape (n_examples,), in nats
    """
    raise NotImplementedError


def elbo_estimate(
    v: np.ndarray,
    n_samples: int,
    W1: np.ndarray,
    b1: np.ndarray,
    c1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
    log_z: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """ELBO(v) from draws: the mean of log w = log p(v, h¹) − log q(h¹ | v) over h¹ ~ q(h¹ | v).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    n_samples : draws from q for each example, at least 2
    W1, b1, c1, W2, b2, c2 : as in `elbo`, and too large to go through all h¹
    log_z : log Z of the second RBM, which is known: log p(h¹) = −F(h¹) − log Z
    rng : the only source of randomness

    Returns
    -------
    value : array of shape (n_examples,), in nats
    standard_error : array of shape (n_examples,), the standard error of each value
    """
    raise NotImplementedError


def sample(
    h1: np.ndarray,
    n_steps: int,
    W1: np.ndarray,
    b1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws from the network: a Gibbs chain in the second RBM, then one draw down.

    Each step of the chain draws h² ~ p(h² | h¹), then h¹ ~ p(h¹ | h²). After the last one
    v ~ p(v | h¹) is drawn.

    Parameters
    ----------
    h1 : array of shape (n_chains, n_hidden1), states: where each chain starts
    n_steps : how many steps each chain takes
    W1, b1 : p(v | h¹)
    W2, b2, c2 : the second RBM
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_chains, n_visible), of 0 and 1
    """
    raise NotImplementedError
