"""DBN classifier and regressor with scikit-learn's interface: pretrained, then fine-tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from dbnlib.network import Network
from dbnlib.predictor_base import FineTuned
from dbnlib.scaling import Scaling
from dbnlib.storage import storable


@storable("dbn_classifier")
class DBNClassifier(ClassifierMixin, FineTuned):
    """A classifier that starts as a deep belief network and is fine-tuned by backpropagation.

    Parameters
    ----------
    hidden_sizes : number of units of each hidden layer, bottom first
    visible : 'bernoulli' for values with a lower and an upper end, 'gaussian' for others
    hidden : 'bernoulli', 'relu' or 'gaussian', the units of the hidden layers; or one name a layer
    pretraining_epochs : passes for each layer (a number or one a layer); 0 for a random start
    pretraining_rate : learning rate; None for 0.1, or 0.01 in layers with Gaussian units
    pretraining_momentum, pretraining_decay : see `dbnlib.training.train_rbm`
    epochs : passes of the fine-tuning
    optimiser : 'sgd' with `momentum`, or 'adam'; the rate falls linearly to 0
    learning_rate, momentum, weight_decay, dropout, max_norm :
        see `dbnlib.network_training.train_network`; `dropout` is a pair (input, hidden layers)
    batch_size : of pretraining and fine-tuning
    validation_fraction : share of the rows held out to stop early; 0 for no early stopping
    patience : epochs without improvement on them before it stops
    n_members : networks to fine-tune from the same DBN; their probabilities are averaged
    scaling : 'feature' (each column), 'global' (all columns alike, for images), or None
    checkpoint : folder for checkpoints, by which a killed fit goes on where it stood; a folder
        serves one fit, so that searches and cross-validation can have none
    progress : True, False, or None for a bar only where someone watches
    random_state : seed, RandomState or Generator

    Attributes
    ----------
    classes_ : the labels; any numbers or strings, −1 among them
    dbn_ : DBN, as pretraining left it
    networks_ : list of Network, fine-tuned
    scaling_ : Scaling
    pretraining_histories_, histories_ : lists of History, one a layer, and one a member
    """

    def fit(self, X: Any, y: Any, X_unlabelled: Any = None) -> Self:
        """Pretrain on the rows of X and X_unlabelled, then fine-tune on (X, y).

        Parameters
        ----------
        X : array of shape (n_examples, n_features)
        y : array of shape (n_examples,), at least two classes
        X_unlabelled : array of shape (n_more, n_features), optional
            rows without labels, for scaling and pretraining only
        """
        self._forget()
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, y, counts = np.unique(y, return_inverse=True, return_counts=True)
        if len(self.classes_) < 2:
            only = self.classes_.tolist()[0]
            raise ValueError(f"y has one class only, {only!r}; a classifier needs at least two")
        self._check_settings()
        self._check_held_out(len(y), self.classes_.tolist(), counts)
        v = self._scaled_training_rows(X, X_unlabelled)
        rng = self._generator()
        self.dbn_, self.pretraining_histories_ = self._pretrain(v, rng, self.hidden)
        networks, histories = [], []
        x, n_classes = v[: len(y)], len(self.classes_)
        for number in range(1, self.n_members + 1):
            network, history, _ = self._member(number, x, y, n_classes, "softmax", rng)
            networks.append(network)
            histories.append(history)
            if history.interrupted:
                break
        self.histories_, self.networks_ = histories, networks
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """p(class | row): (n_examples, n_classes), in the order of `classes_`."""
        return self._mean_prediction(X)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row: (n_examples,)."""
        most_probable = self._mean_prediction(X).argmax(axis=1)
        return self.classes_[most_probable]


@storable("dbn_regressor")
class DBNRegressor(RegressorMixin, FineTuned):
    """A regressor that starts as a deep belief network, with a predictive spread.

    `n_members` networks start from the same DBN, and each is fine-tuned on its own bootstrap
    sample of the rows (of those that it does not hold out, with a `validation_fraction`). Their
    mean is the prediction. Its spread has two parts: how far the members disagree, and how far the
    targets lie from what is said of them by the members that have not seen them.

        spread² = variance among members + mean squared out-of-bag residual

    That residual holds the noise of the targets and the error of the model, part of which the
    members' disagreement counts again; so the spread is on the wide side.

    Parameters
    ----------
    hidden_sizes, …, random_state : as in `DBNClassifier`
    n_members : number of networks; with one there is no bootstrap, and no spread

    Attributes
    ----------
    dbn_, networks_, scaling_, pretraining_histories_, histories_ : as in `DBNClassifier`
    target_shape_ : () for one target, (n_targets,) for several
    target_scaling_ : Scaling of the targets to mean 0 and variance 1
    noise_ : array of shape (n_targets,), root of the mean squared out-of-bag residual, which holds
        noise and model error; None with one member

    Source: Breiman (1996), out-of-bag estimation; Lakshminarayanan et al. (2017), ensembles.
    """

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
        epochs: int = 200,
        optimiser: str = "adam",
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        dropout: tuple[float, ...] | None = None,
        max_norm: float | None = None,
        batch_size: int = 50,
        validation_fraction: float = 0.0,
        patience: int = 10,
        n_members: int = 5,
        scaling: str | None = "feature",
        checkpoint: str | Path | None = None,
        progress: bool | None = None,
        random_state: Any = None,
    ):
        super().__init__(
            hidden_sizes,
            visible=visible,
            hidden=hidden,
            pretraining_epochs=pretraining_epochs,
            pretraining_rate=pretraining_rate,
            pretraining_momentum=pretraining_momentum,
            pretraining_decay=pretraining_decay,
            epochs=epochs,
            optimiser=optimiser,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            dropout=dropout,
            max_norm=max_norm,
            batch_size=batch_size,
            validation_fraction=validation_fraction,
            patience=patience,
            n_members=n_members,
            scaling=scaling,
            checkpoint=checkpoint,
            progress=progress,
            random_state=random_state,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, X_unlabelled: Any = None) -> Self:
        """Pretrain on the rows of X and X_unlabelled, then fine-tune on (X, y).

        Parameters
        ----------
        X : array of shape (n_examples, n_features)
        y : array of shape (n_examples,) or (n_examples, n_targets)
        X_unlabelled : array of shape (n_more, n_features), optional
            rows without targets, for scaling and pretraining only
        """
        self._forget()
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        self.target_shape_ = y.shape[1:]
        y = y.reshape(len(y), -1)
        self._check_settings()
        self._check_held_out(len(y))
        v = self._scaled_training_rows(X, X_unlabelled)
        self.target_scaling_ = Scaling("feature", "gaussian").fit(y)
        z = self.target_scaling_.transform(y).astype(np.float32)
        rng = self._generator()
        self.dbn_, self.pretraining_histories_ = self._pretrain(v, rng, self.hidden)
        x = v[: len(y)]
        several = self.n_members > 1
        networks, histories, outside = [], [], []
        for number in range(1, self.n_members + 1):
            network, history, left_out = self._member(
                number, x, z, y.shape[1], "identity", rng, bootstrap=several
            )
            networks.append(network)
            histories.append(history)
            outside.append(left_out)
            if history.interrupted:
                break
        self.noise_ = self._out_of_bag_noise(networks, x, y, outside) if several else None
        self.histories_, self.networks_ = histories, networks
        return self

    def _out_of_bag_noise(
        self, networks: list[Network], x: np.ndarray, y: np.ndarray, outside: list[np.ndarray]
    ) -> np.ndarray:
        """√ of the mean squared residual, each row predicted by members that have not seen it."""
        total, count = np.zeros_like(y), np.zeros((len(y), 1))
        for network, rows in zip(networks, outside, strict=True):
            if len(rows):
                total[rows] += self.target_scaling_.inverse_transform(network.predict(x[rows]))
                count[rows] += 1
        some = count[:, 0] > 0
        if not some.any():
            # a handful of rows, all of them in every bootstrap sample
            return np.zeros(y.shape[1])
        residual = y[some] - total[some] / count[some]
        return np.sqrt(np.square(residual).mean(axis=0))

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The mean of the members' predictions, in the units of the targets.

        Parameters
        ----------
        X : array of shape (n_examples, n_features)
        return_std : whether to return the predictive spread as well

        Returns
        -------
        mean : ndarray of shape (n_examples,) or (n_examples, n_targets)
        spread : ndarray of the same shape, a standard deviation; only with `return_std`

        Raises
        ------
        ValueError
            if the spread is asked of a single network
        """
        x = self._scaled(X)
        outputs = np.array(
            [self.target_scaling_.inverse_transform(net.predict(x)) for net in self.networks_]
        )
        shape = (len(x), *self.target_shape_)
        mean = outputs.mean(axis=0).reshape(shape)
        if not return_std:
            return mean
        if self.noise_ is None:
            raise ValueError("one network has no spread: fit with n_members=5 or more")
        spread = np.sqrt(outputs.var(axis=0) + np.square(self.noise_))
        return mean, spread.reshape(shape)
