"""Unit 01: a Boltzmann machine that can be enumerated, from its energy to its learning rule.

Replace each `raise NotImplementedError` by your code; the task is in task.md. Check yourself with

    course check 01

Units are bits, 0 or 1, unless spins, −1 or +1, are named. Rows are examples. J has shape
(n_units, n_units), is symmetric and 0 on its diagonal; b has shape (n_units,). You may import
NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np


def energy(x: np.ndarray, J: np.ndarray, b: np.ndarray) -> np.ndarray:
    """E(x) = −½ x'Jx − b'x, for each row of x.

    Parameters
    ----------
    x : array of shape (n_examples, n_units)
    J : array of shape (n_units, n_units), symmetric, 0 on its diagonal
    b : array of shape (n_units,)

    Returns
    -------
    array of shape (n_examples,), in nats
    """
    raise NotImplementedError


def distribution(J: np.ndarray, b: np.ndarray, T: float) -> np.ndarray:
    """p(x) = exp(−E(x) / T) / Z for every state x, with Z = Σₓ exp(−E(x) / T).

    Parameters
    ----------
    J, b : the machine, with at most a dozen units
    T : the temperature, above 0

    Returns
    -------
    array of shape (2 ** n_units,), finite also where exp(−E / T) is too large for a float. States
    are in counting order: 000, 001, 010, …, with unit 0 on the left
    """
    raise NotImplementedError


def bits_from_spins(J: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """J_bits and b_bits, so that E_bits(x) and E_spins(2x − 1) differ by a constant only.

    Both energies are written −½ x'Jx − b'x, with parameters of their own.

    Parameters
    ----------
    J, b : a machine of spins

    Returns
    -------
    two arrays of the shapes of J and b
    """
    raise NotImplementedError


def gibbs_sweep(
    x: np.ndarray, J: np.ndarray, b: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One sweep for each row: unit 0, then unit 1, … is drawn given all others as they are now.

        p(xᵢ = 1 | the rest) = σ(bᵢ + Σⱼ Jᵢⱼ xⱼ)

    Parameters
    ----------
    x : array of shape (n_chains, n_units), states
    J, b : the machine
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_chains, n_units), of 0 and 1
    """
    raise NotImplementedError


def hebb(patterns: np.ndarray) -> np.ndarray:
    """Jᵢⱼ = (1/n) Σ_t tᵢ tⱼ for i ≠ j, and Jᵢᵢ = 0, where t runs through the patterns.

    Parameters
    ----------
    patterns : array of shape (n_patterns, n_units), spins −1 and +1; n is n_units

    Returns
    -------
    array of shape (n_units, n_units)
    """
    raise NotImplementedError


def recall(s: np.ndarray, J: np.ndarray) -> np.ndarray:
    """Where each row comes to rest when unit after unit takes the sign of its field Σⱼ Jᵢⱼ sⱼ.

    One sweep goes from unit 0 to the last. A unit whose field is exactly 0 keeps its state. Sweeps
    follow one another until a whole sweep changes nothing.

    Parameters
    ----------
    s : array of shape (n_examples, n_units), spins −1 and +1, where to start
    J : array of shape (n_units, n_units), symmetric, 0 on its diagonal

    Returns
    -------
    array of shape (n_examples, n_units), of −1 and +1
    """
    raise NotImplementedError


def log_likelihood_gradient(
    v: np.ndarray, J: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of (1/N) Σₙ log p(vₙ) by J and b: mean under the data − under the model.

        ∂/∂Jᵢⱼ = ⟨xᵢ xⱼ⟩_data − ⟨xᵢ xⱼ⟩_model     ∂/∂bᵢ = ⟨xᵢ⟩_data − ⟨xᵢ⟩_model

    Jᵢⱼ and Jⱼᵢ are one parameter. The first v.shape[1] units are visible and, in the data's part,
    hold a row of v. All others are hidden, coupled with the visible ones and with each other.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), the data; n_visible may be n_units
    J, b : the machine, with at most a dozen units

    Returns
    -------
    two arrays of the shapes of J (symmetric, 0 on its diagonal) and b, finite also where exp(−E)
    is too large for a float
    """
    raise NotImplementedError
