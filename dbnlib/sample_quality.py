"""How good are a model's samples: are they what was asked for, do they vary, are they its own?

A picture of a few samples cannot tell. Three numbers can, each with real images as its measure:

- *Agreement*: the share of samples that a classifier puts into the class that was asked for. The
  classifier must be another one, not the model itself; and it errs on real images too.
- *Diversity*: the mean distance between two samples of a class, divided by the mean distance
  between two real images of it. A model that always draws the same picture has 0.
- *Novelty*: the median distance of a sample to its nearest training image, divided by the same
  for real images that were held out. A model that hands out copies of its data has 0.

Real images that were held out have about 1 in all three; so none of them is the better the larger.
Noise has a large diversity and a large novelty, and no agreement.

Distances are Euclidean. So samples must be of the kind of the images: zeros and ones beside zeros
and ones, means (grey) beside grey pixels. Means beside binary images look too much alike.

Source: Theis, van den Oord, Bethge (2016), on what single measures of samples miss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dbnlib.checks import check_array, check_count
from dbnlib.labels import check_labels

#: numbers in the largest array of a chunk of distances
CHUNK_NUMBERS = 2**22


@dataclass(frozen=True)
class ClassQuality:
    """One class: its number, its samples, and what they are worth.

    `diversity` is None where fewer than two samples were drawn.
    """

    label: int
    n_samples: int
    agreement: float
    diversity: float | None


@dataclass(frozen=True, repr=False)
class SampleReport:
    """What `assess_samples` found; `print` shows it, `as_dict` gives it as plain data.

    Attributes
    ----------
    n_samples : number of samples that were looked at
    agreement : share of samples in the class that was asked for
    accuracy : of the same classifier on held-out real images, None without their labels
    diversity : mean over the classes, real training images being 1
    novelty : nearest_sample / nearest_held_out
    nearest_sample, nearest_held_out : median distances to the nearest training image
    classes : list of ClassQuality
    """

    n_samples: int
    agreement: float
    accuracy: float | None
    diversity: float
    novelty: float
    nearest_sample: float
    nearest_held_out: float
    classes: list[ClassQuality]

    def as_dict(self) -> dict[str, Any]:
        """Numbers, None, and a list of such dicts: ready for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        real = "" if self.accuracy is None else f"; of held-out images {self.accuracy:.1%}"
        lines = [
            f"{self.n_samples} samples",
            f"agreement  {self.agreement:.1%} in the class asked for{real}",
            f"diversity  {self.diversity:.2f} of that of real images",
            f"novelty    {self.novelty:.2f}: nearest training image at {self.nearest_sample:.2f}, "
            f"of held-out images at {self.nearest_held_out:.2f}",
            "class  samples  agreement  diversity",
        ]
        for x in self.classes:
            diversity = "–" if x.diversity is None else f"{x.diversity:.2f}"
            lines.append(f"{x.label:5}  {x.n_samples:7}  {x.agreement:9.1%}  {diversity:>9}")
        return "\n".join(lines)


def assess_samples(
    samples: Any,
    wanted_labels: Any,
    *,
    train: Any,
    train_labels: Any,
    held_out: Any,
    classifier: Any,
    held_out_labels: Any = None,
    max_rows: int = 2000,
) -> SampleReport:
    """Agreement, diversity and novelty of samples that were drawn class by class.

    Parameters
    ----------
    samples : array of shape (n_samples, n_features)
    wanted_labels : the class that each sample should be of, whole numbers from 0
    train, train_labels : the images that the model learned from, and their classes
    held_out, held_out_labels : images that it did not learn from; their classes are optional, and
        only used for the classifier's accuracy
    classifier : anything with `predict`, trained on other grounds than the model
    max_rows : at most so many samples, held-out images, and training images of a class, evenly
        spaced among those given; all training images are searched for the nearest

    Returns
    -------
    SampleReport

    Raises
    ------
    ValueError
        where rows and labels do not fit, no class has two samples, or the real images of a class
        (or held-out and training images) are all the same, so that there is nothing to divide by
    """
    if not callable(getattr(classifier, "predict", None)):
        raise TypeError(f"classifier must have a method predict, got {classifier!r}")
    max_rows = check_count("max_rows", max_rows, 2)
    train = check_array("train", train, ndim=2)
    wide = (None, train.shape[1])
    samples = check_array("samples", samples, ndim=2, shape=wide)
    held_out = check_array("held_out", held_out, ndim=2, shape=wide)
    train_labels = check_array("train_labels", train_labels, ndim=1, shape=(len(train),))
    n_labels = int(train_labels.max()) + 1
    train_labels = check_labels("train_labels", train_labels, n_labels)
    wanted = check_labels("wanted_labels", wanted_labels, n_labels, len(samples))
    # sorted by class, so that rows evenly spaced keep the classes in proportion
    rows = _spread(np.argsort(wanted, kind="stable"), max_rows)
    samples, wanted = samples[rows], wanted[rows]

    right = _predicted(classifier, "samples", samples) == wanted
    accuracy = None
    if held_out_labels is not None:
        truth = check_labels("held_out_labels", held_out_labels, n_labels, len(held_out))
        accuracy = float((_predicted(classifier, "held_out", held_out) == truth).mean())
    classes = []
    for label in np.unique(wanted):
        own = wanted == label
        real = train[_spread(np.flatnonzero(train_labels == label), max_rows)]
        diversity = _diversity(label, samples[own], real)
        classes.append(
            ClassQuality(int(label), int(own.sum()), float(right[own].mean()), diversity)
        )
    diversities = [x.diversity for x in classes if x.diversity is not None]
    if not diversities:
        raise ValueError(
            "samples: no class has two of them, so that nothing can be said of variety"
        )
    nearest = float(np.median(nearest_distances(samples, train)))
    some = held_out[_spread(np.arange(len(held_out)), max_rows)]
    nearest_real = float(np.median(nearest_distances(some, train)))
    if not nearest_real:
        raise ValueError(
            "held_out: most of its rows stand in train too, so that copies cannot be told from "
            "images like any other; hold out others, or leave the same image out of train"
        )
    return SampleReport(
        len(samples),
        float(right.mean()),
        accuracy,
        math.fsum(diversities) / len(diversities),
        nearest / nearest_real,
        nearest,
        nearest_real,
        classes,
    )


def mean_pairwise_distance(rows: np.ndarray) -> float:
    """Mean of ‖xᵢ − xⱼ‖ over all pairs i < j.

    rows : array of shape (n ≥ 2, n_features)
    """
    # Distances do not change with the origin, and lose fewer digits near it.
    rows = rows.astype(np.float64)
    rows -= rows.mean(axis=0)
    total = sum(np.sqrt(part).sum() for part in _squared_distances(rows, rows))
    return float(total / (len(rows) * (len(rows) - 1)))


def nearest_distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """minⱼ ‖xᵢ − yⱼ‖ for each row xᵢ: shape (n_rows,)."""
    origin = others.mean(axis=0, dtype=np.float64)
    rows, others = rows - origin, others - origin
    parts = _squared_distances(rows, others)
    nearest = np.concatenate([part.argmin(axis=1) for part in parts])
    # once more from the difference itself, which is 0 for a copy
    return np.linalg.norm(rows - others[nearest], axis=1)


def _squared_distances(rows: np.ndarray, others: np.ndarray) -> Iterator[np.ndarray]:
    """‖x‖² + ‖y‖² − 2x'y for some rows x at a time and all y: shape (some, n_others)."""
    norms = np.einsum("ij,ij->i", others, others)
    step = max(1, CHUNK_NUMBERS // len(others))
    for some in (rows[i : i + step] for i in range(0, len(rows), step)):
        squared = np.einsum("ij,ij->i", some, some)[:, None] + norms - 2 * (some @ others.T)
        yield np.maximum(squared, 0)


def _diversity(label: int, samples: np.ndarray, real: np.ndarray) -> float | None:
    """Mean distance between two samples, as a share of that between two real images."""
    if len(samples) < 2:
        return None
    distance = mean_pairwise_distance(real) if len(real) > 1 else 0.0
    if not distance:
        raise ValueError(
            f"train: class {label} has {len(real)} images and no two that differ, so that there is "
            "no variety to compare the samples' with"
        )
    return mean_pairwise_distance(samples) / distance


def _predicted(classifier: Any, name: str, rows: np.ndarray) -> np.ndarray:
    """The classes that the classifier gives to rows; ValueError where it is not one a row."""
    labels = np.asarray(classifier.predict(rows))
    if labels.shape != (len(rows),):
        raise ValueError(
            f"classifier.predict({name}) must be one class a row, shape ({len(rows)},), got shape "
            f"{labels.shape}"
        )
    return labels


def _spread(numbers: np.ndarray, most: int) -> np.ndarray:
    """`numbers`, or `most` of them, evenly spaced."""
    if len(numbers) <= most:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, most).astype(np.int64)]
