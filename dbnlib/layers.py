"""What one layer of a feed-forward network computes, how it starts, and how it is thinned out.

A layer takes the activations below it to a field and the field to activations of its own:

    z = a_below W + b        a = f(z)

Going back, it takes the slope of the loss in a to the slope in z, which is called δ:

    δ = ∂L/∂z = ∂L/∂a ∘ f'(z)

Each f stands here with its derivative, written by means of a wherever that is possible, because a
is at hand when the derivative is wanted.

========  ===============  ==============================
name      f(z)             f'(z), by means of a = f(z)
========  ===============  ==============================
sigmoid   1 / (1 + e⁻ᶻ)    a(1 − a)
tanh      tanh z           1 − a²
relu      max(0, z)        1 where a > 0, else 0
identity  z                1
softmax   eᶻ / Σeᶻ         a matrix: ∂aᵢ/∂zⱼ = aᵢ(δᵢⱼ − aⱼ)
========  ===============  ==============================

Sources: Rumelhart, Hinton, Williams (1986); Glorot and Bengio (2010) and He et al. (2015) for the
starting weights; Srivastava et al. (2014) for dropout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from dbnlib import units
from dbnlib.checks import (
    check_array,
    check_choice,
    check_count,
    check_dtype,
    check_generator,
    check_real,
)
from dbnlib.uniforms import uniforms


class Activation:
    """A function f from fields to activations. Both have shape (n_examples, n_units)."""

    name: ClassVar[str]

    def __repr__(self) -> str:
        return f"<activation {self.name}>"

    def value(self, z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a = f(z); `out` may be `z` itself."""
        raise NotImplementedError

    def derivative(self, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """f'(z), given a = f(z); `out` must not be `a`."""
        raise NotImplementedError

    def backward(
        self, a: np.ndarray, slope: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """∂L/∂z = ∂L/∂a ∘ f'(z), given a and the slope ∂L/∂a; `out` may be `slope` itself."""
        return np.multiply(slope, self.derivative(a), out=out)


class Sigmoid(Activation):
    """The logistic function: the mean of a Bernoulli unit."""

    name = "sigmoid"

    def value(self, z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a = 1 / (1 + e⁻ᶻ)."""
        return units.sigmoid(z, out=out)

    def derivative(self, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a(1 − a)."""
        out = np.subtract(1.0, a, out=out)
        out *= a
        return out


class Tanh(Activation):
    """The hyperbolic tangent: a logistic function that runs from −1 to 1."""

    name = "tanh"

    def value(self, z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a = tanh z."""
        return np.tanh(z, out=out)

    def derivative(self, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """1 − a²."""
        out = np.multiply(a, a, out=out)
        return np.subtract(1.0, out, out=out)


class Relu(Activation):
    """The rectifier. It has a kink at 0, where the slope is taken to be 0."""

    name = "relu"

    def value(self, z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a = max(0, z)."""
        return np.maximum(z, 0.0, out=out)

    def derivative(self, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """1 where a > 0, else 0."""
        return np.greater(a, 0.0, out=np.empty_like(a) if out is None else out)


class Identity(Activation):
    """No function at all: the output of a regression."""

    name = "identity"

    def value(self, z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a = z."""
        return np.positive(z, out=out)

    def derivative(self, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """1."""
        out = np.empty_like(a) if out is None else out
        out[...] = 1.0
        return out


class Softmax(Activation):
    """Probabilities of classes. Every a depends on every z, so it can only be the last layer."""

    name = "softmax"

    def value(self, z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a = eᶻ / Σeᶻ, with the largest field taken out first."""
        return units.Softmax(z.shape[1]).mean(z, out=out)

    def backward(
        self, a: np.ndarray, slope: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """∂L/∂zⱼ = Σᵢ ∂L/∂aᵢ · aᵢ(δᵢⱼ − aⱼ) = aⱼ (∂L/∂aⱼ − Σᵢ aᵢ ∂L/∂aᵢ)."""
        mean_slope = np.einsum("ni,ni->n", a, slope)
        out = np.subtract(slope, mean_slope[:, None], out=out)
        out *= a
        return out


#: name → activation
ACTIVATIONS: dict[str, Activation] = {
    f.name: f for f in (Sigmoid(), Tanh(), Relu(), Identity(), Softmax())
}

#: dropout masks: one for the input and each hidden layer, None where nothing is dropped
Masks = Sequence[np.ndarray | None]

INITIALISATIONS = ("zero", "small_normal", "glorot", "he")


def make_activation(name: str, given: object) -> Activation:
    """The activation called `given`; ValueError with the list of them otherwise."""
    return ACTIVATIONS[check_choice(name, given, tuple(ACTIVATIONS))]


def initialise(
    n_in: int, n_out: int, how: str, rng: np.random.Generator, dtype: type = np.float32
) -> np.ndarray:
    """Starting weights of a layer, shape (n_in, n_out).

    Parameters
    ----------
    n_in, n_out : number of units below, and of units in the layer
    how :
        'zero': all 0. Fit for a last layer; in hidden layers all units would stay alike.
        'small_normal': N(0, 0.01²), whatever the width.
        'glorot': uniform between ±√(6 / (n_in + n_out)). Keeps the size of both activations and
        deltas over the layers of tanh units (Glorot and Bengio 2010, eq. 16).
        'he': N(0, 2/n_in). The same for ReLU units, half of which are off (He et al. 2015, eq. 10).
    """
    n_in, n_out = check_count("n_in", n_in), check_count("n_out", n_out)
    check_choice("initialisation", how, INITIALISATIONS)
    check_generator(rng)
    if how == "zero":
        W = np.zeros((n_in, n_out))
    elif how == "small_normal":
        W = 0.01 * rng.standard_normal((n_in, n_out))
    elif how == "glorot":
        bound = np.sqrt(6 / (n_in + n_out))
        W = rng.uniform(-bound, bound, (n_in, n_out))
    else:
        W = np.sqrt(2 / n_in) * rng.standard_normal((n_in, n_out))
    return W.astype(check_dtype(dtype))


def draw_mask(p: float, rng: np.random.Generator, out: np.ndarray) -> np.ndarray:
    """Inverted dropout: each entry is 0 with probability p, else 1/(1 − p); written into `out`.

    The mean of an entry is 1, so that the network without masks needs no rescaling afterwards.
    `out` is C-contiguous; its dtype governs. Source: Srivastava et al. (2014), sections 4 and 10.
    """
    uniforms(rng, out.shape, out.dtype, out=out)
    np.greater_equal(out, p, out=out)
    out *= 1.0 / (1.0 - p)
    return out


def dropout_probabilities(dropout: object, n_layers: int) -> list[float]:
    """One drop probability for the input and each hidden layer: a list of length `n_layers`.

    Parameters
    ----------
    dropout : None, a list of `n_layers` probabilities, or a pair (input, every hidden layer)

    Raises
    ------
    TypeError, ValueError
        for a number alone, a wrong length, a probability outside [0, 1)
    """
    if dropout is None:
        return [0.0] * n_layers
    if not isinstance(dropout, (list, tuple)):
        raise TypeError(
            "dropout must be a pair (input, hidden) or a list with one probability for the input "
            f"and each hidden layer, got {dropout!r}"
        )
    given = [check_real("a dropout probability", p, 0) for p in dropout]
    if any(p >= 1 for p in given):
        raise ValueError(
            f"a dropout probability must be below 1, got {dropout!r}; 1 would drop every unit"
        )
    if len(given) == 2:
        return [given[0]] + [given[1]] * (n_layers - 1)
    if len(given) != n_layers:
        raise ValueError(
            f"dropout must have {n_layers} probabilities (the input and each hidden layer) or 2 "
            f"(the input, all hidden layers), got {len(given)}"
        )
    return given


def check_masks(
    masks: Masks | None, n_rows: int, sizes: Sequence[int], dtype: np.dtype
) -> Masks | None:
    """`masks` as arrays of shapes (n_rows, size) in `dtype`; ValueError where one does not fit."""
    if masks is None:
        return None
    if len(masks) != len(sizes):
        raise ValueError(
            f"masks must have {len(sizes)} entries, for the input and each hidden layer, "
            f"got {len(masks)}"
        )
    checked = []
    for layer, (mask, size) in enumerate(zip(masks, sizes, strict=True)):
        if mask is not None:
            mask = check_array(f"masks[{layer}]", mask, ndim=2, shape=(n_rows, size))
            mask = mask.astype(dtype, copy=False)
        checked.append(mask)
    return checked


def masked(a: np.ndarray, masks: Masks | None, layer: int) -> np.ndarray:
    """m ∘ a with the mask of that layer, or `a` where there is none."""
    return a if masks is None or masks[layer] is None else a * masks[layer]
