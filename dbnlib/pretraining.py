"""Greedy pretraining: one RBM after another, each on what the one below makes of the data.

With v carried up through the finished layers, each new RBM learns the distribution of the layer
below it. Why that raises a bound on log p(v) is the subject of `dbnlib.bound`.

Source: Hinton, Osindero, Teh (2006), section 4; Bengio et al. (2007).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.checks import (
    as_dtype,
    check_array,
    check_choice,
    check_count,
    check_dtype,
    check_generator,
)
from dbnlib.dbn import DBN
from dbnlib.groups import Groups, make_units
from dbnlib.labels import check_labels, split_units
from dbnlib.loop import History, InterruptedTrainingWarning
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm
from dbnlib.units import Bernoulli, Gaussian, ReLU, Softmax, Units


def pretrain_dbn(
    v: Any,
    hidden_sizes: Sequence[int],
    *,
    rng: np.random.Generator,
    epochs: int | Sequence[int] = 10,
    visible: str | Units = "bernoulli",
    hidden: str | Units | Sequence[str | Units] = "bernoulli",
    start: str = "random",
    scale: float | None = None,
    upward: str = "mean",
    layer_settings: Sequence[Mapping[str, Any]] | None = None,
    labels: Any = None,
    held_out: Any = None,
    held_out_labels: Any = None,
    dtype: type = np.float32,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> tuple[DBN, list[History]]:
    """Train a DBN greedily on the rows of v.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    hidden_sizes : list with the number of units of each hidden layer, bottom first
    epochs : for all layers, or one number a layer
    visible, hidden : kinds of units; `hidden` for all layers, or one a layer
    start : 'random', or 'transposed': a layer of the same units as the layer two below, and at
        least as many, starts as the machine below upside down, biases swapped. That leaves the
        model as it was, but for further units, which start with small random weights
    scale : standard deviation of the starting weights; by default 0.01, or He's √(2/n_visible) for
        layers of rectified units
    upward : 'mean' hands E[h | v] to the next layer, 'sample' a draw made once
    layer_settings : for each layer, settings of `train_rbm` that differ from the common ones
    labels : class numbers from 0, of shape (n_examples,), optional
        the top RBM, which must be the second at least, learns them together with the layer below,
        as a softmax unit beside it; see `dbnlib.labels`. Choose upward='sample', so that features
        are states, as labels are
    held_out : rows that are only watched; they are carried up with the data
    held_out_labels : their class numbers, wanted where `labels` are given
    dtype : float32 or float64, for parameters and data
    checkpoint : folder, optional
        one file a layer, written after each epoch; a killed run goes on where it stood
    settings : passed on to `train_rbm`: learning_rate, momentum, gradient, batch_size, …

    Returns
    -------
    dbn : DBN
    histories : list of History, one a layer

    Raises
    ------
    DivergenceError
        which names the layer
    ValueError, TypeError
        for input out of range

    Warns
    -----
    InterruptedTrainingWarning
        on Ctrl-C; the layers above the interrupted one are those of their random start
    """
    dtype = check_dtype(dtype)
    v = as_dtype("v", check_array("v", v, ndim=2), dtype)
    if held_out is not None:
        held_out = as_dtype("held_out", check_array("held_out", held_out, ndim=2), dtype)
    check_generator(rng)
    check_choice("start", start, ("random", "transposed"))
    check_choice("upward", upward, ("mean", "sample"))
    if np.ndim(hidden_sizes) != 1:
        raise TypeError(f"hidden_sizes must be a list such as [256, 64], got {hidden_sizes!r}")
    sizes = [check_count("each of hidden_sizes", size) for size in hidden_sizes]
    if not sizes:
        raise ValueError("hidden_sizes is empty; a DBN has at least one hidden layer")
    one_hot, held_out_one_hot = _one_hot(labels, held_out_labels, v, held_out, len(sizes), dtype)
    epochs = [check_count("epochs", n, 0) for n in _one_per_layer("epochs", epochs, len(sizes))]
    kinds = _one_per_layer("hidden", hidden, len(sizes))
    layers = [make_units(kind, size) for kind, size in zip(kinds, sizes, strict=True)]
    extra = _one_per_layer("layer_settings", layer_settings or {}, len(sizes))
    if checkpoint is not None:
        Path(checkpoint).mkdir(parents=True, exist_ok=True)

    rbms: list[RBM] = []
    histories: list[History] = []
    units = make_units(visible, v.shape[1])
    interrupted = False
    for level, above in enumerate(layers, 1):
        if level == len(sizes) and one_hot is not None:
            units = Groups([units, Softmax(one_hot.shape[1])])
            v = np.hstack([v, one_hot])
            held_out = None if held_out is None else np.hstack([held_out, held_out_one_hot])
        rbm = _start(start, scale, rbms, units, above, v, rng, dtype)
        rbms.append(rbm)
        units = above
        layer_rng, rng_up = _two_generators(rng)
        epochs_now = 0 if interrupted else epochs[level - 1]
        history = train_rbm(
            rbm,
            v,
            epochs=epochs_now,
            rng=layer_rng,
            held_out=held_out,
            checkpoint=None if checkpoint is None or interrupted else _file(checkpoint, level),
            progress=progress,
            name=f"layer {level} of {len(sizes)}",
            **{"learning_rate": default_rate(rbm), **settings, **extra[level - 1]},
        )
        interrupted = interrupted or history.interrupted
        history.interrupted = interrupted
        histories.append(history)
        if level < len(sizes):
            try:
                v, held_out = _carry_up(rbm, v, held_out, upward, rng_up)
            except KeyboardInterrupt:
                interrupted = True
                warnings.warn(
                    f"stopped by Ctrl-C after layer {level} of {len(sizes)}; the layers above are "
                    "those of their random start",
                    InterruptedTrainingWarning,
                    stacklevel=2,
                )
                # the layers above start from what they would have learned from
                v, held_out = _carry_up(rbm, v, held_out, upward, rng_up)
    return DBN(rbms), histories


def _one_per_layer(name: str, value: Any, n_layers: int) -> list[Any]:
    """A list with one entry a layer from such a list, or from one value for all."""
    if isinstance(value, (str, Units, Mapping)) or not isinstance(value, Sequence):
        return [value] * n_layers
    if len(value) != n_layers:
        raise ValueError(f"{name} has {len(value)} entries for {n_layers} layers")
    return list(value)


def _one_hot(
    labels: Any,
    held_out_labels: Any,
    v: np.ndarray,
    held_out: np.ndarray | None,
    n_layers: int,
    dtype: type,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The labels of both sets of rows as one-hot rows, None where there are none."""
    if labels is None:
        if held_out_labels is not None:
            raise ValueError("held_out_labels were given without labels to learn; pass labels=...")
        return None, None
    if n_layers == 1:
        raise ValueError(
            "labels stand beside the layer below the top: give at least two hidden_sizes"
        )
    if (held_out is None) != (held_out_labels is None):
        raise ValueError("with labels, held_out and held_out_labels go together")
    n_labels = int(check_array("labels", labels, ndim=1).max()) + 1
    labels = check_labels("labels", labels, n_labels, len(v))
    eye = np.eye(n_labels, dtype=dtype)
    if held_out is None:
        return eye[labels], None
    return eye[labels], eye[
        check_labels("held_out_labels", held_out_labels, n_labels, len(held_out))
    ]


def _start(
    start: str,
    scale: float | None,
    rbms: list[RBM],
    units: Units,
    above: Units,
    v: np.ndarray,
    rng: np.random.Generator,
    dtype: type,
) -> RBM:
    """The new layer before training."""
    if start == "transposed" and rbms and _fits_upside_down(rbms[-1], above):
        turned = upside_down(rbms[-1], above, rng, scale=0.01 if scale is None else scale)
        return _with_label(turned, units, v)
    if units.low == 0 and units.high == 1:
        # Values out of range are reported here, with the name that the caller knows.
        units.check("v", v)
    if scale is None:
        scale = math.sqrt(2 / units.n) if isinstance(above, ReLU) else 0.01
    settings = {"visible": units, "hidden": above, "dtype": dtype}
    return RBM.random(units.n, above.n, rng, scale=scale, data=v, **settings)


def _fits_upside_down(below: RBM, above: Units) -> bool:
    """Whether the machine below, upside down, ends in these units, or in fewer of the same kind."""
    independent = isinstance(above, Bernoulli | Gaussian | ReLU)
    fewer = type(below.visible) is type(above) and independent and below.visible.n <= above.n
    return below.visible == above or fewer


def upside_down(below: RBM, hidden: Units, rng: np.random.Generator, *, scale: float = 0.01) -> RBM:
    """The machine below turned over, W' and the biases swapped, with further hidden units.

    On top of the machine below it leaves a DBN's likelihood where it was, and the bound is tight. A
    further unit without weights only multiplies exp(−F) by a constant; so that they differ from
    each other, their weights are drawn from N(0, scale²).

    Source: Hinton, Osindero, Teh (2006), section 4, for equal widths.
    """
    turned = below.transposed()
    n_more = hidden.n - turned.n_hidden
    if n_more < 0:
        raise ValueError(
            f"upside down {below!r} has {turned.n_hidden} hidden units, and {hidden!r} has fewer"
        )
    more = scale * check_generator(rng).standard_normal((turned.n_visible, n_more))
    W = np.hstack([turned.W, more.astype(turned.dtype)])
    c = np.concatenate([turned.c, np.zeros(n_more, turned.dtype)])
    return RBM(W, turned.b, c, visible=turned.visible, hidden=hidden)


def _with_label(rbm: RBM, units: Units, v: np.ndarray) -> RBM:
    """The machine with a label beside its units, as yet without weights: p(u) stays as it was."""
    if units.n == rbm.n_visible:
        return rbm
    label = split_units(units)[1]
    W = np.vstack([rbm.W, np.zeros((label.n, rbm.n_hidden), rbm.dtype)])
    d = label.bias_for(v[:, -label.n :].mean(axis=0, dtype=np.float64))
    return RBM(W, np.append(rbm.b, d), rbm.c, visible=units, hidden=rbm.hidden)


def _carry_up(
    rbm: RBM, v: np.ndarray, held_out: np.ndarray | None, upward: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """What the next layer learns from, and the rows that it only watches."""

    def up(rows: np.ndarray) -> np.ndarray:
        return rbm.hidden_mean(rows) if upward == "mean" else rbm.sample_hidden(rows, rng)

    return up(v), None if held_out is None else up(held_out)


def _two_generators(rng: np.random.Generator) -> list[np.random.Generator]:
    """One for the training of a layer and one for the way up, by the seed of `rng`."""
    try:
        return rng.spawn(2)
    except TypeError:
        raise TypeError(
            f"rng must be a generator that can spawn others, and {rng!r} was made from a bit "
            "generator of the old kind; write rng=numpy.random.default_rng(seed)"
        ) from None


def default_rate(rbm: RBM) -> float:
    """A learning rate that suits the units: 0.1, or 0.01 where a layer has no upper bound."""
    bounded = np.isfinite(rbm.visible.high) and np.isfinite(rbm.hidden.high)
    return 0.1 if bounded else 0.01


def _file(folder: str | Path, level: int) -> Path:
    """The checkpoint of a layer."""
    return Path(folder) / f"layer_{level}.npz"
