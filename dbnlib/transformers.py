"""RBM and DBN as scikit-learn transformers: features learned without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from dbnlib.checks import check_array, check_count
from dbnlib.estimator_base import FeatureLearner, generator_from
from dbnlib.gradients import PCD, cd_for
from dbnlib.pretraining import default_rate
from dbnlib.rbm import RBM
from dbnlib.sampling import run_chain
from dbnlib.storage import storable
from dbnlib.training import train_rbm


@storable("rbm_transformer")
class RBMTransformer(FeatureLearner):
    """Features E[h | v] of a restricted Boltzmann machine, after scaling.

    Parameters
    ----------
    n_components : number of hidden units
    visible : 'bernoulli' for values with a lower and an upper end, 'gaussian' for others
    epochs : passes over the training rows
    learning_rate : None for 0.1, or 0.01 with Gaussian units
    momentum, weight_decay, batch_size : see `dbnlib.training.train_rbm`
    k : Gibbs steps for each gradient
    persistent : True for PCD, False for CD
    centred : whether to use the centred gradient
    scaling : 'feature' (each column), 'global' (all columns alike, for images), or None
    checkpoint : folder for checkpoints, by which a killed fit goes on where it stood; a folder
        serves one fit, so that searches and cross-validation can have none
    progress : True, False, or None for a bar only where someone watches
    random_state : seed, RandomState or Generator

    Attributes
    ----------
    rbm_ : RBM
    scaling_ : Scaling
    history_ : History
    n_features_in_, feature_names_in_ : as in scikit-learn

    Examples
    --------
    >>> from dbnlib.data import digits
    >>> RBMTransformer(16, epochs=1, random_state=0).fit_transform(digits().images).shape
    (1797, 16)
    """

    _fitted = "rbm_"

    def __init__(
        self,
        n_components: int = 64,
        *,
        visible: str = "bernoulli",
        epochs: int = 20,
        learning_rate: float | None = None,
        momentum: float = 0.5,
        weight_decay: float = 0.0002,
        batch_size: int = 100,
        k: int = 1,
        persistent: bool = False,
        centred: bool = False,
        scaling: str | None = "feature",
        checkpoint: str | Path | None = None,
        progress: bool | None = None,
        random_state: Any = None,
    ):
        self.n_components = n_components
        self.visible = visible
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.k = k
        self.persistent = persistent
        self.centred = centred
        self.scaling = scaling
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the machine on the rows of X (n_examples, n_features); y is not used."""
        self._forget()
        X = validate_data(self, X, dtype=np.float64)
        v = self._scaled_training_rows(X)
        rng = self._generator()
        n_hidden = check_count("n_components", self.n_components)
        rbm = RBM.random(v.shape[1], n_hidden, rng, data=v, visible=self.visible)
        gradient = cd_for(rbm, v, self.k)
        if self.persistent:
            gradient = PCD(self.k, sample_visible=gradient.sample_visible)
        self.history_ = train_rbm(
            rbm,
            v,
            epochs=self.epochs,
            rng=rng,
            gradient=gradient,
            learning_rate=default_rate(rbm) if self.learning_rate is None else self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            centred=self.centred,
            batch_size=self.batch_size,
            checkpoint=self._checkpoint("rbm.npz"),
            progress=self.progress,
        )
        self.rbm_ = rbm
        return self

    @property
    def _n_features_out(self) -> int:
        return self.rbm_.n_hidden

    def transform(self, X: Any) -> np.ndarray:
        """E[h | v] for each row: (n_examples, n_components), float32."""
        v = self._scaled(X)
        return self.rbm_.hidden_mean(v)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """E[v | h] for rows of hidden means, in the units of the training data."""
        check_is_fitted(self)
        h = check_array("X", X, ndim=2, shape=(None, self.rbm_.n_hidden))
        return self.scaling_.inverse_transform(self.rbm_.visible_mean(h))

    def free_energy(self, X: Any) -> np.ndarray:
        """F(v) of each row, in nats: the higher, the less the row is like the training rows."""
        v = self._scaled(X)
        return self.rbm_.free_energy(v)

    def sample(
        self, n_samples: int, *, n_steps: int = 1000, random_state: Any = None
    ) -> np.ndarray:
        """Means of the visible units at the end of Gibbs chains, in the units of the data."""
        check_is_fitted(self)
        rng = generator_from(random_state)
        start = np.tile(self.rbm_.b, (check_count("n_samples", n_samples), 1))
        v = run_chain(self.rbm_, self.rbm_.visible.sample(start, rng), n_steps, rng)
        means = self.rbm_.visible_mean(self.rbm_.sample_hidden(v, rng))
        return self.scaling_.inverse_transform(means)


@storable("dbn_transformer")
class DBNTransformer(FeatureLearner):
    """Features of a deep belief network: the means of its top layer, after scaling.

    Parameters
    ----------
    hidden_sizes : number of units of each hidden layer, bottom first
    visible : 'bernoulli' for values with a lower and an upper end, 'gaussian' for others
    hidden : 'bernoulli', 'relu' or 'gaussian', the units of the hidden layers; or one name a layer
    pretraining_epochs : passes over the rows for each layer; a number or one a layer
    pretraining_rate : learning rate; None for 0.1, or 0.01 in layers with Gaussian units
    pretraining_momentum, pretraining_decay, batch_size : see `dbnlib.training.train_rbm`
    scaling, checkpoint, progress, random_state : as in `RBMTransformer`

    Attributes
    ----------
    dbn_ : DBN
    scaling_ : Scaling
    histories_ : list of History, one a layer
    """

    _fitted = "dbn_"

    def __init__(
        self,
        hidden_sizes: tuple[int, ...] = (256, 64),
        *,
        visible: str = "bernoulli",
        hidden: str = "bernoulli",
        pretraining_epochs: Any = 20,
        pretraining_rate: float | None = None,
        pretraining_momentum: float = 0.5,
        pretraining_decay: float = 0.0002,
        batch_size: int = 100,
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
        self.batch_size = batch_size
        self.scaling = scaling
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the layers one by one on the rows of X; y is not used."""
        self._forget()
        X = validate_data(self, X, dtype=np.float64)
        v = self._scaled_training_rows(X)
        self.dbn_, self.histories_ = self._pretrain(v, self._generator(), self.hidden)
        return self

    @property
    def _n_features_out(self) -> int:
        return self.dbn_.top.n_hidden

    def transform(self, X: Any) -> np.ndarray:
        """E[hᴸ | …] for each row: (n_examples, width of the top layer), float32."""
        v = self._scaled(X)
        return self.dbn_.up(v)[-1]

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Rows of top-layer means carried down to the visible units, in the units of the data."""
        check_is_fitted(self)
        return self.scaling_.inverse_transform(self.dbn_.down(X))

    def reconstruct(self, X: Any, *, depth: int | None = None) -> np.ndarray:
        """Each row carried up to layer `depth` (the top by default) and down again."""
        v = self._scaled(X)
        return self.scaling_.inverse_transform(self.dbn_.reconstruct(v, depth=depth))

    def sample(
        self, n_samples: int, *, n_steps: int = 1000, random_state: Any = None
    ) -> np.ndarray:
        """Draws from the model (means of the visible units), in the units of the data."""
        check_is_fitted(self)
        means = self.dbn_.sample(n_samples, generator_from(random_state), n_steps=n_steps)
        return self.scaling_.inverse_transform(means)
