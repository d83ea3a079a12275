"""Unit 07: generation, from the mirror pass to a digit of a class that one asks for.

Replace each `raise NotImplementedError` by your code; the task is in task.md. Check yourself with

    course check 07

All units are 0 or 1, but for the label, which is one unit with one of K values, written one-hot.
Rows are examples. Each W has shape (units below, units above), each b belongs to the layer below,
each c to the layer above. You may import NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np


def mirror_pass(
    v: np.ndarray, Ws: list[np.ndarray], bs: list[np.ndarray], cs: list[np.ndarray]
) -> np.ndarray:
    """Up through all RBMs of a stack and down again, by means.

        up: mˡ = σ(cˡ + mˡ⁻¹ Wˡ), from m⁰ = v      down: mˡ⁻¹ ← σ(bˡ + mˡ Wˡ'), from the top

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    Ws, bs, cs : lists with one entry for each RBM, the bottom one first; there may be any number

    Returns
    -------
    array of shape (n_examples, n_visible), means of the pixels
    """
    raise NotImplementedError


def wrong_pixels(v: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """How many pixels of each image come back wrong: a mean above ½ counts as 1, else as 0.

    Parameters
    ----------
    v : array of shape (n_images, n_pixels), of 0 and 1
    rebuilt : array of the same shape, means between 0 and 1

    Returns
    -------
    array of shape (n_images,)
    """
    raise NotImplementedError


def label_probabilities(
    h1: np.ndarray, W2: np.ndarray, c2: np.ndarray, U: np.ndarray, d: np.ndarray
) -> np.ndarray:
    """p(y | h¹) of the top RBM, for each row and each label: the hidden units are summed out.

        p(y | h¹) ∝ exp(−F(h¹, y))       −F(h¹, y) = d_y + Σⱼ log(1 + exp(c²ⱼ + (h¹W²)ⱼ + U_yj))

    up to a term that all labels share.

    Parameters
    ----------
    h1 : array of shape (n_examples, n_features)
    W2 : array of shape (n_features, n_hidden)
    c2 : array of shape (n_hidden,)
    U : array of shape (n_labels, n_hidden), weights between label and hidden units
    d : array of shape (n_labels,), biases of the label

    Returns
    -------
    array of shape (n_examples, n_labels), finite also where fields are as large as 10,000
    """
    raise NotImplementedError


def draw_label(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One draw of a label for each row, one-hot.

    Parameters
    ----------
    p : array of shape (n_examples, n_labels), probabilities: each row adds up to 1
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_examples, n_labels), in each row one 1 and else 0
    """
    raise NotImplementedError


def sample_with_label(
    y: np.ndarray,
    h1: np.ndarray,
    n_steps: int,
    W1: np.ndarray,
    b1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
    U: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw images of the classes y: a chain in the top RBM with the label held fast, then down.

        n_steps times:  h² ~ σ(c² + h¹W² + U_y),  then h¹ ~ σ(b² + h²W²')
        once:           v ~ σ(b¹ + h¹W¹')

    Parameters
    ----------
    y : whole numbers of shape (n_chains,), the class that each chain is to show
    h1 : array of shape (n_chains, n_features), states of the features at the start
    n_steps : how many steps of block Gibbs sampling, at least 1
    W1, b1 : the way down, of shapes (n_visible, n_features) and (n_visible,)
    W2, b2, c2 : the top RBM, of shapes (n_features, n_hidden), (n_features,) and (n_hidden,)
    U : array of shape (n_labels, n_hidden), weights between label and hidden units
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_chains, n_visible), of 0 and 1
    """
    raise NotImplementedError


def fill_in(
    v: np.ndarray,
    known: np.ndarray,
    n_steps: int,
    W: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the unknown pixels of each image, given the known ones, by Gibbs sampling in an RBM.

    A step draws h ~ p(h | v), then new values for the unknown pixels from p(v | h). The known
    pixels keep theirs throughout.

    Parameters
    ----------
    v : array of shape (n_images, n_visible), states; the chain starts from them, so that what
        stands at the unknown pixels is their first value
    known : array of booleans of shape (n_images, n_visible), True where the pixel is known
    n_steps : how many steps, at least 1
    W, b, c : the RBM
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_images, n_visible), of 0 and 1
    """
    raise NotImplementedError


def wake_step(
    v: np.ndarray, h: np.ndarray, W: np.ndarray, b: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """One step of the wake phase: the way down learns to give back v from h.

    It is one step up the gradient of (1/N) Σₙ log p(vₙ | hₙ), with p(vᵢ = 1 | h) = σ(bᵢ + (hW')ᵢ).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), states below
    h : array of shape (n_examples, n_hidden), the states above that were drawn from them
    W, b : the way down, of shapes (n_visible, n_hidden) and (n_visible,)
    rate : the learning rate

    Returns
    -------
    the new W and b
    """
    raise NotImplementedError


def unroll(
    W1: np.ndarray,
    b1: np.ndarray,
    c1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Two RBMs as an autoencoder of four layers, each of which computes σ(a W + b).

    Parameters
    ----------
    W1, b1, c1 : the RBM between pixels and features
    W2, b2, c2 : the RBM between features and code

    Returns
    -------
    eight arrays: weights and biases of the first layer, then of the second, the third, the fourth
    """
    raise NotImplementedError
