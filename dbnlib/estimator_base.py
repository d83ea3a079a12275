"""What all estimators share: checked and scaled input, a generator, a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from dbnlib.checks import StorageError, as_dtype, check_choice
from dbnlib.dbn import DBN
from dbnlib.loop import History
from dbnlib.pretraining import pretrain_dbn
from dbnlib.scaling import Scaling
from dbnlib.storage import pack, unpack


def generator_from(random_state: Any) -> np.random.Generator:
    """A generator of our own from what scikit-learn calls a random state.

    None gives fresh entropy, a whole number a fixed seed; a RandomState is drawn from, as
    scikit-learn's estimators do; a Generator is used as it is.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None:
        return np.random.Generator(np.random.SFC64())
    seed = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint64)
    # SFC64 is numpy's fastest generator
    return np.random.Generator(np.random.SFC64(seed.tolist()))


def as_text(value: Any) -> Any:
    """An array of `str` objects, as pandas and scikit-learn make them, as an array of text."""
    is_objects = isinstance(value, np.ndarray) and value.dtype == object
    return value.astype(str) if is_objects and all(isinstance(v, str) for v in value) else value


class Estimator(BaseEstimator):
    """The base of our estimators: scikit-learn's, with scaling of the input and with files."""

    #: the attribute that a fit sets last: without it the estimator is not fitted
    _fitted: ClassVar[str]

    def __sklearn_is_fitted__(self) -> bool:
        """Whether a fit came to its end; half of one is none."""
        return hasattr(self, self._fitted)

    def _learned(self) -> dict[str, Any]:
        """What fits have set: the attributes whose names end in an underscore."""
        return {n: v for n, v in vars(self).items() if n.endswith("_") and not n.startswith("_")}

    def _forget(self) -> None:
        """Drop what an earlier fit set, so that nothing of it mixes with the new one."""
        for name in self._learned():
            delattr(self, name)

    def _scaled_training_rows(self, X: Any, X_unlabelled: Any = None) -> np.ndarray:
        """Learn the scaling from all rows given; return them scaled, unlabelled ones last."""
        check_choice("visible", self.visible, ("bernoulli", "gaussian"))
        if X_unlabelled is not None:
            more = validate_data(self, X_unlabelled, dtype=np.float64, reset=False)
            X = np.vstack([X, more])
        self.scaling_ = Scaling(self.scaling, self.visible).fit(X)
        return self._in_range(X)

    def _scaled(self, X: Any) -> np.ndarray:
        """Rows for a fitted estimator, checked against what it was fitted on, and scaled."""
        check_is_fitted(self)
        return self._in_range(validate_data(self, X, dtype=np.float64, reset=False))

    def _in_range(self, X: np.ndarray) -> np.ndarray:
        if self.scaling is None and self.visible == "bernoulli" and (X.min() < 0 or X.max() > 1):
            raise ValueError(
                f"with scaling=None the values of X must lie between 0 and 1, got {X.min():g} to "
                f"{X.max():g}; choose scaling='feature' or 'global', or visible='gaussian'"
            )
        return as_dtype("X", self.scaling_.transform(X), np.float32)

    def _pretrain(
        self, v: np.ndarray, rng: np.random.Generator, hidden: Any
    ) -> tuple[DBN, list[History]]:
        """A DBN of the sizes asked for, trained greedily on v."""
        rate = self.pretraining_rate
        settings = {} if rate is None else {"learning_rate": rate}
        return pretrain_dbn(
            v,
            self.hidden_sizes,
            rng=rng,
            epochs=self.pretraining_epochs,
            visible=self.visible,
            hidden=hidden,
            momentum=self.pretraining_momentum,
            weight_decay=self.pretraining_decay,
            batch_size=self.batch_size,
            checkpoint=self._checkpoint("pretraining"),
            progress=self.progress,
            **settings,
        )

    def _generator(self) -> np.random.Generator:
        """The generator of a fit.

        With a checkpoint and no random_state the folder keeps a seed, for the fit to go on with.
        """
        file = self._checkpoint("seed.txt")
        if file is None or self.random_state is not None:
            return generator_from(self.random_state)
        if not file.exists():
            file.write_text(str(np.random.SeedSequence().entropy))
        try:
            return np.random.Generator(np.random.SFC64(int(file.read_text())))
        except ValueError:
            raise StorageError(
                f"{file} holds no seed; remove {file.parent} to start over"
            ) from None

    def _checkpoint(self, name: str) -> Path | None:
        """The file or folder of a stage of the fit, inside the folder `checkpoint`."""
        if self.checkpoint is None:
            return None
        folder = Path(self.checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings and fitted attributes for `dbnlib.storage`.

        A `random_state` that is no number is left out: a generator belongs to its process.
        """
        settings = self.get_params(deep=False)
        if not isinstance(settings["random_state"], (int, np.integer)):
            settings["random_state"] = None
        if settings["checkpoint"] is not None:
            settings["checkpoint"] = str(settings["checkpoint"])
        fitted = {name: as_text(value) for name, value in self._learned().items()}
        if "feature_names_in_" in fitted:
            # scikit-learn keeps them as Python objects
            fitted["feature_names_in_"] = fitted["feature_names_in_"].astype(str)
        arrays: dict[str, np.ndarray] = {}
        # what `set_output` has set
        output = getattr(self, "_sklearn_output_config", None)
        return pack({"settings": settings, "fitted": fitted, "output": output}, arrays), arrays

    @classmethod
    def from_storage(cls, config: dict, arrays: dict[str, np.ndarray]) -> Self:
        """The estimator that `to_storage` took apart."""
        parts = unpack(config, arrays)
        estimator = cls(**parts["settings"])
        vars(estimator).update(parts["fitted"])
        if parts.get("output") is not None:
            estimator._sklearn_output_config = parts["output"]
        if "feature_names_in_" in parts["fitted"]:
            estimator.feature_names_in_ = estimator.feature_names_in_.astype(object)
        return estimator


class FeatureLearner(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """The base of our transformers, whose features are float32 whatever goes in."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
