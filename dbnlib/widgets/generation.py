"""Notebook 07: chains that dream of a class, and images in rows.

A chain is recorded once, with the label clamped; the slider then moves along the record. What is
mended, rather than dreamed, is in `dbnlib.widgets.mending`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dbnlib.checks import check_array, check_count, check_generator, check_kind
from dbnlib.dbn import DBN
from dbnlib.labels import with_labels
from dbnlib.plots import COLOURS

BLUE, _, GREEN, _, RED, SKY, _ = COLOURS
#: how hidden pixels, which are NaN, are drawn
GREYS = colormaps["gray_r"].with_extremes(bad=SKY)
#: how many earlier pictures `dream` shows
N_EARLIER = 7


# ---- dreaming


def record_dreams(dbn: DBN, labels: Any, n_steps: int, rng: np.random.Generator) -> np.ndarray:
    """Chains in the top RBM with the label clamped, looked at from below after every step.

    Parameters
    ----------
    dbn : with a label unit
    labels : class numbers of shape (n_chains,)

    Returns
    -------
    ndarray of shape (n_steps + 1, n_chains, n_visible)
        means of the pixels given the layer above; first those of the random start
    """
    check_kind("dbn", dbn, DBN)
    if not dbn.n_labels:
        raise ValueError(f"{dbn!r} has no label unit; train it with labels")
    top, width = dbn.top, dbn.top.n_visible - dbn.n_labels
    labels = check_array("labels", labels, ndim=1)
    start = top.visible.sample(np.tile(top.b, (len(labels), 1)), check_generator(rng))
    u = with_labels(top, start[:, :width], labels)
    clamped = np.arange(top.n_visible) >= width
    pictures = [dbn.down(u[:, :width], depth=dbn.n_layers - 1, rng=rng)]
    for _ in range(check_count("n_steps", n_steps)):
        u = top.gibbs_step(u, rng, clamped=clamped)
        pictures.append(dbn.down(u[:, :width], depth=dbn.n_layers - 1, rng=rng))
    return np.stack(pictures)


def dream(pictures: Any, named: Any, label: int, step: int, shape: tuple[int, int]) -> Figure:
    """One chain of a recorded dream: pictures up to a step, and what a classifier calls them.

    Parameters
    ----------
    pictures : array of shape (n_steps + 1, n_labels, n_pixels), one chain for each label
    named : class numbers of shape (n_steps + 1, n_labels): what each picture was taken for
    label : which chain
    step : from 0 to n_steps
    """
    pictures = check_array(
        "pictures", pictures, ndim=3, shape=(None, None, np.prod(lengths(shape)))
    )
    n_steps, n_labels = pictures.shape[0] - 1, pictures.shape[1]
    named = check_array("named", named, ndim=2, shape=pictures.shape[:2])
    if check_count("label", label, 0) >= n_labels:
        raise ValueError(f"label must be below {n_labels}, the number of chains, got {label}")
    if check_count("step", step, 0) > n_steps:
        raise ValueError(f"step must be at most {n_steps}, the steps recorded, got {step}")
    figure = plt.figure(figsize=(8, 3.6), facecolor="white", layout="constrained")
    small = [f"early {i}" for i in range(N_EARLIER)]
    panels = figure.subplot_mosaic(
        [[*small, "now"], ["names"] * (N_EARLIER + 1)],
        width_ratios=[1] * N_EARLIER + [2],
        height_ratios=[1, 1],
    )
    # from the start to this step in even strides, as whole steps
    for name, at in zip(small, np.arange(N_EARLIER) * step // N_EARLIER, strict=True):
        draw_pixels(panels[name], pictures[at, label], shape, f"{at}")
    draw_pixels(panels["now"], pictures[step, label], shape, f"step {step}")

    axis = panels["names"]
    seen = named[: step + 1, label]
    right = seen == label
    steps = np.arange(step + 1)
    axis.axhline(label, color=GREEN, linewidth=6, alpha=0.3)
    axis.plot(steps[right], seen[right], ".", color=BLUE, markersize=4)
    axis.plot(steps[~right], seen[~right], "x", color=RED, markersize=4)
    axis.set_xlim(-0.02 * n_steps - 0.5, 1.02 * n_steps + 0.5)
    axis.set_ylim(-0.5, n_labels - 0.5)
    axis.set_yticks(range(n_labels))
    axis.tick_params(labelsize=7)
    axis.set_xlabel("Gibbs steps")
    axis.set_ylabel("taken for a")
    axis.set_title(
        f"asked for {label}: taken for it in {right.sum()} of {step + 1} pictures", fontsize=10
    )
    axis.grid(alpha=0.3)
    return figure


# ---- pictures in named rows


def image_rows(
    rows: Mapping[str, Any], shape: tuple[int, int], *, titles: Sequence[str] | None = None
) -> Figure:
    """Images in rows, each row with its name on the left; NaN (a hidden pixel) is light blue.

    Parameters
    ----------
    rows : name → array of shape (n_images, n_pixels), from 0 (white) to 1 (black)
    titles : a word over each column
    """
    lengths(shape)
    if not rows:
        raise ValueError("rows is empty; pass one name with its images at least")
    arrays = [np.asarray(images, dtype=np.float64) for images in rows.values()]
    for name, images in zip(rows, arrays, strict=True):
        if images.ndim != 2 or images.shape != (len(arrays[0]), shape[0] * shape[1]):
            raise ValueError(
                f"row {name!r} must have shape ({len(arrays[0])}, {shape[0] * shape[1]}), as many "
                f"images as the first, got {images.shape}"
            )
    if titles is not None and len(titles) != len(arrays[0]):
        raise ValueError(f"there are {len(titles)} titles for {len(arrays[0])} images in a row")
    figure, axes = plt.subplots(
        len(rows),
        len(arrays[0]),
        figsize=(0.72 * len(arrays[0]) + 1.3, 0.76 * len(rows) + 0.2 * (titles is not None)),
        squeeze=False,
        facecolor="white",
        layout="constrained",
    )
    for name, images, line in zip(rows, arrays, axes, strict=True):
        for axis, image in zip(line, images, strict=True):
            draw_pixels(axis, image, shape)
        label = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 9}
        line[0].set_ylabel(name, **label)
    for axis, title in zip(axes[0], titles or (), strict=False):
        axis.set_title(title, fontsize=8)
    return figure


def draw_pixels(axis: Axes, image: np.ndarray, shape: tuple[int, int], title: str = "") -> None:
    """Pixels between 0 (white) and 1 (black), hidden ones light blue."""
    axis.imshow(image.reshape(shape), cmap=GREYS, vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_title(title, fontsize=9)


def lengths(shape: Any) -> tuple[int, int]:
    """(rows, columns) of an image as whole numbers."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ValueError(f"shape must be (rows, columns) of one image, got {shape!r}")
    return check_count("rows", shape[0]), check_count("columns", shape[1])
