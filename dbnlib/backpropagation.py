"""Backpropagation in buffers made once: what `Network.gradients` says, as fast as it can be done.

The time of a pass should be that of its matrix products. So every array that a minibatch needs is
made beforehand, and each operation writes into one of them; a short last batch uses their first
rows. There are two differences from the plain form, neither of which changes a value:

- f'(zˡ) is taken on the way forward, while aˡ is in the CPU's cache, and the dropout mask mˡ
  goes into both: aˡ becomes mˡ ∘ aˡ and the slope mˡ ∘ f'(zˡ);
- the δ of the input, which nobody needs, is not computed.

A test holds the one against the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dbnlib.layers import draw_mask
from dbnlib.network import Network


class Backpropagation:
    """The buffers for minibatches of up to `batch_size` rows, and the two passes through them.

    Parameters
    ----------
    network : its arrays are read where they are; replacing one by another array is not seen
    dropout : list of drop probabilities, for the input and each hidden layer

    Attributes
    ----------
    dW, db : lists of arrays
        the gradients of the last minibatch
    masks : list of arrays, or None where nothing is dropped
        the dropout masks of the last minibatch, in its first rows
    """

    def __init__(self, network: Network, batch_size: int, dropout: Sequence[float]):
        self.network = network
        self.dropout = list(dropout)
        self.dW = [np.empty_like(W) for W in network.weights]
        self.db = [np.empty_like(b) for b in network.biases]

        def buffer(size: int) -> np.ndarray:
            return np.empty((batch_size, size), dtype=network.dtype)

        hidden = network.sizes[1:-1]
        self.a = [buffer(size) for size in network.sizes]
        self.slopes = [buffer(size) for size in hidden]
        self.deltas = [buffer(size) for size in network.sizes[1:]]
        self.z_last = buffer(network.n_outputs)
        self.y = buffer(network.n_outputs)
        self.masks = [
            buffer(size) if p else None
            for size, p in zip(network.sizes[:-1], self.dropout, strict=True)
        ]

    def load(self, x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> None:
        """Copy the minibatch into its buffers."""
        self.n = len(rows)
        # mode='clip' only spares a copy: the row numbers are valid
        np.take(x, rows, axis=0, out=self.a[0][: self.n], mode="clip")
        np.take(y, rows, axis=0, out=self.y[: self.n], mode="clip")

    def draw_masks(self, rng: np.random.Generator) -> None:
        """New dropout masks for the minibatch."""
        for p, mask in zip(self.dropout, self.masks, strict=True):
            if mask is not None:
                draw_mask(p, rng, out=mask[: self.n])

    def forward(self) -> None:
        """zˡ = aˡ⁻¹ Wˡ + bˡ, aˡ = mˡ ∘ f(zˡ), and the slope mˡ ∘ f'(zˡ) of each hidden layer."""
        network, n = self.network, self.n
        a = self.a[0][:n]
        if self.masks[0] is not None:
            a *= self.masks[0][:n]
        for layer in range(network.n_layers - 1):
            z = np.matmul(a, network.weights[layer], out=self.a[layer + 1][:n])
            z += network.biases[layer]
            f = network.activations[layer]
            a = f.value(z, out=z)
            slope = f.derivative(a, out=self.slopes[layer][:n])
            if self.masks[layer + 1] is not None:
                a *= self.masks[layer + 1][:n]
                slope *= self.masks[layer + 1][:n]
        # The last field is kept beside its activation: the loss is computed from it.
        z = np.matmul(a, network.weights[-1], out=self.z_last[:n])
        z += network.biases[-1]
        network.activations[-1].value(z, out=self.a[-1][:n])

    def backward(self) -> None:
        """∂L/∂Wˡ = aˡ⁻¹' δˡ, ∂L/∂bˡ = Σ_rows δˡ, δˡ⁻¹ = (δˡ Wˡ') ∘ slope, from l = L down."""
        network, n = self.network, self.n
        delta = network.loss_function.delta(
            self.a[-1][:n], self.y[:n], network.activations[-1], out=self.deltas[-1][:n]
        )
        for layer in reversed(range(network.n_layers)):
            np.matmul(self.a[layer][:n].T, delta, out=self.dW[layer])
            np.sum(delta, axis=0, out=self.db[layer])
            if layer:
                below = self.deltas[layer - 1][:n]
                delta = np.matmul(delta, network.weights[layer].T, out=below)
                delta *= self.slopes[layer - 1][:n]

    def loss(self) -> float:
        """L of the minibatch, as it was at the last forward pass."""
        n = self.n
        return self.network.loss_function.value(self.z_last[:n], self.a[-1][:n], self.y[:n])
