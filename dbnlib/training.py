"""Training an RBM: what is done with the gradient, minibatch after minibatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.checks import check_count, check_generator, check_kind, check_real
from dbnlib.gradients import GradientEstimator, cd_for, centred_gradient
from dbnlib.inplace import add_scaled, scale
from dbnlib.loop import History, Job, checksum, run_epochs
from dbnlib.monitors import Monitor, make_monitors
from dbnlib.rbm import RBM
from dbnlib.schedules import Schedule, check_schedule, value_at
from dbnlib.units import Gaussian

#: how fast the running means of sparsity and centring follow the batches
FORGETTING = 0.05


class RBMJob(Job):
    """One RBM, its data, its gradient and the rules by which a step is made."""

    def __init__(
        self,
        rbm: RBM,
        v: np.ndarray,
        *,
        gradient: GradientEstimator,
        learning_rate: Schedule,
        momentum: Schedule,
        weight_decay: float,
        sparsity: float | None,
        sparsity_cost: float,
        centred: bool,
        monitors: dict[str, Monitor],
        batch_size: int,
        rng: np.random.Generator,
        name: str,
    ):
        # rows that lie together in memory, or each minibatch would gather them from all over it
        self.rbm, self.v, self.n_rows = rbm, np.ascontiguousarray(v), len(v)
        self.rng, self.name = rng, name
        self.estimator, self.monitors = gradient, monitors
        self.learning_rate, self.momentum = learning_rate, momentum
        self.weight_decay = weight_decay
        self.sparsity, self.sparsity_cost = sparsity, sparsity_cost
        self.centred = centred
        self._batch = np.empty((batch_size, rbm.n_visible), rbm.dtype)
        self._velocity = {name: np.zeros_like(array) for name, array in self.parameters().items()}
        # Running means of v and h under the data: the offsets, and the activity to keep sparse.
        self._v_mean = v.mean(axis=0, dtype=np.float64).astype(rbm.dtype)
        self._h_mean = rbm.hidden.mean(rbm.c[None, :])[0]
        gradient.start(rbm, batch_size, rng)

    def parameters(self) -> dict[str, np.ndarray]:
        """W, b and c."""
        return {"W": self.rbm.W, "b": self.rbm.b, "c": self.rbm.c}

    def memory(self) -> dict[str, np.ndarray]:
        """Velocities, running means, and what the gradient remembers."""
        velocities = {f"velocity_{name}": array for name, array in self._velocity.items()}
        means = {"v_mean": self._v_mean, "h_mean": self._h_mean}
        return velocities | means | self.estimator.memory()

    def settings(self) -> dict[str, Any]:
        """What a resumed run must share with the one it goes on from."""
        return {
            "dtype": str(self.rbm.dtype),
            "gradient": repr(self.estimator),
            "learning_rate": repr(self.learning_rate),
            "momentum": repr(self.momentum),
            "weight_decay": self.weight_decay,
            "sparsity": [self.sparsity, self.sparsity_cost],
            "centred": self.centred,
            "units": [repr(self.rbm.visible), repr(self.rbm.hidden)],
            "data": checksum(self.v),
        }

    def step(self, rows: np.ndarray, epoch: int) -> None:
        """One minibatch: velocity ← momentum · velocity + rate · gradient; W ← W + velocity."""
        rbm, rate = self.rbm, value_at(self.learning_rate, epoch)
        # mode='clip' lets `take` write straight into `out`; the row numbers are all valid
        v = np.take(self.v, rows, axis=0, out=self._batch[: len(rows)], mode="clip")
        gradient = self.estimator.gradient(rbm, v, self.rng, scale=rate)
        if self.centred or self.sparsity is not None:
            self._h_mean += FORGETTING * (gradient.h_data - self._h_mean)
        if self.centred:
            self._v_mean += FORGETTING * (gradient.v_data - self._v_mean)
            gradient = centred_gradient(gradient, self._v_mean, self._h_mean)
        momentum = value_at(self.momentum, epoch)
        for name, velocity in self._velocity.items():
            # velocity ← momentum · velocity + rate · gradient; the rate is in the gradient
            scale(velocity, momentum)
            add_scaled(velocity, 1, getattr(gradient, name))
        if self.weight_decay:
            # the gradient of −½ decay ‖W‖²
            add_scaled(self._velocity["W"], -rate * self.weight_decay, rbm.W)
        if self.sparsity is not None:
            # the gradient, by each unit's field, of the cross-entropy between target and activity
            excess = self.sparsity - self._h_mean
            self._velocity["c"] += rate * self.sparsity_cost * excess
            self._velocity["W"] += rate * self.sparsity_cost * np.outer(gradient.v_data, excess)
        for name, array in self.parameters().items():
            add_scaled(array, 1, self._velocity[name])

    def monitor(self, epoch: int) -> dict[str, float]:
        """The chosen monitors."""
        return {name: float(monitor(self.rbm)) for name, monitor in self.monitors.items()}

    def likely_cause(self) -> str:
        """What to try, by the kind of units."""
        for units in (self.rbm.visible, self.rbm.hidden):
            if not np.isfinite(units.high):
                return (
                    f"{units!r} units have no upper bound: standardise the data to mean 0 and "
                    "variance 1, and try a tenth of the learning rate."
                )
        return super().likely_cause()


def train_rbm(
    rbm: RBM,
    v: Any,
    *,
    epochs: int,
    rng: np.random.Generator,
    gradient: GradientEstimator | None = None,
    learning_rate: float | Schedule = 0.1,
    momentum: float | Schedule = 0.5,
    weight_decay: float = 0.0,
    sparsity: float | None = None,
    sparsity_cost: float = 0.1,
    centred: bool = False,
    batch_size: int = 100,
    held_out: Any = None,
    monitors: Sequence[str] | Mapping[str, Monitor] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    name: str = "RBM",
) -> History:
    """Raise the log-likelihood of the rows of v by stochastic gradient ascent, in place.

    velocity ← momentum · velocity + rate · (gradient − decay · W);  W ← W + velocity

    Parameters
    ----------
    rbm : the machine, which is changed
    v : array of shape (n_examples, n_visible)
        values between 0 and 1 count as probabilities where the visible units are Bernoulli
    epochs : number of passes over the rows
    rng : draws the order of the rows, and the states of the chains
    gradient : the estimator of the gradient; by default CD-1, with draws of the visible units where
        the rows are zeros and ones, and with means where they are grey; see `dbnlib.gradients`
    learning_rate, momentum : numbers, or functions of the epoch; see `dbnlib.schedules`
    weight_decay : factor of the penalty ½‖W‖²; biases are not decayed
    sparsity : target for each hidden unit's mean activity, none by default
    sparsity_cost : strength of the pull towards it (Hinton 2010, section 11)
    centred : whether to use the centred machine's gradient, `dbnlib.gradients.centred_gradient`
    batch_size : rows in a minibatch; the last of an epoch may have fewer
    held_out : rows that are only watched
    monitors : what to record, see `dbnlib.monitors.make_monitors`
    checkpoint, progress : see `dbnlib.loop.run_epochs`
    name : what messages and bars call this machine

    Returns
    -------
    History
        one value of each monitor an epoch

    Raises
    ------
    DivergenceError
        when the weights leave the finite numbers; they are those of the last finished epoch
    ValueError, TypeError
        for input out of range

    Source: Hinton (2010).
    """
    check_kind("rbm", rbm, RBM)
    v = rbm.check_visible("v", v)
    held_out = None if held_out is None else rbm.check_visible("held_out", held_out)
    check_generator(rng)
    if sparsity is not None:
        if isinstance(rbm.hidden, Gaussian):
            raise ValueError("a sparsity target has no meaning for Gaussian hidden units")
        sparsity = check_real("sparsity", sparsity, 0, 1)
    batch_size = min(check_count("batch_size", batch_size), len(v))
    gradient = cd_for(rbm, v) if gradient is None else gradient
    if not isinstance(gradient, GradientEstimator):
        raise TypeError(
            f"gradient must be CD(k), PCD(k), PT(k) or ExactGradient(), got {gradient!r}"
        )
    job = RBMJob(
        rbm,
        v,
        gradient=gradient,
        learning_rate=check_schedule("learning_rate", learning_rate, 0),
        momentum=check_schedule("momentum", momentum, 0, 1),
        weight_decay=check_real("weight_decay", weight_decay, 0),
        sparsity=sparsity,
        sparsity_cost=check_real("sparsity_cost", sparsity_cost, 0),
        centred=bool(centred),
        monitors=make_monitors(monitors, rbm, v, held_out),
        batch_size=batch_size,
        rng=rng,
        name=name,
    )
    return run_epochs(
        job, epochs=epochs, batch_size=batch_size, rng=rng, checkpoint=checkpoint, progress=progress
    )
