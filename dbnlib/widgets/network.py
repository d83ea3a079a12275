"""Notebook 05: a network's two passes, its decision boundary as it learns, optimisers in a bowl.

Nothing here trains a network: `decision_boundary` draws states that were recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from dbnlib.checks import check_array, check_count, check_kind, check_two_valued
from dbnlib.network import Network
from dbnlib.optimisers import Optimiser
from dbnlib.plots import COLOURS

BLUE, ORANGE, GREEN, PINK, RED, _, BLACK = COLOURS
GREY = "#777777"
#: from a sure 0 over white to a sure 1
SHADES = LinearSegmentedColormap.from_list("0 to 1", [BLUE, "white", ORANGE])
#: points along each side of a map, and how far it reaches beyond the outermost points
FINENESS, MARGIN = 120, 0.4
#: the bowl that optimisers walk down, flat one way and steep the other, and where they set out
CURVATURES, START = (1.0, 25.0), (-4.0, 1.0)
LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PINK, "D"), (RED, "v"))


# ---- forward and back


def passes_graph() -> Figure:
    """A network of two layers: the way forward to the loss, the way back, and what meets where."""
    figure, axis = plt.subplots(figsize=(8.6, 3), facecolor="white", layout="constrained")
    axis.axis("off")
    axis.set_xlim(-0.6, 5.6)
    axis.set_ylim(-1.15, 1.75)
    forward = ("a^0", "z^1", "a^1", "z^2", "a^2", r"\mathcal{L}")
    steps = ("$W^1, b^1$", "$f$", "$W^2, b^2$", "$f$", "")
    for place, name in enumerate(forward):
        box(axis, place, 1, name)
    for place, step in enumerate(steps):
        arrow(axis, (place, 1), (place + 1, 1), BLUE)
        axis.text(place + 0.5, 1.16, step, color=BLUE, ha="center", fontsize=9)
    slope = r"\partial \mathcal{L} / \partial a^1"
    for place, name in ((1, r"\delta^1"), (2, slope), (3, r"\delta^2")):
        box(axis, place, 0, name)
    arrow(axis, (5, 1), (3, 0), RED)
    for place, step, shift in ((3, "${W^2}^T$", -0.32), (2, "$f'$", -0.5)):
        arrow(axis, (place, 0), (place - 1, 0), RED)
        axis.text(place + shift, 0.14, step, color=RED, ha="center", fontsize=9)
    for place, layer in ((1, 1), (3, 2)):
        arrow(axis, (place - 1, 1), (place, -0.9), GREEN, "--")
        arrow(axis, (place, 0), (place, -0.9), GREEN, "--")
        box(axis, place, -0.9, rf"\partial \mathcal{{L}} / \partial W^{layer}")
    axis.text(-0.55, 1.5, "forward", color=BLUE, fontsize=10)
    axis.text(4.25, 0.3, "back", color=RED, fontsize=10)
    return figure


def box(axis: Axes, x: float, y: float, name: str) -> None:
    """One quantity, with its name."""
    frame = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": BLACK}
    axis.text(x, y, f"${name}$", ha="center", va="center", fontsize=11, bbox=frame)


def arrow(
    axis: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, line: str = "-"
) -> None:
    """An arrow from one quantity to another that is made of it."""
    look = {"arrowstyle": "-|>", "color": colour, "linestyle": line, "linewidth": 1.6}
    axis.annotate("", xy=end, xytext=start, arrowprops=look | {"shrinkA": 20, "shrinkB": 20})


# ---- a network that learns to tell two kinds of points apart


class BoundaryFacts(NamedTuple):
    """How good a network is on some points: loss in nats, share of the points named rightly."""

    loss: float
    accuracy: float


def boundary_facts(network: Network, x: Any, y: Any) -> BoundaryFacts:
    """Loss and accuracy of a network on the points `x` with the labels `y`, 0 or 1."""
    found = two_sided(network).evaluate(x, y)
    return BoundaryFacts(found["loss"], 1 - found["error"])


def decision_boundary(states: Sequence[Network], x: Any, y: Any, epoch: int) -> Figure:
    """The plane as the network of one epoch sees it, and the loss of all epochs beside it.

    Left: the colour is the output, the probability of label 1; the black line is where it is ½; on
    each dashed line the field of one unit of the first hidden layer is 0. Right: the loss.

    Parameters
    ----------
    states : networks of two inputs and one sigmoid output, one an epoch
    x : array of shape (n_points, 2)
    y : array of shape (n_points,), zeros and ones
    epoch : which of the states, from 0, the one before training

    Raises
    ------
    ValueError
        for an epoch that was not recorded, or a network of another form
    """
    states = [two_sided(network) for network in states]
    epoch = check_count("epoch", epoch, 0)
    if not states:
        raise ValueError("states must hold at least one network, that before training")
    if epoch >= len(states):
        raise ValueError(f"epoch must be from 0 to {len(states) - 1}, got {epoch}")
    x = check_array("x", x, ndim=2, shape=(None, 2))
    y = check_array("y", y, ndim=1, shape=(len(x),))
    check_two_valued("y", y, (0, 1), "number the two kinds 0 and 1")
    facts = [boundary_facts(network, x, y) for network in states]

    figure, (plane, course) = plt.subplots(
        1,
        2,
        figsize=(9.5, 3.9),
        width_ratios=[1.7, 1],
        facecolor="white",
        layout="constrained",
    )
    draw_plane(plane, states[epoch], x, y)
    course.plot([fact.loss for fact in facts], color=BLACK)
    course.plot([epoch], [facts[epoch].loss], "o", color=RED, markersize=9)
    course.set_ylim(0, None)
    course.set_xlabel("epoch")
    course.set_ylabel("loss, nats a point")
    course.grid(alpha=0.3)
    figure.suptitle(
        f"epoch {epoch}: loss {facts[epoch].loss:.2f}, {facts[epoch].accuracy:.0%} named rightly",
        fontsize=11,
    )
    return figure


def draw_plane(axis: Axes, network: Network, x: np.ndarray, y: np.ndarray) -> None:
    """The output over the plane, its line of ½, the fold lines, and the points."""
    low, high = x.min(axis=0) - MARGIN, x.max(axis=0) + MARGIN
    across, up = (np.linspace(*ends, FINENESS) for ends in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(across, up), axis=-1)
    output = network.predict(grid.reshape(-1, 2)).reshape(FINENESS, FINENESS)
    axis.contourf(across, up, output, levels=np.linspace(0, 1, 21), cmap=SHADES, alpha=0.55)
    if network.n_layers > 1:
        # z = 0, a straight line for each unit of the first hidden layer
        fields = grid @ network.weights[0] + network.biases[0]
        for unit in range(fields.shape[2]):
            lines = {"colors": GREY, "linewidths": 0.8, "linestyles": "dashed"}
            draw_level(axis, across, up, fields[:, :, unit], 0.0, lines)
    draw_level(axis, across, up, output, 0.5, {"colors": BLACK, "linewidths": 2})
    for label, colour, marker in ((0, BLUE, "o"), (1, ORANGE, "^")):
        chosen = x[y == label]
        axis.scatter(
            *chosen.T, s=16, c=colour, marker=marker, edgecolors="black", linewidths=0.4, zorder=3
        )
    axis.set_xlim(low[0], high[0])
    axis.set_ylim(low[1], high[1])
    axis.set_xlabel("first input")
    axis.set_ylabel("second input")


def draw_level(
    axis: Axes,
    across: np.ndarray,
    up: np.ndarray,
    heights: np.ndarray,
    level: float,
    look: dict[str, Any],
) -> None:
    """The line on which `heights` has the value `level`, if it runs through the map at all."""
    if heights.min() < level < heights.max():
        axis.contour(across, up, heights, levels=[level], **look)


def two_sided(network: Any) -> Network:
    """`network`, if it takes points of the plane to the probability of a yes."""
    check_kind("network", network, Network)
    if network.n_inputs != 2 or network.n_outputs != 1 or not network.is_classifier:
        raise ValueError(
            "this picture is of networks with two inputs and one sigmoid output, not of "
            f"{network!r}"
        )
    return network


# ---- optimisers in a bowl


def descend(
    optimiser: Optimiser,
    n_steps: int = 40,
    *,
    curvatures: Sequence[float] = CURVATURES,
    start: Sequence[float] = START,
) -> np.ndarray:
    """The way of an optimiser down the bowl f(θ) = ½ Σᵢ λᵢθᵢ², whose slope is λᵢθᵢ.

    Parameters
    ----------
    curvatures : λᵢ, one a direction
    start : θ at the beginning, of the same length

    Returns
    -------
    ndarray of shape (n_steps + 1, n), the start first
    """
    check_kind("optimiser", optimiser, Optimiser)
    curvatures = check_array("curvatures", curvatures, ndim=1).astype(np.float64)
    theta = check_array("start", start, ndim=1, shape=curvatures.shape).astype(np.float64)
    optimiser.start([theta])
    path = [theta.copy()]
    for step in range(check_count("n_steps", n_steps)):
        optimiser.step([curvatures * theta], step)
        path.append(theta.copy())
    return np.array(path)


def bowl_heights(path: np.ndarray) -> np.ndarray:
    """f(θ) = ½ (λ₁θ₁² + λ₂θ₂²) at points of the bowl: (..., 2) → (...)."""
    return 0.5 * np.square(path) @ np.array(CURVATURES)


def bowl_paths(optimisers: Mapping[str, Optimiser], n_steps: int = 40) -> Figure:
    """Up to five optimisers in one bowl: their ways from above, and their height step by step.

    Parameters
    ----------
    optimisers : by the name that the picture shows
    """
    if not 1 <= len(optimisers) <= len(LOOKS):
        raise ValueError(f"optimisers must hold 1 to {len(LOOKS)} of them, got {len(optimisers)}")
    figure, (plane, course) = plt.subplots(
        1, 2, figsize=(9.5, 3.6), width_ratios=[1.5, 1], facecolor="white", layout="constrained"
    )
    reach = 1.25 * np.abs(START)
    across, up = (np.linspace(-end, end, FINENESS) for end in reach)
    heights = bowl_heights(np.stack(np.meshgrid(across, up), axis=-1))
    levels = heights.max() * np.linspace(0.05, 1, 10) ** 2
    plane.contour(across, up, heights, levels=levels, colors="#BBBBBB", linewidths=0.8)
    plane.plot(0, 0, "x", color=BLACK, markersize=9)
    for (name, optimiser), (colour, marker) in zip(optimisers.items(), LOOKS, strict=False):
        path = descend(optimiser, n_steps)
        look = {"color": colour, "marker": marker, "markersize": 3.5, "linewidth": 1.3}
        plane.plot(*path.T, label=name, **look)
        # a height of 0 has no logarithm
        course.plot(np.maximum(bowl_heights(path), np.finfo(float).tiny), label=name, **look)
    plane.set_xlim(-reach[0], reach[0])
    plane.set_ylim(-reach[1], reach[1])
    plane.set_xlabel("θ₁, the flat direction")
    plane.set_ylabel("θ₂, the steep direction")
    course.set_yscale("log")
    course.set_xlabel("step")
    course.set_ylabel("height above the bottom")
    course.grid(alpha=0.3)
    course.legend(fontsize=8)
    return figure
