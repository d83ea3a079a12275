"""Figures of a tiny binary RBM: switch its units on and off, and see what follows.

Each function draws the picture for given values and returns the figure, so that it needs no
kernel; `ipywidgets.interact` over it makes it something to play with. They list all states, and
are therefore for machines of a few units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import logsumexp

from dbnlib.checks import check_array, check_kind, check_two_valued
from dbnlib.exact import in_float64, log_likelihood, log_partition, visible_distribution
from dbnlib.plots import COLOURS
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, softplus

#: more units than this in a layer leave no room for the labels
MAX_UNITS = 5

INHIBITS, ON, HIDDEN, _, EXCITES, VISIBLE, BLACK = COLOURS
OFF = "#FFFFFF"
QUIET = "#BBBBBB"


class StateFacts(NamedTuple):
    """What holds in one state (v, h) of a machine; energies in nats."""

    energy: float
    free_energy: float
    joint_probability: float
    visible_probability: float
    hidden_mean: np.ndarray
    visible_mean: np.ndarray


def state_facts(rbm: RBM, v: Any, h: Any) -> StateFacts:
    """E(v, h), F(v), p(v, h), p(v), and p(hⱼ = 1 | v), p(vᵢ = 1 | h) for all units.

    Parameters
    ----------
    v : array of shape (n_visible,), zeros and ones
    h : array of shape (n_hidden,), zeros and ones

    Raises
    ------
    ValueError
        for a machine with more than five units in a layer, or with units that are not on or off
    """
    rbm = tiny(rbm)
    v, h = bits("v", v, rbm.n_visible)[None, :], bits("h", h, rbm.n_hidden)[None, :]
    energy = rbm.energy(v, h)[0]
    return StateFacts(
        energy=float(energy),
        free_energy=float(rbm.free_energy(v)[0]),
        # p(v, h) = exp(−E(v, h)) / Z
        joint_probability=float(np.exp(-energy - log_partition(rbm))),
        visible_probability=float(np.exp(log_likelihood(rbm, v)[0])),
        hidden_mean=rbm.hidden_mean(v)[0],
        visible_mean=rbm.visible_mean(h)[0],
    )


def unit_switches(
    rbm: RBM,
    v: Any,
    h: Any,
    *,
    visible_names: Sequence[str] | None = None,
    hidden_names: Sequence[str] | None = None,
) -> Figure:
    """One state of a tiny RBM: the machine, each unit given the other layer, and all of p(v).

    Parameters
    ----------
    v : array of shape (n_visible,), zeros and ones: which visible units are on
    h : array of shape (n_hidden,), zeros and ones: which hidden units are on
    visible_names, hidden_names : one short word a unit; v1, v2, … and h1, h2, … by default

    Raises
    ------
    ValueError
        as for `state_facts`, or for a wrong number of names
    """
    rbm = tiny(rbm)
    facts = state_facts(rbm, v, h)
    v, h = bits("v", v, rbm.n_visible), bits("h", h, rbm.n_hidden)
    visible_names = names("visible_names", visible_names, "v", rbm.n_visible)
    hidden_names = names("hidden_names", hidden_names, "h", rbm.n_hidden)

    figure = plt.figure(figsize=(9.5, 4.8), facecolor="white", layout="constrained")
    panels = figure.subplot_mosaic(
        [["machine", "hidden"], ["machine", "visible"], ["machine", "all"]],
        width_ratios=[1.15, 1],
    )
    draw_machine(panels["machine"], rbm, v, h, visible_names, hidden_names)
    draw_means(panels["hidden"], facts.hidden_mean, hidden_names, h, "p(unit on | v)")
    draw_means(panels["visible"], facts.visible_mean, visible_names, v, "p(unit on | h)")
    draw_distribution(panels["all"], visible_distribution(rbm), rbm.n_visible, "p(v)", v)
    panels["all"].set_xlabel(f"v: {', '.join(visible_names)}", fontsize=8)
    figure.suptitle(
        f"E(v, h) = {facts.energy:.2f}    p(v, h) = {facts.joint_probability:.3f}    "
        f"F(v) = {facts.free_energy:.2f}    p(v) = {facts.visible_probability:.3f}",
        fontsize=11,
    )
    return figure


def product_of_experts(
    rbm: RBM,
    *,
    visible_names: Sequence[str] | None = None,
    hidden_names: Sequence[str] | None = None,
) -> Figure:
    """Each hidden unit's own distribution over v, the biases', and their product: p(v).

    p(v) ∝ exp(b'v) · Πⱼ (1 + exp(cⱼ + (vW)ⱼ)), where each factor, divided by its sum over all v, is
    a distribution of its own. The top panel is that of the biases, the lowest is p(v).

    Parameters and errors as for `unit_switches`.

    Source: Hinton (2002).
    """
    rbm = tiny(rbm)
    visible_names = names("visible_names", visible_names, "v", rbm.n_visible)
    hidden_names = names("hidden_names", hidden_names, "h", rbm.n_hidden)
    opinions = expert_distributions(rbm)
    labels = ["biases b", *(f"expert {name}" for name in hidden_names)]

    figure, axes = plt.subplots(
        len(opinions) + 1,
        1,
        figsize=(7, 1.3 * (len(opinions) + 1)),
        sharex=True,
        sharey=True,
        facecolor="white",
        layout="constrained",
    )
    product = visible_distribution(rbm)
    for axis, p, label in zip(axes, opinions, labels, strict=False):
        draw_distribution(axis, p, rbm.n_visible, label, colour=HIDDEN)
    draw_distribution(axes[-1], product, rbm.n_visible, "product, p(v)")
    # one scale for all, and room for the highest bar of any
    axes[0].set_ylim(0, 1.05 * max(opinions.max(), product.max()))
    axes[-1].set_xlabel(f"v: {', '.join(visible_names)}", fontsize=8)
    return figure


def expert_distributions(rbm: RBM) -> np.ndarray:
    """The biases' distribution over v, then each hidden unit's: (1 + n_hidden, 2 ** n_visible).

    Their product over the rows, divided by its sum, is p(v). The states are in the order of
    `rbm.visible.states`.
    """
    rbm = tiny(rbm)
    v = rbm.visible.states(0, rbm.visible.n_states)
    # b'v, then softplus of each hidden unit's field: the terms of −F(v)
    scores = np.vstack([v @ rbm.b, softplus(rbm.hidden_field(v)).T])
    return np.exp(scores - logsumexp(scores, axis=1, keepdims=True))


# ---- panels


def draw_machine(
    axis: Axes,
    rbm: RBM,
    v: np.ndarray,
    h: np.ndarray,
    visible_names: Sequence[str],
    hidden_names: Sequence[str],
) -> None:
    """Hidden units above, visible ones below; weights between units that are both on are bold."""
    places_v = np.linspace(0, 1, 2 * rbm.n_visible + 1)[1::2]
    places_h = np.linspace(0, 1, 2 * rbm.n_hidden + 1)[1::2]
    for i, j in np.ndindex(rbm.W.shape):
        weight, together = rbm.W[i, j], bool(v[i] and h[j])
        if weight == 0:
            continue
        colour = EXCITES if weight > 0 else INHIBITS
        axis.plot(
            [places_v[i], places_h[j]],
            [0, 1],
            color=colour if together else QUIET,
            linewidth=3 if together else 1.2,
            linestyle="-" if weight > 0 else "--",
            zorder=1,
        )
        # a different height for each hidden unit, so that no two numbers meet
        part = 0.28 + 0.2 * (j % 3)
        axis.text(
            places_v[i] + part * (places_h[j] - places_v[i]),
            part,
            f"{weight:+.3g}",
            fontsize=8,
            ha="center",
            va="center",
            color=colour if together else "#555555",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    for places, height, on, labels, biases in (
        (places_v, 0, v, visible_names, rbm.b),
        (places_h, 1, h, hidden_names, rbm.c),
    ):
        colours = [ON if state else OFF for state in on]
        axis.scatter(
            places, np.full(len(places), height), s=1100, c=colours, edgecolors=BLACK, zorder=2
        )
        for place, state, label, bias in zip(places, on, labels, biases, strict=True):
            axis.text(place, height, f"{state:.0f}", ha="center", va="center", fontsize=11)
            beyond = height + (0.19 if height else -0.19)
            words = f"{label}\nbias {bias:+.3g}"
            axis.text(place, beyond, words, ha="center", va="center", fontsize=9)
    axis.set_xlim(0, 1)
    axis.set_ylim(-0.32, 1.32)
    axis.axis("off")


def draw_means(
    axis: Axes, means: np.ndarray, labels: Sequence[str], on: np.ndarray, title: str
) -> None:
    """A lying bar for each unit's probability of being on; orange where it is on now."""
    places = np.arange(len(means))
    colours = [ON if state else OFF for state in on]
    axis.barh(places, means, color=colours, edgecolor=BLACK, height=0.7)
    for place, mean in zip(places, means, strict=True):
        side = {"x": mean + 0.02, "ha": "left"} if mean < 0.8 else {"x": mean - 0.02, "ha": "right"}
        axis.text(y=place, s=f"{mean:.2f}", va="center", fontsize=8, **side)
    axis.set_yticks(places, labels, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.tick_params(axis="x", labelsize=7)
    axis.set_title(title, fontsize=9)


def draw_distribution(
    axis: Axes,
    p: np.ndarray,
    n_units: int,
    label: str,
    state: np.ndarray | None = None,
    *,
    colour: str = VISIBLE,
) -> None:
    """A bar for each of the 2ⁿ states; that of `state` is orange."""
    states = Bernoulli(n_units).states(0, 2**n_units, dtype=int)
    bars = axis.bar(np.arange(len(p)), p, color=colour, edgecolor=BLACK)
    if state is not None:
        here = int(np.flatnonzero((states == state).all(axis=1))[0])
        bars[here].set_facecolor(ON)
    axis.set_xticks(
        np.arange(len(p)),
        ["".join(map(str, row)) for row in states],
        fontsize=7,
        rotation=90 if n_units > 3 else 0,
    )
    axis.set_ylim(0, None)
    axis.tick_params(axis="y", labelsize=7)
    axis.set_ylabel(label, fontsize=8)


# ---- checks


def tiny(rbm: RBM) -> RBM:
    """The machine in float64, if it is binary and small enough for these pictures."""
    check_kind("rbm", rbm, RBM)
    if not (isinstance(rbm.visible, Bernoulli) and isinstance(rbm.hidden, Bernoulli)):
        raise ValueError(f"this picture is of units that are on or off, not of {rbm!r}")
    if max(rbm.W.shape) > MAX_UNITS:
        raise ValueError(
            f"this picture has room for {MAX_UNITS} units in a layer, and {rbm!r} has "
            f"{max(rbm.W.shape)}; take a smaller machine"
        )
    return in_float64(rbm)


def bits(name: str, state: Any, n: int) -> np.ndarray:
    """`state` as zeros and ones of shape (n,); True and False will do."""
    array = check_array(name, state, ndim=1, shape=(n,))
    return check_two_valued(name, array, (0, 1), "a unit is off or on")


def names(argument: str, given: Sequence[str] | None, letter: str, n: int) -> list[str]:
    """The names given, or the letter with the numbers 1 … n."""
    if given is None:
        return [f"{letter}{number}" for number in range(1, n + 1)]
    if isinstance(given, str) or len(given) != n:
        raise ValueError(f"{argument} must be a list of {n} words, one a unit, got {given!r}")
    return list(given)
