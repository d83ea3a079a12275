"""How wrong the output of a network is, and the delta at its last layer.

z is the last layer's field, a = f(z) the output, y the target, n the number of rows of the batch
as it is, so that a short last batch divides by its own length.

=========================  ==========================================  =============
loss                       L                                           matched with
=========================  ==========================================  =============
squared_error              1/n Σ_rows ½ Σₖ (aₖ − yₖ)²                  identity
binary_cross_entropy       1/n Σ_rows Σₖ −yₖ log aₖ − (1−yₖ) log(1−aₖ)  sigmoid
categorical_cross_entropy  1/n Σ_rows Σₖ −yₖ log aₖ                    softmax
=========================  ==========================================  =============

With its matched output each loss has the same delta, δ = ∂L/∂z = (a − y)/n: the derivative of
the activation has cancelled. The cross-entropies are computed from the field z, never as the
logarithm of an output, and go with their matched output only; no logarithm of 0 can come up.
Squared error goes with every output.

Source: Bishop (2006), Pattern Recognition and Machine Learning, section 5.2.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dbnlib.checks import check_choice, check_range
from dbnlib.labels import check_labels
from dbnlib.layers import Activation
from dbnlib.units import Softmax, softplus


class Loss:
    """A number for how far outputs are from targets; arrays of shape (n_examples, n_outputs)."""

    name: ClassVar[str]
    #: the output activation for which δ = (a − y)/n
    matched: ClassVar[str]
    #: the output activations that the loss can be used with
    outputs: ClassVar[tuple[str, ...]]

    def __repr__(self) -> str:
        return f"<loss {self.name}>"

    def check_targets(self, name: str, y: np.ndarray) -> None:
        """Raise ValueError where `y` cannot be a target of this loss."""

    def value(self, z: np.ndarray, a: np.ndarray, y: np.ndarray) -> float:
        """L: the loss of a batch, the mean over its rows; in nats for the cross-entropies."""
        raise NotImplementedError

    def delta(
        self, a: np.ndarray, y: np.ndarray, output: Activation, out: np.ndarray | None = None
    ) -> np.ndarray:
        """δ = ∂L/∂z at the last layer, shape (n_examples, n_outputs).

        (a − y)/n for the matched output. Otherwise the loss is squared error, whose slope in a is
        (a − y)/n, and δ is what the output's derivative makes of that slope.
        """
        out = np.subtract(a, y, out=out)
        out /= len(y)
        if output.name != self.matched:
            output.backward(a, out, out=out)
        return out


class SquaredError(Loss):
    """Half the squared distance: for regression, and for reconstructions."""

    name = "squared_error"
    matched = "identity"
    outputs = ("identity", "sigmoid", "tanh", "relu", "softmax")

    def value(self, z: np.ndarray, a: np.ndarray, y: np.ndarray) -> float:
        """L = 1/n Σ_rows ½ Σₖ (aₖ − yₖ)²."""
        difference = a - y
        per_row = 0.5 * np.einsum("nk,nk->n", difference, difference)
        return float(per_row.mean(dtype=np.float64))


class BinaryCrossEntropy(Loss):
    """Each output is the probability of a yes, each on its own."""

    name = "binary_cross_entropy"
    matched = "sigmoid"
    outputs = ("sigmoid",)

    def check_targets(self, name: str, y: np.ndarray) -> None:
        """Targets are probabilities."""
        check_range(name, y, 0, 1)

    def value(self, z: np.ndarray, a: np.ndarray, y: np.ndarray) -> float:
        """L = 1/n Σ_rows Σₖ softplus(zₖ) − yₖ zₖ, since log σ(z) = z − softplus(z)."""
        per_row = (softplus(z) - y * z).sum(axis=1, dtype=np.float64)
        return float(per_row.mean())


class CategoricalCrossEntropy(Loss):
    """The outputs are the probabilities of classes, exactly one of which is right."""

    name = "categorical_cross_entropy"
    matched = "softmax"
    outputs = ("softmax",)

    def check_targets(self, name: str, y: np.ndarray) -> None:
        """Target rows are probabilities that sum to 1, such as one-hot rows."""
        Softmax(y.shape[1]).check(name, y)

    def value(self, z: np.ndarray, a: np.ndarray, y: np.ndarray) -> float:
        """L = 1/n Σ_rows log Σₖ exp(zₖ) − Σₖ yₖ zₖ, with the largest z taken out of both."""
        z = z - z.max(axis=1, keepdims=True)
        per_row = np.log(np.exp(z).sum(axis=1)) - np.einsum("nk,nk->n", y, z)
        return float(per_row.mean(dtype=np.float64))


#: name → loss
LOSSES: dict[str, Loss] = {
    loss.name: loss for loss in (SquaredError(), BinaryCrossEntropy(), CategoricalCrossEntropy())
}


def make_loss(given: object, output: Activation) -> Loss:
    """The loss called `given`, or the one that matches `output` if None.

    Raises ValueError for an unknown name, and for a cross-entropy with a wrong output.
    """
    if given is None:
        given = next(
            (x.name for x in LOSSES.values() if x.matched == output.name), SquaredError.name
        )
    loss = LOSSES[check_choice("loss", given, tuple(LOSSES))]
    if output.name not in loss.outputs:
        raise ValueError(
            f"the loss {loss.name!r} needs {loss.matched!r} as the output's activation, got "
            f"{output.name!r}; change the last activation, or use 'squared_error'"
        )
    return loss


def one_hot(name: str, classes: Any, n_classes: int) -> np.ndarray:
    """Rows of the identity for class numbers 0 … n_classes − 1; ValueError for any others."""
    return np.eye(n_classes)[check_labels(name, classes, n_classes)]


def count_wrong(a: np.ndarray, y: np.ndarray) -> int:
    """How many rows of outputs choose another class than their targets do.

    The choice is the largest of several outputs, or a single one's yes (from ½ on) or no.
    """
    if a.shape[1] == 1:
        return int(np.count_nonzero((a >= 0.5) != (y >= 0.5)))
    return int(np.count_nonzero(a.argmax(axis=1) != y.argmax(axis=1)))
