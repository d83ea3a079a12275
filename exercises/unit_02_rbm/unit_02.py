"""Unit 02: the restricted Boltzmann machine, from its conditionals to its exact gradient.

Replace each `raise NotImplementedError` by your code; the task is in task.md. Check yourself with

    course check 02

All units are 0 or 1. Rows are examples. W has shape (n_visible, n_hidden), b (n_visible,) and
c (n_hidden,). You may import NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np


def hidden_mean(v: np.ndarray, W: np.ndarray, c: np.ndarray) -> np.ndarray:
    """p(hⱼ = 1 | v) = σ(cⱼ + Σᵢ vᵢ Wᵢⱼ), with σ(x) = 1 / (1 + e⁻ˣ).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W : array of shape (n_visible, n_hidden)
    c : array of shape (n_hidden,)

    Returns
    -------
    array of shape (n_examples, n_hidden), finite also where |x| is as large as 10,000
    """
    raise NotImplementedError


def visible_mean(h: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """p(vᵢ = 1 | h) = σ(bᵢ + Σⱼ Wᵢⱼ hⱼ).

    Parameters
    ----------
    h : array of shape (n_examples, n_hidden)
    W : array of shape (n_visible, n_hidden)
    b : array of shape (n_visible,)

    Returns
    -------
    array of shape (n_examples, n_visible)
    """
    raise NotImplementedError


def energy(v: np.ndarray, h: np.ndarray, W: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """E(v, h) = −b'v − c'h − v'Wh, for each row of v with the same row of h.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    h : array of shape (n_examples, n_hidden)
    W, b, c : the machine

    Returns
    -------
    array of shape (n_examples,), in nats
    """
    raise NotImplementedError


def free_energy(v: np.ndarray, W: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """F(v) = −b'v − Σⱼ log(1 + exp(cⱼ + Σᵢ vᵢ Wᵢⱼ)), so that exp(−F(v)) = Σ_h exp(−E(v, h)).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W, b, c : the machine

    Returns
    -------
    array of shape (n_examples,), in nats, finite also where fields are as large as 10,000
    """
    raise NotImplementedError


def log_partition(W: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """log Z, where Z = Σ_v Σ_h exp(−E(v, h)), by going through all states of one layer.

    Parameters
    ----------
    W, b, c : the machine, with at most a dozen units

    Returns
    -------
    a number, in nats, finite also where Z itself is too large for a float
    """
    raise NotImplementedError


def log_likelihood_gradient(
    v: np.ndarray, W: np.ndarray, b: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradient of (1/N) Σₙ log p(vₙ) by W, b and c: mean under the data − under the model.

        ∂/∂W = ⟨v h'⟩_data − ⟨v h'⟩_model     ∂/∂b = ⟨v⟩_data − ⟨v⟩_model     ∂/∂c likewise

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), the data
    W, b, c : the machine, with at most a dozen units: all visible states can be gone through

    Returns
    -------
    three arrays of the shapes of W, b and c
    """
    raise NotImplementedError


def gibbs_step(
    v: np.ndarray, W: np.ndarray, b: np.ndarray, c: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One step of block Gibbs sampling for each row: draw h ~ p(h | v), then v ~ p(v | h).

    Parameters
    ----------
    v : array of shape (n_chains, n_visible), states
    W, b, c : the machine
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_chains, n_visible), of 0 and 1
    """
    raise NotImplementedError
