"""Unit 05: a network from scratch, from one layer to a classifier that has learned two moons.

Replace each `raise NotImplementedError` by your code; the task is in task.md. Check yourself with

    course check 05

Rows are examples. W has shape (units below, units), b has shape (units,). Classes are the numbers
0, 1, … in an array of shape (n_examples,). You may import NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np


def relu_layer(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a = f(xW + b), with f(z) = max(0, z).

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    W : array of shape (n_in, n_out)
    b : array of shape (n_out,)

    Returns
    -------
    array of shape (n_examples, n_out)
    """
    raise NotImplementedError


def softmax(z: np.ndarray) -> np.ndarray:
    """pₖ = exp(zₖ) / Σⱼ exp(zⱼ), for each row of z.

    Parameters
    ----------
    z : array of shape (n_examples, n_classes), the fields of the last layer

    Returns
    -------
    array of shape (n_examples, n_classes), finite also where |z| is as large as 10,000
    """
    raise NotImplementedError


def cross_entropy(z: np.ndarray, y: np.ndarray) -> float:
    """L = −(1/n) Σ log p_y: the mean over the rows of −log of what softmax gives the right class.

    Parameters
    ----------
    z : array of shape (n_examples, n_classes), the fields of the last layer, before the softmax
    y : whole numbers of shape (n_examples,), the right classes

    Returns
    -------
    a number, in nats, finite also where |z| is as large as 10,000
    """
    raise NotImplementedError


def slopes_by_trial(
    x: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray, epsilon: float
) -> np.ndarray:
    """(L(Wᵢⱼ + ε) − L(Wᵢⱼ − ε)) / 2ε for each entry of W, with L = cross_entropy(xW + b, y).

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    y : whole numbers of shape (n_examples,), the right classes
    W : array of shape (n_in, n_classes)
    b : array of shape (n_classes,)
    epsilon : how far one entry is moved each way, all others staying where they are

    Returns
    -------
    array of the shape of W
    """
    raise NotImplementedError


def he_start(n_in: int, n_out: int, rng: np.random.Generator) -> np.ndarray:
    """Starting weights of a ReLU layer: independent draws from N(0, 2/n_in).

    Parameters
    ----------
    n_in, n_out : number of units below, and of units in the layer
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_in, n_out)
    """
    raise NotImplementedError


def gradients(
    x: np.ndarray,
    y: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    W3: np.ndarray,
    b3: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The slopes of the loss in all parameters of a network with two hidden layers.

        a¹ = relu(xW¹ + b¹)     a² = relu(a¹W² + b²)     z³ = a²W³ + b³     L = cross_entropy(z³, y)

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    y : whole numbers of shape (n_examples,), the right classes
    W1, b1, W2, b2, W3, b3 : the network

    Returns
    -------
    ∂L/∂W¹, ∂L/∂b¹, ∂L/∂W², ∂L/∂b², ∂L/∂W³, ∂L/∂b³, each of the shape of its parameter
    """
    raise NotImplementedError


def adam_step(
    theta: np.ndarray, g: np.ndarray, m: np.ndarray, s: np.ndarray, t: int, rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One step of Adam, with β₁ = 0.9, β₂ = 0.999 and tiny = 1e-8.

        m ← β₁m + (1 − β₁)g            m̂ = m / (1 − β₁ᵗ)
        s ← β₂s + (1 − β₂)g²           ŝ = s / (1 − β₂ᵗ)
        θ ← θ − rate · m̂ / (√ŝ + tiny)

    Parameters
    ----------
    theta : parameters, an array of any shape
    g : the slopes of the loss in them
    m, s : the two moving averages, as the step before left them
    t : number of this step, counted from 1
    rate : the learning rate

    Returns
    -------
    the new θ, m and s
    """
    raise NotImplementedError


def learn_moons(
    x: np.ndarray, y: np.ndarray, x_new: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Train a network on points and their classes, and say to which class new points belong.

    Parameters
    ----------
    x : array of shape (n_examples, 2), points on two moons
    y : whole numbers of shape (n_examples,), 0 or 1, their classes
    x_new : array of shape (n_new, 2), points whose classes nobody tells you
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_new,), of 0 and 1; at least 95 % of them are to be right
    """
    raise NotImplementedError
