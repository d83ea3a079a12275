"""The deep autoencoder: a DBN unrolled into encoder and decoder, fine-tuned by backpropagation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from dbnlib.checks import check_array, check_choice, check_count, check_real
from dbnlib.estimator_base import FeatureLearner
from dbnlib.finetuning import autoencoder_from_dbn
from dbnlib.network import Network
from dbnlib.network_training import train_network
from dbnlib.optimisers import Adam
from dbnlib.schedules import linear
from dbnlib.storage import storable


@storable("dbn_autoencoder")
class DBNAutoencoder(FeatureLearner):
    """Codes that a row can be rebuilt from: pretrained layer by layer, then trained as a whole.

    Parameters
    ----------
    hidden_sizes : units of each layer up to the code, which is the last
    code : 'gaussian' for a code of any real numbers (a linear layer), or 'bernoulli'
    visible : 'bernoulli' for values with a lower and an upper end, 'gaussian' for others
    pretraining_epochs, pretraining_rate, pretraining_momentum, pretraining_decay, batch_size,
    scaling, checkpoint, progress, random_state :
        as in `dbnlib.transformers.DBNTransformer`
    epochs : passes of the fine-tuning
    learning_rate : of Adam; it falls linearly to 0

    Attributes
    ----------
    dbn_ : DBN, as pretraining left it
    encoder_, decoder_ : Network
    scaling_ : Scaling
    pretraining_histories_ : list of History
    history_ : History of the fine-tuning; the loss is the cross-entropy or the squared error, in
        the scaled units

    Source: Hinton and Salakhutdinov (2006).
    """

    _fitted = "encoder_"

    def __init__(
        self,
        hidden_sizes: tuple[int, ...] = (256, 32),
        *,
        code: str = "gaussian",
        visible: str = "bernoulli",
        pretraining_epochs: Any = 20,
        pretraining_rate: float | None = None,
        pretraining_momentum: float = 0.5,
        pretraining_decay: float = 0.0002,
        epochs: int = 50,
        learning_rate: float = 0.001,
        batch_size: int = 100,
        scaling: str | None = "feature",
        checkpoint: str | Path | None = None,
        progress: bool | None = None,
        random_state: Any = None,
    ):
        self.hidden_sizes = hidden_sizes
        self.code = code
        self.visible = visible
        self.pretraining_epochs = pretraining_epochs
        self.pretraining_rate = pretraining_rate
        self.pretraining_momentum = pretraining_momentum
        self.pretraining_decay = pretraining_decay
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.scaling = scaling
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Pretrain and fine-tune on the rows of X; y is not used."""
        self._forget()
        check_choice("code", self.code, ("gaussian", "bernoulli"))
        epochs = check_count("epochs", self.epochs, 0)
        batch_size = check_count("batch_size", self.batch_size)
        rate = linear(check_real("learning_rate", self.learning_rate, 0), 0.0, max(1, epochs))
        v = self._scaled_training_rows(validate_data(self, X, dtype=np.float64))
        rng = self._generator()
        n_layers = np.size(self.hidden_sizes)
        layers = ["bernoulli"] * (n_layers - 1) + [self.code] * min(n_layers, 1)
        self.dbn_, self.pretraining_histories_ = self._pretrain(v, rng, layers)
        network = autoencoder_from_dbn(self.dbn_)
        interrupted = self.pretraining_histories_[-1].interrupted
        self.history_ = train_network(
            network,
            v,
            v,
            epochs=0 if interrupted else epochs,
            optimiser=Adam(rate),
            rng=rng,
            batch_size=min(batch_size, len(v)),
            checkpoint=None if interrupted else self._checkpoint("autoencoder.npz"),
            progress=self.progress,
            name="autoencoder",
        )
        n = self.dbn_.n_layers
        names = [activation.name for activation in network.activations]
        self.decoder_ = Network(network.weights[n:], network.biases[n:], names[n:])
        self.encoder_ = Network(network.weights[:n], network.biases[:n], names[:n])
        return self

    @property
    def _n_features_out(self) -> int:
        return self.encoder_.n_outputs

    def transform(self, X: Any) -> np.ndarray:
        """The code of each row: (n_examples, hidden_sizes[-1]), float32."""
        v = self._scaled(X)
        return self.encoder_.predict(v)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Rows rebuilt from codes, in the units of the training data."""
        check_is_fitted(self)
        codes = check_array("X", X, ndim=2, shape=(None, self.encoder_.n_outputs))
        return self.scaling_.inverse_transform(self.decoder_.predict(codes))

    def reconstruct(self, X: Any) -> np.ndarray:
        """Each row through code and back: (n_examples, n_features)."""
        v = self._scaled(X)
        rebuilt = self.decoder_.predict(self.encoder_.predict(v))
        return self.scaling_.inverse_transform(rebuilt)
