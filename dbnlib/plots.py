"""Figures of images, weights and histories; every function returns the matplotlib figure.

The colours are safe for colour-blind readers, and the figures are readable on dark pages: their
background is white, not transparent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from dbnlib.checks import check_array, check_count
from dbnlib.loop import History

#: Okabe and Ito's colours, told apart by colour-blind readers as well
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")


def image_grid(
    images: Any,
    shape: tuple[int, int],
    *,
    columns: int = 10,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    signed: bool = False,
) -> Figure:
    """Images side by side, `columns` in a row.

    Parameters
    ----------
    images : array of shape (n_images, rows · cols)
    shape : (rows, cols) of one image
    titles : one short word over each image
    title : a line over all
    signed : True for weights: blue below zero, red above, white at zero, one scale for all;
        False for pixels between 0 (white) and 1 (black)
    """
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise ValueError(f"shape must be (rows, cols) of one image, got {shape!r}")
    height, width = (check_count("each length in shape", length) for length in shape)
    images = check_array("images", images, ndim=2, shape=(None, height * width))
    columns = check_count("columns", columns)
    if titles and len(titles) != len(images):
        raise ValueError(f"there are {len(titles)} titles for {len(images)} images")
    rows = -(-len(images) // columns)
    extra = 0.3 * bool(title)
    height = 0.85 + 0.2 * bool(titles)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(0.85 * columns, height * rows + extra),
        squeeze=False,
        facecolor="white",
        layout="constrained",
    )
    limit = float(np.abs(images).max()) or 1.0
    scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {}
    scale = scale or {"cmap": "gray_r", "vmin": 0, "vmax": 1}
    for number, axis in enumerate(axes.flat):
        axis.set_xticks([])
        axis.set_yticks([])
        if number >= len(images):
            axis.axis("off")
            continue
        axis.imshow(images[number].reshape(shape), **scale)
        if titles:
            axis.set_title(titles[number], fontsize=8)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def filters(W: Any, shape: tuple[int, int], *, n: int = 40, columns: int = 10) -> Figure:
    """The weights of the first `n` hidden units as images: what each unit looks for.

    W : array of shape (n_visible, n_hidden), with n_visible = rows · cols
    """
    W = check_array("W", W, ndim=2)
    n = check_count("n", n)
    return image_grid(
        W.T[:n],
        shape,
        columns=columns,
        signed=True,
        title="weights into hidden units (red: pixel on excites, blue: inhibits)",
    )


def reconstructions(v: Any, mirrored: Any, shape: tuple[int, int]) -> Figure:
    """Images in the upper row, what a model makes of them in the lower one."""
    v = check_array("v", v, ndim=2)
    mirrored = check_array("mirrored", mirrored, ndim=2, shape=v.shape)
    return image_grid(
        np.vstack([v, mirrored]),
        shape,
        columns=len(v),
        title="images (above) and their reconstructions (below)",
    )


def history(records: History | Mapping[str, History], names: Sequence[str] | None = None) -> Figure:
    """Each monitor over the epochs, one panel a monitor.

    Parameters
    ----------
    records : a History, or several by label to be drawn in the same panels
    names : which monitors; all by default
    """
    several = {"": records} if isinstance(records, History) else dict(records)
    if names is None:
        names = list(dict.fromkeys(n for record in several.values() for n in record.names))
    missing = [n for n in names if not any(n in record.names for record in several.values())]
    if missing:
        raise ValueError(f"{', '.join(map(repr, missing))} was not recorded in any history")
    if not names:
        raise ValueError("there is nothing to draw: no monitor was recorded")
    figure, axes = plt.subplots(
        1,
        len(names),
        figsize=(3.6 * len(names), 2.8),
        squeeze=False,
        facecolor="white",
        layout="constrained",
    )
    for axis, name in zip(axes[0], names, strict=True):
        for colour, (label, record) in zip(COLOURS * 9, several.items(), strict=False):
            if name in record.names:
                axis.plot(np.arange(1, len(record) + 1), record[name], color=colour, label=label)
        axis.set_xlabel("epoch")
        axis.set_ylabel(name.replace("_", " "))
        axis.grid(alpha=0.3)
        if len(several) > 1:
            axis.legend(fontsize=8)
    return figure
