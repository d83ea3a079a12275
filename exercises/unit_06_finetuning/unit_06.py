"""Unit 06: fine-tuning, from a stack of RBMs to a classifier and the images that it gets wrong.

Replace each `raise NotImplementedError` by your code; the task is in task.md. Check yourself with

    course check 06

Rows are examples. Each W has shape (units below, units above). Hidden layers are sigmoid layers,
the last is a softmax over classes. Classes are the numbers 0, 1, … in an array of shape
(n_examples,). You may import NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np


def network_from_stack(
    W1: np.ndarray,
    b1: np.ndarray,
    c1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
    n_classes: int,
) -> tuple[np.ndarray, ...]:
    """The recognition pass of two RBMs as a network, with an output layer of zeros on top.

    Parameters
    ----------
    W1, b1, c1 : the RBM between pixels and first features: weights, visible and hidden biases
    W2, b2, c2 : the RBM between first and second features
    n_classes : width of the output layer

    Returns
    -------
    six arrays: weights and biases of the first layer, then of the second, then of the output layer
    """
    raise NotImplementedError


def few_labels(y: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Choose n rows that keep their labels, as many of each class; the others lose them.

    Parameters
    ----------
    y : whole numbers of shape (n_examples,), the classes of all rows, in any order
    n : how many rows keep their label; the number of classes divides it, and each class has
        rows enough
    rng : the only source of randomness

    Returns
    -------
    two arrays of row numbers, each row in one of them, in any order: n that were drawn, so that of
    each class every row has the same chance, and all others
    """
    raise NotImplementedError


def gradient_norms(
    x: np.ndarray, y: np.ndarray, Ws: list[np.ndarray], bs: list[np.ndarray]
) -> np.ndarray:
    """‖∂L/∂Wˡ‖ for each layer: how much of the error arrives there.

    L is the mean cross-entropy of the rows, and ‖·‖ the root of the sum of squares of all entries.

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    y : whole numbers of shape (n_examples,), the right classes
    Ws, bs : lists with one entry for each layer, the bottom one first; there may be any number.
        All layers but the last are sigmoid layers, the last is a softmax

    Returns
    -------
    array of shape (number of layers,), the bottom layer first
    """
    raise NotImplementedError


def dropout_mask(n_rows: int, n_units: int, p: float, rng: np.random.Generator) -> np.ndarray:
    """A mask of inverted dropout: 0 with probability p, else 1/(1 − p), each entry for itself.

    Parameters
    ----------
    n_rows, n_units : the shape of the mask
    p : the probability that a unit is dropped, below 1
    rng : the only source of randomness

    Returns
    -------
    array of shape (n_rows, n_units)
    """
    raise NotImplementedError


def fine_tune_step(
    x: np.ndarray,
    y: np.ndarray,
    mask1: np.ndarray,
    mask2: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    W3: np.ndarray,
    b3: np.ndarray,
    rates: np.ndarray,
    decay: float,
) -> tuple[np.ndarray, ...]:
    """One step of gradient descent, with dropout, weight decay and a rate for each layer.

        a¹ = σ(xW¹ + b¹) ∘ m¹      a² = σ(a¹W² + b²) ∘ m²      p = softmax(a²W³ + b³)
        Wˡ ← Wˡ − rateˡ (∂L/∂Wˡ + decay · Wˡ)                   bˡ ← bˡ − rateˡ ∂L/∂bˡ

    L is the mean cross-entropy of the rows. A layer whose rate is 0 stays as it is: it is frozen.

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    y : whole numbers of shape (n_examples,), the right classes
    mask1, mask2 : dropout masks of the two hidden layers, of shapes (n_examples, units)
    W1, b1, W2, b2, W3, b3 : the network
    rates : array of shape (3,), the learning rates of the layers
    decay : λ of the penalty ½λ Σ W², on weights only

    Returns
    -------
    the new W1, b1, W2, b2, W3, b3
    """
    raise NotImplementedError


def confusion_matrix(y: np.ndarray, said: np.ndarray, n_classes: int) -> np.ndarray:
    """How often an image of class i was called a j: entry [i, j].

    Parameters
    ----------
    y : whole numbers of shape (n_images,), the right classes
    said : whole numbers of shape (n_images,), what the classifier said
    n_classes : number of classes; some may not occur

    Returns
    -------
    array of shape (n_classes, n_classes)
    """
    raise NotImplementedError


def best_epoch(errors: np.ndarray, patience: int) -> int:
    """Early stopping: the epoch whose network is kept, counted from 0.

    Training stops as soon as `patience` epochs in a row have brought no new lowest error; what
    comes after is never seen. Kept is the first epoch with the lowest error among those seen.

    Parameters
    ----------
    errors : array of shape (n_epochs,), on held-out images, one for each epoch had nobody stopped
    patience : at least 1

    Returns
    -------
    a whole number
    """
    raise NotImplementedError
