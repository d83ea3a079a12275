"""The feed-forward network as a model: its parameters, its output, its loss and its gradients.

    a⁰ = x        zˡ = aˡ⁻¹ Wˡ + bˡ        aˡ = f(zˡ)        for the layers l = 1 … L

Backpropagation finds the slope of the loss in every parameter by walking back once:

    δᴸ = ∂L/∂zᴸ        δˡ = (δˡ⁺¹ Wˡ⁺¹') ∘ f'(zˡ)        ∂L/∂Wˡ = aˡ⁻¹' δˡ        ∂L/∂bˡ = Σ_rows δˡ

In the code layer l has index l − 1, so that `weights[0]` stands between the input and the first
hidden layer. This module says what a network *is*, in plain code; `dbnlib.backpropagation` does
the same fast, and `dbnlib.network_training` trains.

Source: Rumelhart, Hinton, Williams (1986), Learning representations by back-propagating errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from dbnlib.checks import as_dtype, check_array, check_count, check_dtype, check_generator
from dbnlib.finite_differences import largest_error
from dbnlib.layers import Masks, check_masks, initialise, make_activation, masked
from dbnlib.losses import count_wrong, make_loss, one_hot
from dbnlib.storage import storable

#: Rows that are passed through the network at a time where many are given.
CHUNK = 2000


@storable("network")
class Network:
    """A feed-forward network with given parameters.

    Parameters
    ----------
    weights : list of arrays, the l-th of shape (units below, units)
        the dtype of the first (float32 or float64) is the dtype of everything that comes out
    biases : list of arrays of shape (units,)
    activations : list of str
        one a layer: 'sigmoid', 'tanh', 'relu', 'identity'; for the last also 'softmax'
    loss : str, optional
        'categorical_cross_entropy', 'binary_cross_entropy' or 'squared_error'; if not given, the
        one that matches the last activation (see `dbnlib.losses`)

    Examples
    --------
    >>> network = Network([[[1.0], [-1.0]]], [[0.5]], ["identity"])
    >>> network.predict([[2.0, 1.0]])
    array([[1.5]])
    """

    def __init__(
        self,
        weights: Sequence[Any],
        biases: Sequence[Any],
        activations: Sequence[str],
        *,
        loss: str | None = None,
    ):
        n_layers = len(weights)
        if not n_layers or not len(biases) == len(activations) == n_layers:
            raise ValueError(
                "weights, biases and activations must have one entry a layer, got "
                f"{n_layers}, {len(biases)} and {len(activations)}"
            )
        self.activations = [
            make_activation(f"activations[{layer}]", name) for layer, name in enumerate(activations)
        ]
        if any(f.name == "softmax" for f in self.activations[:-1]):
            raise ValueError("'softmax' can only be the last activation; use 'sigmoid' or 'relu'")
        self.loss_function = make_loss(loss, self.activations[-1])
        self.weights: list[np.ndarray] = []
        self.biases: list[np.ndarray] = []
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
            below = (self.weights[-1].shape[1] if layer else None, None)
            W = check_array(f"weights[{layer}]", W, ndim=2, shape=below)
            b = check_array(f"biases[{layer}]", b, ndim=1, shape=(W.shape[1],))
            dtype = self.weights[0].dtype if layer else W.dtype
            self.weights.append(np.array(W, dtype=dtype, order="C"))
            self.biases.append(np.array(b, dtype=dtype))
        if self.activations[-1].name == "softmax" and self.n_outputs == 1:
            raise ValueError("a softmax over one unit is always 1; use 'sigmoid', or two units")

    @classmethod
    def random(
        cls,
        sizes: Sequence[int],
        rng: np.random.Generator,
        *,
        hidden: str = "sigmoid",
        output: str = "softmax",
        loss: str | None = None,
        initialisation: str = "glorot",
        dtype: type = np.float32,
    ) -> Self:
        """A network before training: random weights, zero biases.

        Parameters
        ----------
        sizes : numbers of units from the input to the output, such as [784, 500, 10]
        hidden, output : activations of the hidden layers, and of the last
        initialisation : 'glorot', 'he', 'small_normal' or 'zero', see `dbnlib.layers.initialise`
        """
        check_generator(rng)
        check_dtype(dtype)
        if np.ndim(sizes) != 1:
            raise TypeError(f"sizes must be a list such as [784, 500, 10], got {sizes!r}")
        if len(sizes) < 2:
            raise ValueError(f"sizes must name at least input and output, got {list(sizes)}")
        sizes = [check_count(f"sizes[{i}]", n) for i, n in enumerate(sizes)]
        pairs = list(pairwise(sizes))
        weights = [initialise(n_in, n_out, initialisation, rng, dtype) for n_in, n_out in pairs]
        biases = [np.zeros(n_out) for n_out in sizes[1:]]
        return cls(weights, biases, [hidden] * (len(pairs) - 1) + [output], loss=loss)

    def __repr__(self) -> str:
        sizes = "-".join(str(n) for n in self.sizes)
        names = ", ".join(f.name for f in self.activations)
        return f"Network({sizes}: {names}; {self.loss_function.name}, {self.dtype})"

    @property
    def sizes(self) -> list[int]:
        """Numbers of units from the input to the output."""
        return [self.n_inputs, *(W.shape[1] for W in self.weights)]

    @property
    def n_layers(self) -> int:
        """L, the number of layers of weights."""
        return len(self.weights)

    @property
    def n_inputs(self) -> int:
        """Number of input units."""
        return self.weights[0].shape[0]

    @property
    def n_outputs(self) -> int:
        """Number of output units."""
        return self.weights[-1].shape[1]

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64, that of the weights."""
        return self.weights[0].dtype

    def parameters(self) -> dict[str, np.ndarray]:
        """The live arrays by the names they have in the equations: W1, b1, W2, b2, …"""
        named = {}
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            named |= {f"W{layer}": W, f"b{layer}": b}
        return named

    # ---- what goes in

    def check_inputs(self, name: str, x: Any) -> np.ndarray:
        """`x` as an array of shape (n_examples, n_inputs) in the network's dtype."""
        x = check_array(name, x, ndim=2, shape=(None, self.n_inputs))
        return as_dtype(name, x, self.dtype)

    def check_targets(self, name: str, y: Any, n_rows: int) -> np.ndarray:
        """`y` as targets of shape (n_rows, n_outputs) in the network's dtype.

        Class numbers 0 … n_outputs − 1 of shape (n_rows,) become one-hot rows if the output is
        softmax; for a single output a vector becomes a column.
        """
        is_vector = np.ndim(y) == 1
        if is_vector and self.activations[-1].name == "softmax":
            y = one_hot(name, y, self.n_outputs)
        elif is_vector and self.n_outputs == 1:
            y = np.asarray(y)[:, None]
        y = check_array(name, y, ndim=2, shape=(None, self.n_outputs))
        if len(y) != n_rows:
            raise ValueError(f"{name} has {len(y)} rows for {n_rows} inputs; they must be pairs")
        self.loss_function.check_targets(name, y)
        return as_dtype(name, y, self.dtype)

    def _check(
        self, x: Any, y: Any, masks: Masks | None
    ) -> tuple[np.ndarray, np.ndarray, Masks | None]:
        x = self.check_inputs("x", x)
        y = self.check_targets("y", y, len(x))
        masks = check_masks(masks, len(x), self.sizes[:-1], self.dtype)
        return x, y, masks

    # ---- what comes out

    def forward(self, x: Any) -> list[np.ndarray]:
        """[a⁰, a¹, …, aᴸ] with a⁰ = x and aˡ = f(aˡ⁻¹ Wˡ + bˡ).

        x : (n_examples, n_inputs) → arrays of shape (n_examples, units of the layer)
        """
        return self._forward(self.check_inputs("x", x).copy())[0]

    def predict(self, x: Any) -> np.ndarray:
        """aᴸ, the activations of the last layer alone: shape (n_examples, n_outputs)."""
        x = self.check_inputs("x", x)
        if len(x) <= CHUNK:
            return self._output(x)
        return np.concatenate([self._output(x[rows]) for rows in chunks(len(x))])

    def _output(self, a: np.ndarray) -> np.ndarray:
        for W, b, f in zip(self.weights, self.biases, self.activations, strict=True):
            z = a @ W
            z += b
            a = f.value(z, out=z)
        return a

    def _forward(
        self, x: np.ndarray, masks: Masks | None = None
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """All activations before their masks, and zᴸ; the layer above sees masked activations."""
        activations = [x]
        for layer, (W, b, f) in enumerate(
            zip(self.weights, self.biases, self.activations, strict=True)
        ):
            z = masked(activations[layer], masks, layer) @ W + b
            activations.append(f.value(z))
        return activations, z

    def loss(self, x: Any, y: Any, *, masks: Masks | None = None) -> float:
        """L(x, y), the mean over the rows; the formulas stand in `dbnlib.losses`.

        Parameters
        ----------
        x : array of shape (n_examples, n_inputs)
        y : array of shape (n_examples, n_outputs), or class numbers of shape (n_examples,)
        masks : list of L arrays or None, optional
            dropout masks by which the input and each hidden layer's activations are multiplied
        """
        x, y, masks = self._check(x, y, masks)
        activations, z = self._forward(x, masks)
        return self.loss_function.value(z, activations[-1], y)

    def evaluate(self, x: Any, y: Any) -> dict[str, float]:
        """{'loss': L} and, for a classifier, 'error': the share of rows with a wrong class."""
        x = self.check_inputs("x", x)
        y = self.check_targets("y", y, len(x))
        loss, n_wrong = 0.0, 0
        for rows in chunks(len(x)):
            activations, z = self._forward(x[rows])
            loss += self.loss_function.value(z, activations[-1], y[rows]) * len(z)
            n_wrong += count_wrong(activations[-1], y[rows])
        result = {"loss": loss / len(x)}
        return result | {"error": n_wrong / len(x)} if self.is_classifier else result

    @property
    def is_classifier(self) -> bool:
        """Whether the output is one choice: a softmax, or one sigmoid unit that says yes or no."""
        yes_or_no = self.loss_function.name == "binary_cross_entropy" and self.n_outputs == 1
        return yes_or_no or self.activations[-1].name == "softmax"

    # ---- gradients

    def gradients(
        self, x: Any, y: Any, *, masks: Masks | None = None
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """([∂L/∂W¹, …], [∂L/∂b¹, …]) by backpropagation; parameters as in `loss`.

        Source: Rumelhart, Hinton, Williams (1986), eqs. 4 to 7.
        """
        x, y, masks = self._check(x, y, masks)
        activations, _ = self._forward(x, masks)
        dW, db = [], []
        # δᴸ = ∂L/∂zᴸ
        delta = self.loss_function.delta(activations[-1], y, self.activations[-1])
        for layer in reversed(range(self.n_layers)):
            a_below = activations[layer]
            # ∂L/∂Wˡ = aˡ⁻¹' δˡ,  ∂L/∂bˡ = Σ_rows δˡ
            dW.insert(0, masked(a_below, masks, layer).T @ delta)
            db.insert(0, delta.sum(axis=0))
            if layer:
                # δˡ⁻¹ = (δˡ Wˡ') ∘ f'(zˡ⁻¹)
                slope = masked(delta @ self.weights[layer].T, masks, layer)
                delta = self.activations[layer - 1].backward(a_below, slope)
        return dW, db

    def gradient_norms(self, x: Any, y: Any) -> np.ndarray:
        """‖∂L/∂Wˡ‖, the root of the sum of squares, for each layer: shape (L,)."""
        return np.array([np.linalg.norm(dW) for dW in self.gradients(x, y)[0]])

    def check_gradients(
        self,
        x: Any,
        y: Any,
        *,
        masks: Masks | None = None,
        epsilon: float = 1e-5,
        per_array: int = 200,
    ) -> float:
        """The largest relative error of `gradients` against (L(θ + ε) − L(θ − ε)) / 2ε.

        Below 1e-6 backpropagation is right. It is computed on a float64 copy; see
        `dbnlib.finite_differences.largest_error` for the arguments. A ReLU unit within ε of its
        kink, or slopes that are all but zero, spoil the comparison.
        """
        network = self.copy(np.float64)
        dW, db = network.gradients(x, y, masks=masks)
        return largest_error(
            lambda: network.loss(x, y, masks=masks),
            network.weights + network.biases,
            dW + db,
            epsilon=epsilon,
            per_array=per_array,
        )

    # ---- copies and files

    def copy(self, dtype: type | None = None) -> Self:
        """A network of its own with equal parameters, in another dtype if one is given."""
        dtype = self.dtype if dtype is None else check_dtype(dtype)
        return type(self)(
            [W.astype(dtype) for W in self.weights],
            [b.astype(dtype) for b in self.biases],
            [f.name for f in self.activations],
            loss=self.loss_function.name,
        )

    def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings and arrays for `dbnlib.storage`."""
        names = [f.name for f in self.activations]
        return {"activations": names, "loss": self.loss_function.name}, self.parameters()

    @classmethod
    def from_storage(cls, config: dict, arrays: dict[str, np.ndarray]) -> Self:
        """The network that `to_storage` took apart."""
        layers = range(1, len(config["activations"]) + 1)
        weights, biases = [arrays[f"W{n}"] for n in layers], [arrays[f"b{n}"] for n in layers]
        return cls(weights, biases, config["activations"], loss=config["loss"])


def chunks(n_rows: int) -> Iterator[slice]:
    """Slices of at most CHUNK rows."""
    return (slice(start, start + CHUNK) for start in range(0, n_rows, CHUNK))
