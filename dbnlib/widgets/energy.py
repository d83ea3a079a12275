"""Notebook 01: an energy landscape and its temperature, a magnet that cools, a machine drawn.

The landscape is a line of 121 places with two valleys: a narrow one that is deep, and a broad one
that is less so. A marble is at one of the places, with probability exp(−E/T) / Z. When it is cold,
depth decides where it is; when it is warm, room does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dbnlib.boltzmann import BoltzmannMachine
from dbnlib.checks import (
    check_array,
    check_count,
    check_generator,
    check_kind,
    check_real,
)
from dbnlib.plots import COLOURS
from dbnlib.spins import IsingGrid

#: places up to here belong to the narrow valley, those beyond to the broad one
RIDGE = -0.9

BLUE, ORANGE, GREEN, _, RED, *_ = COLOURS


def probabilities(energies: Any, temperature: float = 1.0) -> np.ndarray:
    """p = exp(−E/T) / Z for each state of a list, Z being the sum over the list.

    Parameters
    ----------
    energies : array of shape (n_states,), in nats at temperature 1
    temperature : T > 0

    Returns
    -------
    ndarray of shape (n_states,)
    """
    energies = check_array("energies", energies, ndim=1)
    temperature = check_real("temperature", temperature, 0, open_low=True)
    # The lowest energy is subtracted first: no probability notices, and nothing overflows.
    with np.errstate(under="ignore"):
        weights = np.exp(-(energies - energies.min()) / temperature)
        return weights / weights.sum()


def two_valleys() -> tuple[np.ndarray, np.ndarray]:
    """Places from −3 to 3 and their energies: a narrow deep valley and a broad shallow one.

    Returns
    -------
    places, energies
        both of shape (121,)
    """
    places = np.linspace(-3, 3, 121)
    narrow = np.exp(-(((places + 1.6) / 0.3) ** 2))
    broad = np.exp(-(((places - 0.9) / 1.1) ** 2))
    return places, 4 - 4 * narrow - 3 * broad


def valley_shares(temperature: float) -> tuple[float, float]:
    """The probability of the narrow and of the broad side of `two_valleys`; their sum is 1."""
    places, energies = two_valleys()
    p = probabilities(energies, temperature)
    return float(p[places < RIDGE].sum()), float(p[places >= RIDGE].sum())


def landscape(temperature: float) -> Figure:
    """The energy of `two_valleys` above, and below it the probabilities at this temperature."""
    places, energies = two_valleys()
    p = probabilities(energies, temperature)
    narrow, broad = valley_shares(temperature)
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(6.4, 4.2), sharex=True, facecolor="white", layout="constrained"
    )
    above.plot(places, energies, color="black")
    above.set_ylabel("energy E")
    above.set_title(f"temperature T = {temperature:.3g}", fontsize=10)
    left = places < RIDGE
    below.bar(places[left], p[left], width=0.05, color=BLUE, label=f"narrow side: {narrow:.0%}")
    below.bar(places[~left], p[~left], width=0.05, color=ORANGE, label=f"broad side: {broad:.0%}")
    below.set_xlabel("place")
    below.set_ylabel("probability")
    below.legend(fontsize=8, loc="upper right")
    for axis in (above, below):
        axis.axvline(RIDGE, color="grey", linewidth=0.8, linestyle=":")
        axis.grid(alpha=0.3)
    return figure


def cool(grid: IsingGrid, temperatures: Any, rng: np.random.Generator) -> np.ndarray:
    """The magnet after one sweep at each of the temperatures, from a random start.

    Parameters
    ----------
    temperatures : array of shape (n_sweeps,), each above 0, the hottest first

    Returns
    -------
    ndarray of shape (n_sweeps, rows, cols) with entries −1 and +1
    """
    check_kind("grid", grid, IsingGrid)
    temperatures = check_temperatures(temperatures)
    state = grid.random_state(check_generator(rng))
    states = np.empty((len(temperatures), *state.shape), state.dtype)
    for number, temperature in enumerate(temperatures):
        state = grid.gibbs_step(state, rng, beta=float(1 / temperature))
        states[number] = state
    return states


def cooling(grid: IsingGrid, states: Any, temperatures: Any, sweep: int) -> Figure:
    """The magnet after `sweep` sweeps, and its energy a site against the temperature so far.

    Parameters
    ----------
    states : array of shape (n_sweeps, rows, cols), from `cool`
    temperatures : array of shape (n_sweeps,), those that `cool` was given
    sweep : from 1 to n_sweeps
    """
    check_kind("grid", grid, IsingGrid)
    temperatures = check_temperatures(temperatures)
    states = grid.check_state("states", states)
    if states.ndim != 3 or len(states) != len(temperatures):
        raise ValueError(
            f"states must hold one grid for each of the {len(temperatures)} temperatures, "
            f"got shape {states.shape}; pass what cool(grid, temperatures, rng) returned"
        )
    if check_count("sweep", sweep) > len(states):
        raise ValueError(f"sweep must be at most {len(states)}, the number of states, got {sweep}")
    per_site = grid.energy(states) / (grid.rows * grid.cols)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7.2, 3.3), facecolor="white", layout="constrained"
    )
    left.imshow(states[sweep - 1], cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    left.set_xticks([])
    left.set_yticks([])
    left.set_title(f"sweep {sweep}, T = {temperatures[sweep - 1]:.2f}", fontsize=10)
    right.plot(temperatures[:sweep], per_site[:sweep], color=BLUE, linewidth=1)
    right.plot(temperatures[sweep - 1], per_site[sweep - 1], "o", color=RED)
    right.set_xlim(temperatures.max() * 1.03, 0)
    right.set_ylim(-2.1 * max(abs(grid.coupling), 0.1) - abs(grid.field), 0.3)
    right.set_xlabel("temperature T (it cools to the right)")
    right.set_ylabel("energy a site")
    right.grid(alpha=0.3)
    return figure


def check_temperatures(temperatures: Any) -> np.ndarray:
    """`temperatures` as a list of numbers above 0; ValueError otherwise."""
    temperatures = check_array("temperatures", temperatures, ndim=1)
    if (temperatures <= 0).any():
        raise ValueError(
            f"temperatures must all be above 0, got {temperatures.min():g}; end at 0.1, say"
        )
    return temperatures


def machine_graph(
    machine: BoltzmannMachine, names: Sequence[str] | None = None, *, title: str | None = None
) -> Figure:
    """The units of a machine on a circle, a line for each coupling, each bias in its unit.

    Red and solid for couplings that want both units on, blue and dashed for those that do not; the
    stronger, the thicker. Hidden units are grey squares. For up to ten units or so.

    Parameters
    ----------
    names : a short name for each unit; their numbers if not given
    """
    check_kind("machine", machine, BoltzmannMachine)
    n = machine.n_units
    names = [str(i) for i in range(n)] if names is None else list(names)
    if len(names) != n:
        raise ValueError(f"there are {len(names)} names for {n} units")
    angles = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    spots = np.column_stack([np.cos(angles), np.sin(angles)])
    figure, axis = plt.subplots(figsize=(4, 3.6), facecolor="white", layout="constrained")
    strongest = np.abs(machine.J).max() or 1.0
    for i, j in zip(*np.nonzero(np.triu(machine.J)), strict=True):
        draw_coupling(axis, spots[i], spots[j], machine.J[i, j], strongest)
    for i, (x, y) in enumerate(spots):
        hidden = i >= machine.n_visible
        face, shape = ("lightgrey", "square") if hidden else ("white", "circle")
        box = {"boxstyle": f"{shape},pad=0.35", "facecolor": face, "edgecolor": "black"}
        text = f"{names[i]}\n{machine.b[i]:+.3g}"
        axis.text(x, y, text, ha="center", va="center", fontsize=9, bbox=box, zorder=3)
    axis.set_xlim(-1.5, 1.5)
    axis.set_ylim(-1.4, 1.4)
    axis.set_aspect("equal")
    axis.axis("off")
    if title:
        axis.set_title(title, fontsize=10)
    return figure


def draw_coupling(
    axis: Axes, start: np.ndarray, end: np.ndarray, value: float, strongest: float
) -> None:
    """One line between two units, its value beside the middle."""
    colour, style = (RED, "-") if value > 0 else (BLUE, "--")
    width = 0.8 + 3 * abs(value) / strongest
    axis.plot(*np.column_stack([start, end]), color=colour, linestyle=style, linewidth=width)
    # A third of the way, so that lines that cross in the middle do not cover each other's values.
    x, y = start + 0.4 * (end - start)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axis.text(x, y, f"{value:+.3g}", color=colour, ha="center", va="center", fontsize=9, bbox=box)
