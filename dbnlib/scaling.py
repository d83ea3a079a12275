"""Any finite numbers, brought to the range that the visible units want, and back."""

from __future__ import annotations

from typing import Self

import numpy as np

from dbnlib.checks import check_choice
from dbnlib.storage import storable


@storable("scaling")
class Scaling:
    """z = (x/m − offset) / scale, fitted on training rows, column by column or over all of them.

    m is the largest magnitude, so that no intermediate number overflows. For Bernoulli units the
    training rows end up between 0 and 1, and other rows are cut to that range; for Gaussian units
    they get mean 0 and variance 1. A column that does not vary becomes 0.

    Parameters
    ----------
    how : 'feature' for each column on its own, as tables want it; 'global' with one range for all
        columns, as images want it; None to leave the rows as they are
    units : 'bernoulli' or 'gaussian'

    Attributes
    ----------
    magnitude_, offset_, scale_ : arrays of shape (n_features,)
    """

    def __init__(self, how: str | None = "feature", units: str = "bernoulli"):
        self.how = how if how is None else check_choice("scaling", how, ("feature", "global"))
        self.units = check_choice("units", units, ("bernoulli", "gaussian"))

    def fit(self, x: np.ndarray) -> Self:
        """Learn range or mean and variance from the rows of x (n_examples, n_features)."""
        n_features = x.shape[1]
        columns = x if self.how == "feature" else x.reshape(-1, 1)
        magnitude = np.abs(columns).max(axis=0)
        magnitude[magnitude < np.finfo(np.float64).tiny] = 1
        u = columns / magnitude
        if self.units == "gaussian":
            offset, scale = u.mean(axis=0), u.std(axis=0)
        else:
            offset, scale = u.min(axis=0), np.ptp(u, axis=0)
        # what is left of a constant column is rounding error
        scale[scale < 1e-14] = 1
        if self.how is None:
            magnitude, offset, scale = np.ones(1), np.zeros(1), np.ones(1)
        self.magnitude_, self.offset_, self.scale_ = (
            np.broadcast_to(array, n_features).copy() for array in (magnitude, offset, scale)
        )
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Scaled rows; without scaling the rows themselves."""
        if self.how is None:
            return x
        with np.errstate(over="ignore"):
            z = (x / self.magnitude_ - self.offset_) / self.scale_
        if self.units == "bernoulli":
            return np.clip(z, 0, 1, out=z)
        # a single wild row must not become infinite in float32
        return np.clip(z, -1e6, 1e6, out=z)

    def inverse_transform(self, z: np.ndarray) -> np.ndarray:
        """Rows in the original units."""
        return z if self.how is None else (z * self.scale_ + self.offset_) * self.magnitude_

    def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings and fitted arrays for `dbnlib.storage`."""
        arrays = {n: getattr(self, n) for n in ("magnitude_", "offset_", "scale_")}
        return {"how": self.how, "units": self.units}, arrays

    @classmethod
    def from_storage(cls, config: dict, arrays: dict[str, np.ndarray]) -> Self:
        """The step that `to_storage` took apart."""
        scaling = cls(**config)
        vars(scaling).update(arrays)
        return scaling
