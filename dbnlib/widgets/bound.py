"""Notebook 04: the stack drawn, Jensen's inequality drawn, and a bound that climbs.

The numbers come ready-made: `bound_ascent` and `bound_facts` only look at what was recorded while
the layers were trained, so that moving the slider trains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dbnlib.checks import check_array, check_count, check_real
from dbnlib.plots import COLOURS

#: more hidden layers than this are too many to draw
MAX_LAYERS = 5
#: how far a bound may lie above log p(v) by rounding, in nats
ROUNDING = 1e-9

BLUE, ORANGE, GREEN, _, RED, _, BLACK = COLOURS


class BoundFacts(NamedTuple):
    """Where a recorded training stood: means over the examples, in nats."""

    stage: str
    epoch: int
    log_p: float
    bound: float
    gap: float


def bound_facts(stages: Mapping[str, Any], record: int) -> BoundFacts:
    """Stage, epoch within it, mean log p(v), mean bound and their difference at one record.

    Parameters
    ----------
    stages : mapping from names to pairs (log_p, bound)
        arrays of shape (n_records, n_examples), in nats; the first record of a stage is its start
    record : counted from 0 through all stages

    Raises
    ------
    ValueError
        for a record that is not there, or for a bound above log p(v)
    """
    stages = check_stages(stages)
    name, epoch = find_record(stages, record)
    log_p, bound = (values[epoch].mean() for values in stages[name])
    # the gap is a divergence, and negative by rounding only
    return BoundFacts(name, epoch, float(log_p), float(bound), max(0.0, float(log_p - bound)))


def bound_ascent(
    stages: Mapping[str, Any], record: int, *, names: Sequence[str] | None = None
) -> Figure:
    """The means of log p(v) and of the bound over all stages, and each example at one record.

    Left: both means over the epochs, stage after stage, the gap shaded. Right: how far log p(v) and
    the bound of every example are from where its log p(v) was at the first record; the line between
    them is KL(q(h | v) ‖ p(h | v)).

    Parameters and errors as for `bound_facts`; `names` are short words for the examples.
    """
    stages = check_stages(stages)
    facts = bound_facts(stages, record)
    n_examples = next(iter(stages.values()))[0].shape[1]
    names = [str(n) for n in range(1, n_examples + 1)] if names is None else list(names)
    if len(names) != n_examples:
        raise ValueError(f"there are {len(names)} names for {n_examples} examples")
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 3.6), width_ratios=[1.5, 1], facecolor="white", layout="constrained"
    )
    draw_means(left, stages, record)
    left.set_title(
        f"{facts.stage}, epoch {facts.epoch}: log p(v) {facts.log_p:.3f}, "
        f"bound {facts.bound:.3f}, gap {facts.gap:.3f}",
        fontsize=9,
    )
    start = next(iter(stages.values()))[0][0]
    everything = np.concatenate([(values - start).ravel() for p in stages.values() for values in p])
    log_p, bound = (values[facts.epoch] - start for values in stages[facts.stage])
    places = np.arange(n_examples)
    right.vlines(places, bound, log_p, color=RED, linewidth=2, label="gap")
    right.plot(places, log_p, "o", color=BLUE, label="log p(v)")
    right.plot(places, bound, "v", color=ORANGE, markeredgecolor=BLACK, label="bound")
    margin = 0.05 * np.ptp(everything) or 1.0
    right.set_ylim(everything.min() - margin, everything.max() + margin)
    right.set_xticks(places, names, fontsize=8)
    right.set_xlabel("example")
    right.set_ylabel("nats gained since the first record")
    right.set_title("each example", fontsize=9)
    right.axhline(0, color="grey", linewidth=0.8)
    right.grid(alpha=0.3)
    right.legend(fontsize=8)
    return figure


def draw_means(axis: Axes, stages: Mapping[str, Any], record: int) -> None:
    """Both means over all records, a dotted line where a stage begins, a full one at `record`."""
    start = 0
    for number, (name, (log_p, bound)) in enumerate(stages.items()):
        epochs = np.arange(start, start + len(log_p))
        upper, lower = log_p.mean(axis=1), bound.mean(axis=1)
        first = number == 0
        axis.fill_between(
            epochs, lower, upper, color=RED, alpha=0.3, label="gap" if first else None
        )
        axis.plot(epochs, upper, color=BLUE, label="mean log p(v)" if first else None)
        axis.plot(
            epochs, lower, color=ORANGE, linestyle="--", label="mean bound" if first else None
        )
        if not first:
            axis.axvline(start, color="grey", linestyle=":", linewidth=1)
        place = (start + 0.5 * (len(log_p) - 1), 0.02)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        words = {"transform": axis.get_xaxis_transform(), "ha": "center", "fontsize": 8}
        axis.text(*place, name, bbox=box, **words)
        start += len(log_p)
    axis.axvline(record, color=BLACK, linewidth=1)
    axis.set_xlabel("epoch, counted through all layers")
    axis.set_ylabel("nats an example")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="center right")


def jensen_chord(low: float, high: float, share: float = 0.5) -> Figure:
    """A random number that is `low` or `high`: the mean of its logarithm is below log of its mean.

    The chord from one point of the curve to the other passes through (mean, mean of logarithms);
    the curve is above it. The tangent at the mean is above the curve.

    Parameters
    ----------
    low, high : the two values, 0 < low < high
    share : the probability of `high`, strictly between 0 and 1
    """
    low = check_real("low", low, 0, open_low=True)
    high = check_real("high", high, low, open_low=True)
    share = check_real("share", share, 0, 1, open_low=True)
    if share == 1:
        raise ValueError("share must be below 1, or there is only one value")
    mean = (1 - share) * low + share * high
    mean_log = (1 - share) * np.log(low) + share * np.log(high)
    x = np.linspace(0.5 * low, 1.2 * high, 200)
    figure, axis = plt.subplots(figsize=(6, 3.4), facecolor="white", layout="constrained")
    axis.plot(x, np.log(x), color=BLUE, linewidth=2, label="log w")
    axis.plot(
        [low, high], np.log([low, high]), color=ORANGE, linestyle="--", marker="o", label="chord"
    )
    tangent = np.log(mean) + (x - mean) / mean
    axis.plot(x, tangent, color=GREEN, linestyle=":", label="tangent at the mean")
    axis.vlines(mean, mean_log, np.log(mean), color=RED, linewidth=3, label="gap")
    axis.plot(mean, np.log(mean), "s", color=BLUE)
    axis.plot(mean, mean_log, "s", color=ORANGE)
    axis.set_xlabel("w")
    axis.set_ylabel("log w")
    axis.set_title(
        f"log of the mean {np.log(mean):.3f}, mean of the logarithms {mean_log:.3f}", fontsize=10
    )
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")
    return figure


def stack_graph(depths: Sequence[int] = (1, 2, 3)) -> Figure:
    """DBNs of these numbers of hidden layers, side by side, with the direction of their weights.

    The top two layers are joined by a line that points both ways; below it the model points down.
    Dashed arrows on the side are the way up, q, which is no part of the model.
    """
    depths = [check_count("each of depths", depth) for depth in depths]
    if not depths or max(depths) > MAX_LAYERS:
        raise ValueError(f"depths must be a list of numbers from 1 to {MAX_LAYERS}, got {depths}")
    height = max(depths)
    figure, axes = plt.subplots(
        1,
        len(depths),
        figsize=(2.6 * len(depths), 0.9 * height + 1),
        squeeze=False,
        sharey=True,
        facecolor="white",
        layout="constrained",
    )
    for axis, depth in zip(axes[0], depths, strict=True):
        draw_stack(axis, depth)
        axis.set_xlim(-1, 1)
        axis.set_ylim(-0.5, height + 0.5)
        axis.axis("off")
        words = "one RBM" if depth == 1 else f"a DBN of {depth} hidden layers"
        axis.set_title(words, fontsize=10)
    return figure


def draw_stack(axis: Axes, depth: int) -> None:
    """The layers v, h¹, …, from the bottom up, and the arrows between them."""
    for level in range(depth + 1):
        name = "v" if level == 0 else f"$h^{level}$"
        face = "white" if level == 0 else "lightgrey"
        box = {"boxstyle": "round,pad=0.35", "facecolor": face, "edgecolor": BLACK}
        axis.text(0, level, f"   {name}   ", ha="center", va="center", fontsize=11, bbox=box)
    for level in range(1, depth + 1):
        top = level == depth
        arrow(axis, 0.0, level, level - 1, "<|-|>" if top else "-|>", BLUE if top else RED)
        below = "v" if level == 1 else f"h^{level - 1}"
        words = rf"$p({below}, h^{level})$" if top else rf"$p({below} \mid h^{level})$"
        if not top:
            arrow(axis, 0.55, level - 1, level, "-|>", "grey", dashed=True)
            axis.text(0.62, level - 0.5, "$q$", color="dimgrey", va="center", fontsize=9)
        side = {"ha": "right", "va": "center", "fontsize": 9}
        axis.text(-0.12, level - 0.5, words, color=BLUE if top else RED, **side)


def arrow(
    axis: Axes, x: float, start: float, end: float, style: str, colour: str, *, dashed: bool = False
) -> None:
    """A vertical arrow from one layer to the next."""
    properties = {
        "arrowstyle": style,
        "color": colour,
        "linewidth": 1.2 if dashed else 2,
        "linestyle": "--" if dashed else "-",
        "shrinkA": 12,
        "shrinkB": 12,
    }
    axis.annotate("", xy=(x, end), xytext=(x, start), arrowprops=properties)


# ---- checks


def check_stages(stages: Mapping[str, Any]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The stages as arrays that fit together, no bound above its log p(v)."""
    if not isinstance(stages, Mapping) or not stages:
        raise TypeError(f"stages must be a mapping from names to (log_p, bound), got {stages!r}")
    checked = {}
    n_examples = None
    for name, pair in stages.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"stage {name!r} must be a pair (log_p, bound)")
        log_p = check_array(f"log_p of {name!r}", pair[0], ndim=2, shape=(None, n_examples))
        bound = check_array(f"bound of {name!r}", pair[1], ndim=2, shape=log_p.shape)
        if (bound > log_p + ROUNDING).any():
            raise ValueError(
                f"stage {name!r} has a bound above its log p(v); are they given as (log_p, bound)?"
            )
        n_examples = log_p.shape[1]
        checked[name] = (log_p, bound)
    return checked


def find_record(stages: Mapping[str, Any], record: int) -> tuple[str, int]:
    """The stage that a record belongs to, and its number within it."""
    left = check_count("record", record, 0)
    for name, (log_p, _) in stages.items():
        if left < len(log_p):
            return name, left
        left -= len(log_p)
    total = sum(len(log_p) for log_p, _ in stages.values())
    raise ValueError(f"record must be below {total}, the number of records, got {record}")
