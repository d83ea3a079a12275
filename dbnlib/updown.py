"""Up-down fine-tuning of a whole DBN: the contrastive wake-sleep algorithm.

Greedy pretraining never looks back: a lower layer does not know what the layers above have learned
since. Wake-sleep trains all of them together, with weights of their own for the way up (R) and the
way down (W):

- *Wake.* Images are carried up by draws, h¹ ~ q(h¹ | v), h² ~ q(h² | h¹), … Each generative layer
  learns to give back the states below it from those above: ∂ log p(hˡ⁻¹ | hˡ) / ∂W.
- *Top.* The states of the layer below the top, with the labels if there are any, are the data of
  the top RBM, which takes one step of its gradient (CD-k, PCD, …).
- *Sleep.* The states where its negative phase ended are carried down by draws. Each recognition
  layer learns to guess from the states below it those above that they came from.

Both kinds of steps are delta rules, learning rate · input · (state − its mean given the input).

The wake phase ascends the bound. The sleep phase does not: it makes q fit where the model dreams,
not where the data are, and it shrinks KL(p ‖ q) in place of KL(q ‖ p). So nothing guarantees that
the bound rises; watch it (`dbnlib.bound.estimate_bound`).

Sources: Hinton, Osindero, Teh (2006), section 5 and appendix B; Hinton, Dayan, Frey, Neal (1995).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.checks import check_count, check_generator, check_kind
from dbnlib.dbn import DBN
from dbnlib.gradients import CD, GradientEstimator
from dbnlib.labels import check_labels, with_labels
from dbnlib.loop import History, Job, checksum, run_epochs
from dbnlib.rbm import RBM
from dbnlib.schedules import Schedule, check_schedule, value_at

#: the monitors look at so many rows at most
MAX_ROWS = 1000


class WakeSleepJob(Job):
    """A DBN, its data, and one step of wake, top and sleep for each minibatch."""

    def __init__(
        self,
        dbn: DBN,
        v: np.ndarray,
        labels: np.ndarray | None,
        *,
        gradient: GradientEstimator,
        learning_rate: Schedule,
        top_learning_rate: Schedule,
        held_out: tuple[np.ndarray, np.ndarray | None] | None,
        batch_size: int,
        rng: np.random.Generator,
        name: str,
    ):
        self.dbn, self.v, self.labels, self.n_rows = dbn, np.ascontiguousarray(v), labels, len(v)
        self.rng, self.name = rng, name
        self.estimator = gradient
        self.learning_rate, self.top_learning_rate = learning_rate, top_learning_rate
        self.held_out = held_out
        # Grey pixels are means of states; what one dreams must be of the same kind.
        self.draws_pixels = dbn.rbms[0].visible.are_states(v)
        gradient.start(dbn.top, batch_size, rng)

    def parameters(self) -> dict[str, np.ndarray]:
        """Those of the way down, of the way up, and of the top RBM."""
        found: dict[str, np.ndarray] = {}
        for level, (down, up) in enumerate(_lower(self.dbn), 1):
            found |= {f"down_W_{level}": down.W, f"down_b_{level}": down.b}
            found |= {f"up_W_{level}": up.W, f"up_c_{level}": up.c}
        return found | {"top_W": self.dbn.top.W, "top_b": self.dbn.top.b, "top_c": self.dbn.top.c}

    def memory(self) -> dict[str, np.ndarray]:
        """What the top RBM's gradient remembers."""
        return self.estimator.memory()

    def settings(self) -> dict[str, Any]:
        """What a resumed run must share with the one it goes on from."""
        return {
            "gradient": repr(self.estimator),
            "learning_rate": repr(self.learning_rate),
            "top_learning_rate": repr(self.top_learning_rate),
            "units": repr(self.dbn),
            "data": checksum(self.v, self.labels),
        }

    def step(self, rows: np.ndarray, epoch: int) -> None:
        """Wake, top and sleep for one minibatch."""
        rate = value_at(self.learning_rate, epoch)
        below = self.v[rows]
        for down, up in _lower(self.dbn):
            above = up.hidden.sample(up.hidden_field(below), self.rng)
            learn_down(down, below, above, rate)
            below = above
        if self.labels is not None:
            below = with_labels(self.dbn.top, below, self.labels[rows])
        top_rate = value_at(self.top_learning_rate, epoch)
        gradient = self.estimator.gradient(self.dbn.top, below, self.rng, scale=top_rate)
        for name in ("W", "b", "c"):
            getattr(self.dbn.top, name)[...] += getattr(gradient, name)
        above = self.estimator.fantasies()[:, : self.dbn.rbms[-2].n_hidden]
        for level, (down, up) in reversed(list(enumerate(_lower(self.dbn)))):
            x = down.visible_field(above)
            drawn = level > 0 or self.draws_pixels
            below = down.visible.sample(x, self.rng) if drawn else down.visible.mean(x)
            learn_up(up, below, above, rate)
            above = below

    def monitor(self, epoch: int) -> dict[str, float]:
        """Reconstruction error, and label errors where there are labels."""
        record = {"reconstruction_error": self._reconstruction_error(self.v[:MAX_ROWS])}
        if self.labels is not None:
            record["label_error"] = self._label_error(self.v[:MAX_ROWS], self.labels[:MAX_ROWS])
        if self.held_out is not None:
            v, labels = self.held_out
            record["held_out_reconstruction_error"] = self._reconstruction_error(v[:MAX_ROWS])
            if labels is not None:
                error = self._label_error(v[:MAX_ROWS], labels[:MAX_ROWS])
                record["held_out_label_error"] = error
        return record

    def _reconstruction_error(self, v: np.ndarray) -> float:
        """Mean over the rows of Σᵢ (vᵢ − v'ᵢ)²; up to below the top, and down, by means."""
        rebuilt = self.dbn.reconstruct(v, depth=self.dbn.n_layers - 1)
        return float(np.square(v - rebuilt).sum(axis=1, dtype=np.float64).mean())

    def _label_error(self, v: np.ndarray, labels: np.ndarray) -> float:
        """Share of rows whose most probable label is another one."""
        return float((self.dbn.label_probabilities(v).argmax(axis=1) != labels).mean())


def _lower(dbn: DBN) -> list[tuple[RBM, RBM]]:
    """(way down, way up) of each layer below the top, bottom first."""
    return list(zip(dbn.rbms[:-1], dbn.recognition, strict=True))


def learn_down(down: RBM, below: np.ndarray, above: np.ndarray, rate: float) -> None:
    """One step up the gradient of log p(below | above), in place.

    ∂/∂W = (below − E[below | above])' above,  ∂/∂b = below − E[below | above], means over the rows.

    Parameters
    ----------
    below, above : arrays of shape (n_examples, n_visible) and (n_examples, n_hidden)
    """
    missing = below - down.visible.mean(down.visible_field(above))
    missing *= rate / len(below)
    down.W += missing.T @ above
    down.b += missing.sum(axis=0)


def learn_up(up: RBM, below: np.ndarray, above: np.ndarray, rate: float) -> None:
    """One step up the gradient of log q(above | below), in place.

    ∂/∂R = below' (above − E[above | below]),  ∂/∂c = above − E[above | below], means over the rows.
    """
    missing = above - up.hidden.mean(up.hidden_field(below))
    missing *= rate / len(below)
    up.W += below.T @ missing
    up.c += missing.sum(axis=0)


def wake_sleep(
    dbn: DBN,
    v: Any,
    labels: Any = None,
    *,
    epochs: int,
    rng: np.random.Generator,
    learning_rate: float | Schedule = 0.01,
    top_learning_rate: float | Schedule | None = None,
    gradient: GradientEstimator | None = None,
    batch_size: int = 100,
    held_out: Any = None,
    held_out_labels: Any = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    name: str = "wake-sleep",
) -> History:
    """Fine-tune all layers of a DBN together as a generative model, in place.

    Parameters
    ----------
    dbn : its ways up and down must have weights of their own: pass `dbn.untied()`
    v : array of shape (n_examples, n_visible)
    labels : class numbers of shape (n_examples,), where the top RBM has a label unit
    epochs : number of passes over the rows
    learning_rate : of the generative and the recognition weights; a number or a schedule
    top_learning_rate : of the top RBM; the same if not given
    gradient : of the top RBM, with chains: CD(k) (CD(3) by default), PCD(k) or PT(k)
    batch_size : rows in a minibatch
    held_out, held_out_labels : rows and labels that are only watched
    checkpoint, progress : see `dbnlib.loop.run_epochs`
    name : what messages and bars call the training

    Returns
    -------
    History with the monitors, one value an epoch, over up to 1000 rows:
        reconstruction_error, held_out_reconstruction_error : up to the layer below the top, and
            down, by means
        label_error, held_out_label_error : share of rows put into a wrong class

    Raises
    ------
    ValueError
        where the DBN is tied or has one layer only, or labels are missing or too many
    DivergenceError
        when the weights leave the finite numbers; they are those of the last finished epoch

    Source: Hinton, Osindero, Teh (2006), appendix B.
    """
    check_kind("dbn", dbn, DBN)
    if dbn.n_layers < 2 or any(up is down for down, up in _lower(dbn)):
        raise ValueError(
            "wake-sleep needs a DBN of at least two RBMs whose ways up and down have weights of "
            "their own; pass dbn.untied()"
        )
    v = dbn.rbms[0].check_visible("v", v)
    check_generator(rng)
    labels = _labels_for(dbn, "labels", labels, len(v))
    watched = None
    if held_out is None and held_out_labels is not None:
        raise ValueError("held_out_labels were given without held_out, the rows that they are of")
    if held_out is not None:
        held_out = dbn.rbms[0].check_visible("held_out", held_out)
        watched = held_out, _labels_for(dbn, "held_out_labels", held_out_labels, len(held_out))
    gradient = CD(3) if gradient is None else gradient
    if not isinstance(gradient, GradientEstimator):
        raise TypeError(f"gradient must be CD(k), PCD(k) or PT(k), got {gradient!r}")
    batch_size = min(check_count("batch_size", batch_size), len(v))
    rate = check_schedule("learning_rate", learning_rate, 0)
    job = WakeSleepJob(
        dbn,
        v,
        labels,
        gradient=gradient,
        learning_rate=rate,
        top_learning_rate=rate
        if top_learning_rate is None
        else check_schedule("top_learning_rate", top_learning_rate, 0),
        held_out=watched,
        batch_size=batch_size,
        rng=rng,
        name=name,
    )
    return run_epochs(
        job, epochs=epochs, batch_size=batch_size, rng=rng, checkpoint=checkpoint, progress=progress
    )


def _labels_for(dbn: DBN, name: str, labels: Any, n_rows: int) -> np.ndarray | None:
    """Checked labels where the DBN has a label unit; ValueError where one is there alone."""
    if not dbn.n_labels:
        if labels is not None:
            raise ValueError(f"{name} were given, but {dbn!r} has no label unit")
        return None
    if labels is None:
        raise ValueError(f"{dbn!r} has a label unit: pass {name}=..., class numbers of the rows")
    return check_labels(name, labels, dbn.n_labels, n_rows)
