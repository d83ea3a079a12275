"""Training a feed-forward network: minibatches, an optimiser, and the usual regularisers.

What is made small is the loss of the training rows plus, with weight decay λ, the penalty
½λ Σₗ ‖Wˡ‖²; biases are not penalised. Against fitting the training rows too closely there are
besides: dropout, a bound on the weights into each unit, and stopping when the loss of held-out
rows has ceased to fall.

Sources: Rumelhart, Hinton, Williams (1986); Srivastava et al. (2014) for dropout and the bound;
Prechelt (1998) for early stopping.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.backpropagation import Backpropagation
from dbnlib.checks import DivergenceError, check_count, check_generator, check_real
from dbnlib.layers import dropout_probabilities
from dbnlib.loop import History, Job, checksum, put_back, run_epochs
from dbnlib.losses import count_wrong
from dbnlib.network import Network
from dbnlib.optimisers import Optimiser
from dbnlib.schedules import value_at


def train_network(
    network: Network,
    x: Any,
    y: Any,
    *,
    epochs: int,
    optimiser: Optimiser,
    rng: np.random.Generator,
    batch_size: int = 100,
    weight_decay: float = 0.0,
    dropout: Sequence[float] | None = None,
    max_norm: float | None = None,
    held_out: tuple[Any, Any] | None = None,
    patience: int | None = None,
    gradient_norms: bool = False,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    name: str = "network",
) -> History:
    """Train `network` in place on the pairs (x, y), and return what was recorded.

    Parameters
    ----------
    x : array of shape (n_examples, n_inputs)
    y : array of shape (n_examples, n_outputs), or class numbers of shape (n_examples,)
    epochs : how often all rows are used
    optimiser : `SGD(...)` or `Adam(...)`; it is started anew
    rng : draws the order of the rows and the dropout masks
    batch_size : rows a step; the last batch of an epoch may be shorter
    weight_decay : λ of the penalty ½λ Σₗ ‖Wˡ‖², whose slope λWˡ is added to the gradient
    dropout :
        probabilities of dropping an input or hidden unit from a minibatch: a pair (input, every
        hidden layer), or one for the input and each hidden layer. What stays is scaled by
        1/(1 − p), so that the trained network is used as it is.
    max_norm :
        after each step the weights into a unit, a column of Wˡ, are shrunk to this norm if theirs
        is larger; in every layer
    held_out : pair (x, y) of rows that are not trained on, for the monitors and for `patience`
    patience :
        stop after so many epochs in which the held-out loss found no new minimum. The network
        then has the weights of the best epoch, also if all epochs were used up; after Ctrl-C it
        has those of the last finished epoch.
    gradient_norms : whether to record ‖∂L/∂Wˡ‖ of each layer, a mean over the minibatches
    checkpoint, progress : see `dbnlib.loop.run_epochs`
    name : what bars and messages call the network

    Returns
    -------
    History with the monitors, one value an epoch:
        loss : of the training rows, each when its minibatch came (so with dropout, and while the
            weights were changing), without the penalty
        error : likewise, the share of rows with a wrong class, for classifiers
        held_out_loss, held_out_error : after the epoch, without dropout
        gradient_norm_1, … : if asked for

    Raises
    ------
    DivergenceError
        when a parameter or the loss is no longer finite; the network has the weights of the last
        finished epoch
    """
    job = NetworkJob(
        network,
        x,
        y,
        optimiser=optimiser,
        rng=rng,
        batch_size=batch_size,
        weight_decay=weight_decay,
        dropout=dropout,
        max_norm=max_norm,
        held_out=held_out,
        patience=patience,
        gradient_norms=gradient_norms,
    )
    job.name = name
    history = run_epochs(
        job,
        epochs=epochs,
        batch_size=batch_size,
        rng=rng,
        checkpoint=checkpoint,
        progress=progress,
    )
    if job.best is not None and len(history) and not history.interrupted:
        put_back(job.best, job.parameters())
    return history


class NetworkJob(Job):
    """What `dbnlib.loop` needs to know about the training of a network; see `train_network`."""

    name = "network"

    def __init__(
        self,
        network: Network,
        x: Any,
        y: Any,
        *,
        optimiser: Optimiser,
        rng: np.random.Generator,
        batch_size: int,
        weight_decay: float,
        dropout: Sequence[float] | None,
        max_norm: float | None,
        held_out: tuple[Any, Any] | None,
        patience: int | None,
        gradient_norms: bool,
    ):
        if not isinstance(network, Network):
            raise TypeError(f"network must be a Network, got {network!r}")
        if not isinstance(optimiser, Optimiser):
            raise TypeError(f"optimiser must be SGD(...) or Adam(...), got {optimiser!r}")
        self.network = network
        # rows that lie together in memory, or each minibatch would gather them from all over it
        self.x = np.ascontiguousarray(network.check_inputs("x", x))
        self.y = network.check_targets("y", y, len(self.x))
        self.n_rows = len(self.x)
        self.rng = check_generator(rng)
        self.weight_decay = check_real("weight_decay", weight_decay, 0)
        self.dropout = dropout_probabilities(dropout, network.n_layers)
        self.max_norm = max_norm
        if max_norm is not None:
            self.max_norm = check_real("max_norm", max_norm, 0, open_low=True)
        self._take_held_out(held_out, patience)
        batch_size = min(check_count("batch_size", batch_size), self.n_rows)
        self.passes = Backpropagation(network, batch_size, self.dropout)
        self.gradients = [*self.passes.dW, *self.passes.db]
        self.optimiser = optimiser
        decay = [self.weight_decay] * network.n_layers + [0.0] * network.n_layers
        optimiser.start([*network.weights, *network.biases], decay)
        self.gradient_norms = bool(gradient_norms)
        self.epoch = 0
        self._start_sums()

    def _take_held_out(self, held_out: tuple[Any, Any] | None, patience: int | None) -> None:
        """Check the held-out rows, and make room for the best weights if there is patience."""
        self.held_out = self.best = self.patience = None
        if held_out is not None:
            if not isinstance(held_out, (tuple, list)) or len(held_out) != 2:
                raise TypeError("held_out must be a pair (x, y) of arrays")
            x = self.network.check_inputs("held_out x", held_out[0])
            self.held_out = x, self.network.check_targets("held_out y", held_out[1], len(x))
        if patience is not None:
            self.patience = check_count("patience", patience)
            if held_out is None:
                raise ValueError(
                    "patience needs held-out rows to judge by; pass held_out=(x_valid, y_valid)"
                )
            self.best = {name: a.copy() for name, a in self.network.parameters().items()}
        #: the smallest held-out loss so far, and the epoch in which it was found
        self.best_loss, self.best_epoch = np.full(1, np.inf), np.full(1, -1)

    def parameters(self) -> dict[str, np.ndarray]:
        """The network's weights and biases."""
        return self.network.parameters()

    def memory(self) -> dict[str, np.ndarray]:
        """The optimiser's arrays, and the best weights with the epoch they are from."""
        memory = self.optimiser.memory()
        if self.best is not None:
            memory |= {f"best_{name}": array for name, array in self.best.items()}
            memory |= {"best_loss": self.best_loss, "best_epoch": self.best_epoch}
        return memory

    def step(self, rows: np.ndarray, epoch: int) -> None:
        """One minibatch: forward, backward, and a step of the optimiser."""
        self.epoch = epoch
        self.passes.load(self.x, self.y, rows)
        self.passes.draw_masks(self.rng)
        self.passes.forward()
        self._add_to_sums()
        self.passes.backward()
        if self.gradient_norms:
            self.norm_sum += [np.linalg.norm(dW) for dW in self.passes.dW]
        self.optimiser.step(self.gradients, epoch)
        if self.max_norm is not None:
            for W in self.network.weights:
                bound_columns(W, self.max_norm)

    def _start_sums(self) -> None:
        self.loss_sum, self.n_wrong, self.n_batches = 0.0, 0, 0
        self.norm_sum = np.zeros(self.network.n_layers)

    def _add_to_sums(self) -> None:
        """Each minibatch counts by its own number of rows."""
        n = self.passes.n
        self.n_batches += 1
        self.loss_sum += self.passes.loss() * n
        if self.network.is_classifier:
            self.n_wrong += count_wrong(self.passes.a[-1][:n], self.passes.y[:n])

    def monitor(self, epoch: int) -> dict[str, float]:
        """The monitors of the epoch; keeps the weights if the held-out loss is the best so far."""
        record = {"loss": self.loss_sum / self.n_rows}
        if self.network.is_classifier:
            record["error"] = self.n_wrong / self.n_rows
        if self.held_out is not None:
            held_out = self.network.evaluate(*self.held_out)
            record |= {f"held_out_{name}": value for name, value in held_out.items()}
        if self.gradient_norms:
            for layer, norm in enumerate(self.norm_sum / self.n_batches, start=1):
                record[f"gradient_norm_{layer}"] = float(norm)
        self._start_sums()
        not_finite = [monitor for monitor, value in record.items() if not np.isfinite(value)]
        if not_finite:
            raise DivergenceError(
                f"{self.name} diverged in epoch {epoch + 1}: {', '.join(not_finite)} became NaN "
                f"or infinite. {self.likely_cause()} The model holds the last finished epoch."
            )
        if self.best is not None and record["held_out_loss"] < self.best_loss[0]:
            self.best_loss[0], self.best_epoch[0] = record["held_out_loss"], epoch
            put_back(self.network.parameters(), self.best)
        return record

    def finished(self, history: History) -> bool:
        """Whether `patience` epochs in a row found no new minimum of the held-out loss."""
        if self.patience is None:
            return False
        return len(history) - 1 - int(self.best_epoch[0]) >= self.patience

    def likely_cause(self) -> str:
        """The learning rate, and inputs of a scale that no usual rate fits."""
        rate = value_at(self.optimiser.learning_rate, self.epoch)
        cause = f"The learning rate, {rate:g}, is probably too high: try a tenth of it."
        largest = float(np.abs(self.x).max())
        if largest > 10:
            cause += f" The inputs reach {largest:g}: scale them to 0 to 1, or standardise them."
        return cause

    def settings(self) -> dict[str, Any]:
        """What shapes the course of the training, and a checksum of the data."""
        held_out = self.held_out or ()
        return {
            "activations": [f.name for f in self.network.activations],
            "loss": self.network.loss_function.name,
            "dtype": str(self.network.dtype),
            "optimiser": repr(self.optimiser),
            "weight_decay": self.weight_decay,
            "dropout": self.dropout,
            "max_norm": self.max_norm,
            "patience": self.patience,
            "gradient_norms": self.gradient_norms,
            "data": checksum(self.x, self.y),
            "held_out": checksum(*held_out),
        }


def bound_columns(W: np.ndarray, bound: float) -> None:
    """Wⱼ ← Wⱼ · min(1, bound/‖Wⱼ‖) for each column Wⱼ, in place.

    Source: Srivastava et al. (2014), section 5.1.
    """
    norms = np.sqrt(np.einsum("ij,ij->j", W, W))
    W *= bound / np.maximum(norms, bound)
