"""Notebook 03: a Gibbs chain looked at step by step, and what rate and k do to a likelihood.

A chain is recorded once, with what happens between two images: the hidden units that the first one
switches on, and the means from which the second one is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dbnlib.checks import (
    check_array,
    check_count,
    check_generator,
    check_kind,
    check_real,
)
from dbnlib.plots import COLOURS
from dbnlib.rbm import RBM

BLUE, ORANGE, _, _, RED, _, BLACK = COLOURS
QUIET = "#BBBBBB"


class GibbsRecord(NamedTuple):
    """One chain of n steps; row t of h and v_mean leads from row t of v to row t + 1."""

    #: visible states, shape (n + 1, n_visible); the first is the start
    v: np.ndarray
    #: hidden states, shape (n, n_hidden)
    h: np.ndarray
    #: E[v | h], shape (n, n_visible)
    v_mean: np.ndarray


def record_gibbs(rbm: RBM, start: Any, n_steps: int, rng: np.random.Generator) -> GibbsRecord:
    """A block Gibbs chain with its halves: h ~ p(h | v), then v ~ p(v | h), `n_steps` times.

    Parameters
    ----------
    start : array of shape (n_visible,), where the chain begins
    """
    check_kind("rbm", rbm, RBM)
    start = check_array("start", start, ndim=1, shape=(rbm.n_visible,))
    v = rbm.check_visible("start", start[None, :])
    check_generator(rng)
    images, hidden, means = [v], [], []
    for _ in range(check_count("n_steps", n_steps)):
        h = rbm.sample_hidden(v, rng)
        field = rbm.visible_field(h)
        v = rbm.visible.sample(field, rng)
        hidden.append(h)
        means.append(rbm.visible.mean(field))
        images.append(v)
    return GibbsRecord(np.vstack(images), np.vstack(hidden), np.vstack(means))


def chain_step(rbm: RBM, record: GibbsRecord, step: int, shape: tuple[int, int]) -> Figure:
    """One step of a recorded chain: v, then h, then E[v | h], then the next v; and F(v) so far.

    Parameters
    ----------
    record : from `record_gibbs`, by the same machine
    step : from 1 to the number of recorded steps
    shape : (rows, cols) of one image
    """
    check_kind("rbm", rbm, RBM)
    check_kind("record", record, GibbsRecord)
    if record.h.shape[1] != rbm.n_hidden or record.v.shape[1] != rbm.n_visible:
        raise ValueError(
            f"record is of a machine with {record.v.shape[1]} visible and {record.h.shape[1]} "
            f"hidden units, and rbm is {rbm!r}; pass what record_gibbs(rbm, ...) returned"
        )
    if check_count("step", step) > len(record.h):
        raise ValueError(f"step must be at most {len(record.h)}, the steps recorded, got {step}")
    if len(shape) != 2 or shape[0] * shape[1] != rbm.n_visible:
        raise ValueError(f"shape must be (rows, cols) of {rbm.n_visible} pixels, got {shape!r}")
    before = record.v[step - 1]
    figure = plt.figure(figsize=(8.4, 4.2), facecolor="white", layout="constrained")
    panels = figure.subplot_mosaic(
        [["before", "hidden", "mean", "after"], ["energy"] * 4],
        width_ratios=[1, 2.2, 1, 1],
        height_ratios=[1.1, 1],
    )
    draw_image(panels["before"], before, shape, f"v after {step - 1}")
    draw_hidden(panels["hidden"], rbm.hidden_mean(before[None, :])[0], record.h[step - 1])
    draw_image(panels["mean"], record.v_mean[step - 1], shape, "E[v | h]")
    draw_image(panels["after"], record.v[step], shape, f"v after {step}")

    free_energy = rbm.free_energy(record.v)
    axis = panels["energy"]
    axis.plot(np.arange(step + 1), free_energy[: step + 1], color=BLUE, linewidth=1)
    axis.plot(step, free_energy[step], "o", color=RED)
    axis.set_xlim(-0.5, len(record.h) + 0.5)
    margin = 0.05 * float(np.ptp(free_energy)) + 0.5
    axis.set_ylim(free_energy.min() - margin, free_energy.max() + margin)
    axis.set_xlabel("Gibbs steps")
    axis.set_ylabel("F(v), nats")
    axis.grid(alpha=0.3)
    return figure


def draw_image(axis: Axes, image: np.ndarray, shape: tuple[int, int], title: str) -> None:
    """Pixels between 0 (white) and 1 (black)."""
    axis.imshow(image.reshape(shape), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_title(title, fontsize=9)


def draw_hidden(axis: Axes, means: np.ndarray, h: np.ndarray) -> None:
    """A bar for each hidden unit's probability of being on; filled where it was drawn on."""
    colours = [ORANGE if on else "white" for on in h]
    axis.bar(np.arange(len(means)), means, color=colours, edgecolor=BLACK, linewidth=0.5)
    axis.set_ylim(0, 1.05)
    axis.set_xlabel("hidden unit (filled: drawn on)", fontsize=8)
    axis.set_title("p(h = 1 | v)", fontsize=9)
    axis.tick_params(labelsize=7)


def rate_and_k(
    epochs: Any,
    curves: Mapping[tuple[float, str], Any],
    rate: float,
    method: str,
    *,
    best: float | None = None,
) -> Figure:
    """The likelihood over the epochs for one learning rate and one method; the others in grey.

    Parameters
    ----------
    epochs : array of shape (n_records,), when the likelihood was recorded
    curves : (learning rate, method) → log-likelihoods of shape (n_records,), in nats a row
    rate, method : which of them to draw in colour, such as 0.1 and 'CD-1'
    best : the highest likelihood that any model can reach, drawn as a dotted line
    """
    epochs = check_array("epochs", epochs, ndim=1)
    drawn = {key: check_array("curves", curves[key], ndim=1, shape=epochs.shape) for key in curves}
    if (rate, method) not in drawn:
        keys = ", ".join(f"{r:g} with {m}" for r, m in drawn)
        raise ValueError(f"there is no curve for {rate!r} with {method!r}; there are {keys}")
    figure, axis = plt.subplots(figsize=(6.8, 3.4), facecolor="white", layout="constrained")
    for curve in drawn.values():
        axis.plot(epochs, curve, color=QUIET, linewidth=0.8)
    chosen = drawn[rate, method]
    axis.plot(epochs, chosen, color=BLUE, linewidth=2.2, label=f"{method}, rate {rate:g}")
    top = max(curve.max() for curve in drawn.values())
    if best is not None:
        top = check_real("best", best)
        axis.axhline(best, color=BLACK, linestyle=":", label="the best of any model")
    # what diverges leaves the picture at the bottom, so that the others keep their room
    start = float(np.median([curve[0] for curve in drawn.values()]))
    axis.set_ylim(start - 0.5 * (top - start) - 0.2, top + 0.2)
    axis.set_xlabel("epoch")
    axis.set_ylabel("exact log p(v), nats a row")
    axis.set_title(f"after the last epoch: {chosen[-1]:.2f} nats".replace("-", "−"), fontsize=10)
    axis.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    return figure
