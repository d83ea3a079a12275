"""Notebook 06: a DBN that becomes a network, few labels against many, and the images behind errors.

The numbers come ready-made: these functions draw what was measured, and train nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dbnlib.checks import check_array, check_count
from dbnlib.plots import COLOURS

#: name of a start → number of labels → accuracies of shape (n_draws,), in per cent
Results = Mapping[str, Mapping[int, Any]]

BLUE, ORANGE, GREEN, PINK, RED, _, BLACK = COLOURS
QUIET = "#BBBBBB"
LOOKS = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PINK, "D", ":"))
#: images of one cell of a confusion matrix that are shown, and how many of them in a row
MOST_IMAGES, IMAGES_IN_A_ROW = 12, 4


# ---- few labels, many labels


class LabelFacts(NamedTuple):
    """One start against another at one number of labels, draw by draw; in points of accuracy."""

    #: mean accuracies, in per cent
    first: float
    second: float
    #: mean and standard deviation of the differences, first minus second
    gain: float
    spread: float
    #: draws in which the first was strictly better, of how many
    wins: int
    n_draws: int


def label_facts(results: Results, n_labels: int, first: str, second: str) -> LabelFacts:
    """How far `first` is ahead of `second`, both trained on the same draws of `n_labels` labels.

    Parameters
    ----------
    results : name → number of labels → accuracies of shape (n_draws,), in per cent
        the same draws, in the same order, under every name; two draws at least

    Raises
    ------
    ValueError
        for a name or a number of labels that was not measured, or draws that are no pairs
    """
    results = check_results(results)
    for name in (first, second):
        if name not in results:
            raise ValueError(f"there is no {name!r} in results; there are {', '.join(results)}")
    a, b = (results[name][find_labels(results, n_labels)] for name in (first, second))
    difference = a - b
    return LabelFacts(
        float(a.mean()),
        float(b.mean()),
        float(difference.mean()),
        float(difference.std(ddof=1)),
        int((difference > 0).sum()),
        len(difference),
    )


def few_labels(results: Results, n_labels: int) -> Figure:
    """Accuracy over the number of labels, and each draw at one number of them.

    Left: mean and standard deviation over the draws. Right: the draws at `n_labels`, those of one
    draw joined by a line. The title compares the first two names in `results`.

    Parameters and errors as for `label_facts`.
    """
    results = check_results(results)
    n_labels = find_labels(results, n_labels)
    if len(results) < 2 or len(results) > len(LOOKS):
        raise ValueError(f"results must have 2 to {len(LOOKS)} names, got {len(results)}")
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 3.8), width_ratios=[1.5, 1], facecolor="white", layout="constrained"
    )
    for (name, row), (colour, marker, line) in zip(results.items(), LOOKS, strict=False):
        left.errorbar(
            list(row),
            [values.mean() for values in row.values()],
            [values.std(ddof=1) for values in row.values()],
            color=colour,
            marker=marker,
            linestyle=line,
            capsize=3,
            label=name,
        )
    numbers = list(next(iter(results.values())))
    left.axvline(n_labels, color=BLACK, linewidth=1)
    left.set_xscale("log")
    left.set_xticks(numbers, [str(n) for n in numbers])
    left.minorticks_off()
    left.set_xlabel("number of labels")
    left.set_ylabel("new images named rightly, %")
    left.grid(alpha=0.3)
    left.legend(fontsize=8, loc="lower right")

    draws = np.array([row[n_labels] for row in results.values()])
    right.plot(np.arange(len(draws)), draws, color=QUIET, linewidth=0.8, zorder=1)
    for place, (values, (colour, marker, _)) in enumerate(zip(draws, LOOKS, strict=False)):
        right.scatter([place] * len(values), values, c=colour, marker=marker, zorder=2)
    right.set_xticks(np.arange(len(draws)), [name.replace(" ", "\n") for name in results])
    right.tick_params(axis="x", labelsize=8)
    right.set_xlim(-0.5, len(draws) - 0.5)
    right.set_ylabel("named rightly, %")
    right.set_title(f"each draw of {n_labels} labels", fontsize=9)
    right.grid(axis="y", alpha=0.3)

    first, second = list(results)[:2]
    facts = label_facts(results, n_labels, first, second)
    gain = f"{facts.gain:+.1f} ± {facts.spread:.1f}".replace("-", "−")
    figure.suptitle(
        f"{n_labels} labels: {first} against {second}: {gain} points, "
        f"ahead in {facts.wins} of {facts.n_draws} draws",
        fontsize=10,
    )
    return figure


# ---- from the DBN to the network


def transfer_graph() -> Figure:
    """A DBN of two hidden layers, and the network that starts with its recognition weights."""
    figure, axes = plt.subplots(
        1, 2, figsize=(7.5, 3.6), sharey=True, facecolor="white", layout="constrained"
    )
    for axis, title in zip(axes, ("the DBN", "the network"), strict=True):
        axis.set_title(title, fontsize=10)
        axis.set_xlim(-1.2, 1.2)
        axis.set_ylim(-0.5, 3.5)
        axis.axis("off")
    dbn, network = axes
    for level, name in enumerate(("v", "h^1", "h^2")):
        box(dbn, level, name)
    for level, name in enumerate(("a^0 = v", "a^1", "a^2", "a^3")):
        box(network, level, name)
    arrow(dbn, -0.12, 2, 1, "<|-|>", BLUE, "-")
    arrow(dbn, -0.12, 1, 0, "-|>", RED, "-")
    for level in (0, 1):
        arrow(dbn, 0.12, level, level + 1, "-|>", GREEN, "--")
        arrow(network, 0.0, level, level + 1, "-|>", GREEN, "-")
        words = f"$W^{level + 1}, c^{level + 1}$"
        dbn.text(0.2, level + 0.5, f"{words} upward", color=GREEN, va="center", fontsize=9)
        network.text(0.1, level + 0.5, f"{words}, copied", color=GREEN, va="center", fontsize=9)
    arrow(network, 0.0, 2, 3, "-|>", ORANGE, "-")
    network.text(0.1, 2.5, "random, new", color=BLACK, va="center", fontsize=9)
    return figure


def box(axis: Axes, level: int, name: str) -> None:
    """One layer, with its name."""
    frame = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": BLACK}
    axis.text(0, level, f"   ${name}$   ", ha="center", va="center", fontsize=11, bbox=frame)


def arrow(
    axis: Axes, x: float, start: float, end: float, style: str, colour: str, line: str
) -> None:
    """A vertical arrow from one layer to another."""
    look = {"arrowstyle": style, "color": colour, "linestyle": line, "linewidth": 2}
    look |= {"shrinkA": 12, "shrinkB": 12}
    axis.annotate("", xy=(x, end), xytext=(x, start), arrowprops=look)


# ---- errors, and the images behind them


def confusion_counts(labels: Any, predictions: Any, n_classes: int) -> np.ndarray:
    """How often class i was taken for class j: entry (i, j), of shape (n_classes, n_classes).

    Parameters
    ----------
    labels, predictions : class numbers of shape (n_images,), from 0 to n_classes − 1
    """
    n_classes = check_count("n_classes", n_classes, 2)
    labels = check_classes("labels", labels, n_classes)
    predictions = check_classes("predictions", predictions, n_classes, len(labels))
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (labels, predictions), 1)
    return counts


def confusion(
    images: Any, labels: Any, predictions: Any, true: int, said: int, shape: tuple[int, int]
) -> Figure:
    """The confusion matrix of ten digits, and the images in one of its cells.

    Left: how many images of each digit were taken for each; rows are what is true. The cell
    (true, said) has a frame, and up to twelve of its images are on the right.

    Parameters
    ----------
    images : array of shape (n_images, rows · columns), from 0 (white) to 1 (black)
    labels, predictions : digits of shape (n_images,)
    true, said : which cell, two digits
    shape : (rows, columns) of one image
    """
    if len(shape) != 2:
        raise ValueError(f"shape must be (rows, columns) of one image, got {shape!r}")
    images = check_array("images", images, ndim=2, shape=(None, shape[0] * shape[1]))
    labels = check_classes("labels", labels, 10, len(images))
    counts = confusion_counts(labels, predictions, 10)
    true, said = (int(d) for d in check_classes("true and said", [true, said], 10))

    figure = plt.figure(figsize=(9, 3.9), facecolor="white", layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.1])
    axis = left.subplots()
    # the diagonal would drown the rest: the colour is for the errors alone
    wrong = counts - np.diag(np.diag(counts))
    axis.imshow(wrong, cmap="Blues", vmin=0, vmax=max(1, 1.3 * wrong.max()))
    for i, j in np.argwhere(counts):
        weight = "bold" if i == j else "normal"
        colour = "white" if wrong[i, j] > 0.6 * wrong.max() else "black"
        axis.text(
            *(j, i, counts[i, j]), ha="center", va="center", fontsize=8, weight=weight, color=colour
        )
    frame = (said - 0.5, true - 0.5)
    axis.add_patch(Rectangle(frame, 1, 1, fill=False, edgecolor=RED, linewidth=2))
    axis.set_xticks(range(10))
    axis.set_yticks(range(10))
    axis.set_xlabel("what the network says")
    axis.set_ylabel("what is true")

    there = images[(labels == true) & (np.asarray(predictions) == said)]
    n_rows = MOST_IMAGES // IMAGES_IN_A_ROW
    right.suptitle(f"{true} taken for {said}: {len(there)}", fontsize=10)
    for number, cell in enumerate(right.subplots(n_rows, IMAGES_IN_A_ROW).flat):
        cell.axis("off")
        if number < len(there):
            cell.imshow(there[number].reshape(shape), cmap="gray_r", vmin=0, vmax=1)
    return figure


# ---- checks


def check_results(results: Any) -> dict[str, dict[int, np.ndarray]]:
    """The results as arrays, under every name the same numbers of labels and of draws."""
    if not isinstance(results, Mapping) or not results:
        raise TypeError(f"results must be a mapping from names to accuracies, got {results!r}")
    numbers = list(next(iter(results.values())))
    checked: dict[str, dict[int, np.ndarray]] = {}
    for name, row in results.items():
        if list(row) != numbers:
            raise ValueError(
                f"{name!r} was measured at {list(row)} labels and another at {numbers}; "
                "measure all at the same"
            )
        checked[name] = {}
        for n in numbers:
            pairs = checked[next(iter(checked))].get(n)
            values = check_array(
                f"{name!r} at {n} labels",
                row[n],
                ndim=1,
                shape=(None if pairs is None else len(pairs),),
            )
            if len(values) < 2:
                raise ValueError(f"{name!r} at {n} labels has one draw; a spread needs two or more")
            checked[name][n] = values
    return checked


def find_labels(results: dict[str, dict[int, np.ndarray]], n_labels: int) -> int:
    """`n_labels`, if it was measured."""
    numbers = list(next(iter(results.values())))
    if n_labels not in numbers:
        raise ValueError(f"n_labels must be one of {numbers}, got {n_labels!r}")
    return n_labels


def check_classes(name: str, values: Any, n_classes: int, length: int | None = None) -> np.ndarray:
    """`values` as whole numbers from 0 to n_classes − 1."""
    array = check_array(name, values, ndim=1, shape=(length,))
    if (array != np.floor(array)).any() or array.min() < 0 or array.max() >= n_classes:
        raise ValueError(f"{name} must hold whole numbers from 0 to {n_classes - 1}")
    return array.astype(np.int64)
