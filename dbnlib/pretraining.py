"""Greedy pretraining: one RBM after another, each on what the one below makes of the data.

With v carried up through the finished layers, each new RBM learns the distribution of the layer
below it. Why that raises a bound on log p(v) is the subject of `dbnlib.bound`.

Source: Hinton, Osindero, Teh (2006), section 4; Bengio et al. (2007).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.checks import check_array, check_choice, check_count, check_dtype, check_generator
from dbnlib.dbn import DBN
from dbnlib.groups import make_units
from dbnlib.loop import History
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm
from dbnlib.units import ReLU, Units


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
    held_out: Any = None,
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
    start : 'random', or 'transposed': a layer whose width is that of the layer two below starts as
        the machine below upside down, biases swapped, which leaves the model as it was
    scale : standard deviation of the starting weights; by default 0.01, or He's √(2/n_visible) for
        layers of rectified units
    upward : 'mean' hands E[h | v] to the next layer, 'sample' a draw made once
    layer_settings : for each layer, settings of `train_rbm` that differ from the common ones
    held_out : rows that are only watched; they are carried up with the data
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
    v = check_array("v", v, ndim=2).astype(dtype)
    held_out = None if held_out is None else check_array("held_out", held_out, ndim=2).astype(dtype)
    check_generator(rng)
    check_choice("start", start, ("random", "transposed"))
    check_choice("upward", upward, ("mean", "sample"))
    if np.ndim(hidden_sizes) != 1:
        raise TypeError(f"hidden_sizes must be a list such as [256, 64], got {hidden_sizes!r}")
    sizes = [check_count("each of hidden_sizes", size) for size in hidden_sizes]
    if not sizes:
        raise ValueError("hidden_sizes is empty; a DBN has at least one hidden layer")
    epochs = _one_per_layer("epochs", epochs, len(sizes))
    kinds = _one_per_layer("hidden", hidden, len(sizes))
    extra = _one_per_layer("layer_settings", layer_settings or {}, len(sizes))
    if checkpoint is not None:
        Path(checkpoint).mkdir(parents=True, exist_ok=True)

    rbms: list[RBM] = []
    histories: list[History] = []
    units = make_units(visible, v.shape[1])
    interrupted = False
    for level, (size, kind) in enumerate(zip(sizes, kinds, strict=True), 1):
        above = make_units(kind, size)
        rbm = _start(start, scale, rbms, units, above, v, rng, dtype)
        rbms.append(rbm)
        units = above
        layer_rng, rng_up = rng.spawn(2)
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
            v = _carry_up(rbm, v, upward, rng_up)
            held_out = None if held_out is None else _carry_up(rbm, held_out, upward, rng_up)
    return DBN(rbms), histories


def _one_per_layer(name: str, value: Any, n_layers: int) -> list[Any]:
    """A list with one entry a layer from such a list, or from one value for all."""
    if isinstance(value, (str, Units, Mapping)) or not isinstance(value, Sequence):
        return [value] * n_layers
    if len(value) != n_layers:
        raise ValueError(f"{name} has {len(value)} entries for {n_layers} layers")
    return list(value)


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
    if start == "transposed" and rbms and rbms[-1].visible == above:
        return rbms[-1].transposed()
    if units.low == 0 and units.high == 1:
        # Values out of range are reported here, with the name that the caller knows.
        units.check("v", v)
    if scale is None:
        scale = math.sqrt(2 / units.n) if isinstance(above, ReLU) else 0.01
    settings = {"visible": units, "hidden": above, "dtype": dtype}
    return RBM.random(units.n, above.n, rng, scale=scale, data=v, **settings)


def _carry_up(rbm: RBM, v: np.ndarray, upward: str, rng: np.random.Generator) -> np.ndarray:
    """What the next layer learns from."""
    return rbm.hidden_mean(v) if upward == "mean" else rbm.sample_hidden(v, rng)


def default_rate(rbm: RBM) -> float:
    """A learning rate that suits the units: 0.1, or 0.01 where a layer has no upper bound."""
    bounded = np.isfinite(rbm.visible.high) and np.isfinite(rbm.hidden.high)
    return 0.1 if bounded else 0.01


def _file(folder: str | Path, level: int) -> Path:
    """The checkpoint of a layer."""
    return Path(folder) / f"layer_{level}.npz"
