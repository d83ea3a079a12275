"""What classifier and regressor share: settings, pretraining, fine-tuning."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from dbnlib.checks import check_choice, check_count, check_real
from dbnlib.estimator_base import Estimator
from dbnlib.finetuning import activation_of, network_from_dbn
from dbnlib.layers import dropout_probabilities
from dbnlib.loop import History
from dbnlib.network import Network
from dbnlib.network_training import train_network
from dbnlib.optimisers import SGD, Adam, Optimiser
from dbnlib.schedules import linear
from dbnlib.units import Units


class FineTuned(Estimator):
    """An estimator that starts as a DBN and is fine-tuned by backpropagation."""

    _fitted = "networks_"

    def __init__(
        self,
        hidden_sizes: tuple[int, ...] = (256, 128),
        *,
        visible: str = "bernoulli",
        hidden: str = "bernoulli",
        pretraining_epochs: Any = 20,
        pretraining_rate: float | None = None,
        pretraining_momentum: float = 0.5,
        pretraining_decay: float = 0.0002,
        epochs: int = 100,
        optimiser: str = "sgd",
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        dropout: tuple[float, ...] | None = None,
        max_norm: float | None = None,
        batch_size: int = 50,
        validation_fraction: float = 0.0,
        patience: int = 10,
        n_members: int = 1,
        scaling: str | None = "feature",
        checkpoint: str | Path | None = None,
        progress: bool | None = None,
        random_state: Any = None,
    ):
        self.hidden_sizes = hidden_sizes
        self.visible = visible
        self.hidden = hidden
        self.pretraining_epochs = pretraining_epochs
        self.pretraining_rate = pretraining_rate
        self.pretraining_momentum = pretraining_momentum
        self.pretraining_decay = pretraining_decay
        self.epochs = epochs
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.max_norm = max_norm
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.n_members = n_members
        self.scaling = scaling
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    def _optimiser(self) -> Optimiser:
        """The optimiser asked for, its rate falling linearly to 0 over the epochs."""
        check_choice("optimiser", self.optimiser, ("sgd", "adam"))
        epochs = max(1, check_count("epochs", self.epochs, 0))
        rate = linear(check_real("learning_rate", self.learning_rate, 0), 0.0, epochs)
        return SGD(rate, self.momentum) if self.optimiser == "sgd" else Adam(rate)

    def _check_settings(self) -> None:
        """Raise now what is wrong with the settings of the fine-tuning, not after pretraining."""
        check_count("n_members", self.n_members)
        check_count("batch_size", self.batch_size)
        check_count("patience", self.patience)
        check_real("validation_fraction", self.validation_fraction, 0, 0.9)
        check_real("momentum", self.momentum, 0, 1)
        check_real("weight_decay", self.weight_decay, 0)
        if self.max_norm is not None:
            check_real("max_norm", self.max_norm, 0, open_low=True)
        dropout_probabilities(self.dropout, np.size(self.hidden_sizes) + 1)
        self._optimiser()
        for kind in self.hidden if isinstance(self.hidden, list | tuple) else [self.hidden]:
            if isinstance(kind, Units):
                activation_of(kind)
            else:
                check_choice("hidden", kind, ("bernoulli", "relu", "gaussian"))

    def _check_held_out(self, n_rows: int, classes: Any = (), counts: Any = ()) -> None:
        """Raise ValueError now where `validation_fraction` leaves too few rows on one side.

        classes, counts : the labels of a classifier, and how many rows each has
        """
        fraction = self.validation_fraction
        if not fraction:
            return
        single = [name for name, count in zip(classes, counts, strict=True) if count < 2]
        if single:
            raise ValueError(
                f"the class {single[0]!r} has a single row, and validation_fraction={fraction} "
                "wants two of each class, one to train on and one to hold out; add rows, or set it "
                "to 0"
            )
        n_held_out, least = self._n_held_out(n_rows), max(1, len(classes))
        each = f", one of each of the {least} classes" if least > 1 else ""
        if min(n_held_out, n_rows - n_held_out) < least:
            raise ValueError(
                f"validation_fraction={fraction} holds out {n_held_out} of {n_rows} rows, and at "
                f"least {least} must be held out and as many trained on{each}"
            )

    def _member(
        self,
        number: int,
        x: np.ndarray,
        y: np.ndarray,
        n_outputs: int,
        output: str,
        rng: np.random.Generator,
        *,
        bootstrap: bool = False,
    ) -> tuple[Network, History, np.ndarray]:
        """One network, from the DBN and a new output layer, by backpropagation.

        Besides network and history it returns the numbers of the rows that it left out of its
        bootstrap sample.

        If Ctrl-C ended the pretraining, the fit is over: the output layer is that of its start.
        """
        n_kept = len(x) - self._n_held_out(len(x))
        sample = rng.integers(n_kept, size=n_kept) if bootstrap else np.arange(n_kept)
        network = network_from_dbn(self.dbn_, n_outputs, rng, output=output)
        kept, held_out_rows = self._split(len(x), y if output == "softmax" else None, rng)
        # the sample is one of the rows that are not held out: early stopping must not judge a
        # network by rows that it was trained on
        rows = kept[sample]
        left_out = np.setdiff1d(kept, rows)
        if self.pretraining_histories_[-1].interrupted:
            history = History()
            history.interrupted = True
            return network, history, left_out
        name = f"fine-tuning {number} of {self.n_members}"
        held_out = (x[held_out_rows], y[held_out_rows]) if len(held_out_rows) else None
        if held_out is not None or bootstrap:
            x, y = x[rows], y[rows]
        history = train_network(
            network,
            x,
            y,
            epochs=self.epochs,
            optimiser=self._optimiser(),
            rng=rng,
            batch_size=min(self.batch_size, len(x)),
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            max_norm=self.max_norm,
            held_out=held_out,
            patience=None if held_out is None else self.patience,
            checkpoint=self._checkpoint(f"member_{number}.npz"),
            progress=self.progress,
            name=name,
        )
        return network, history, left_out

    def _n_held_out(self, n_rows: int) -> int:
        """How many of the rows are held out to stop early."""
        return math.ceil(self.validation_fraction * n_rows)

    def _split(
        self, n_rows: int, classes: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the rows to keep for training, and of those to hold out."""
        rows = np.arange(n_rows)
        if not self.validation_fraction:
            return rows, rows[:0]
        seed = int(rng.integers(2**31))
        n_held_out = self._n_held_out(n_rows)
        return train_test_split(rows, test_size=n_held_out, stratify=classes, random_state=seed)

    def _mean_prediction(self, X: Any) -> np.ndarray:
        """The mean of the members' outputs: (n_examples, n_outputs)."""
        x = self._scaled(X)
        outputs = [network.predict(x) for network in self.networks_]
        return outputs[0] if len(outputs) == 1 else np.mean(outputs, axis=0)
