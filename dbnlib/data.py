"""The data that the course is about: digits, MNIST, bars and stripes, two moons.

Images are rows of float32 in [0, 1], and stay with their labels: a `Dataset` cannot be shuffled
in one part only. `digits` is there without a network and is what most examples use.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.checks import (
    DataError,
    check_array,
    check_choice,
    check_count,
    check_generator,
    check_range,
    check_real,
)
from dbnlib.idx import MNIST_FILES, WHAT_TO_DO, read_idx, read_mnist
from dbnlib.patterns import bars_and_stripes, best_log_likelihood, shifting_bar

__all__ = [
    "Dataset",
    "bars_and_stripes",
    "best_log_likelihood",
    "binarise",
    "binarise_by_sampling",
    "digits",
    "mnist",
    "read_idx",
    "shifting_bar",
    "two_moons",
]

# scikit-learn is imported where it is used: it takes most of a second.

#: part of MNIST → its rows in the table on OpenML
OPENML_ROWS = {"train": slice(0, 60_000), "test": slice(60_000, 70_000)}


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images with their labels. Both arrays are read-only; take a copy to change one.

    Attributes
    ----------
    images : float32 array of shape (n_images, n_features), in [0, 1]
    labels : int64 array of shape (n_images,)
    shape : (rows, columns) of one image, so that `images[0].reshape(shape)` can be drawn
    name : what it is

    Raises
    ------
    ValueError, TypeError
        where the parts do not fit together

    Examples
    --------
    >>> digits()
    Dataset('digits': 1797 images of 8x8, 10 classes)
    """

    images: np.ndarray
    labels: np.ndarray
    shape: tuple[int, int]
    name: str = "data"

    def __post_init__(self):
        if not isinstance(self.shape, tuple | list) or len(self.shape) != 2:
            raise ValueError(f"shape must be (rows, columns) of one image, got {self.shape!r}")
        rows, columns = (check_count("each length in shape", length) for length in self.shape)
        images = check_array("images", self.images, ndim=2, shape=(None, rows * columns))
        check_range("images", images, 0, 1)
        labels = np.asarray(self.labels)
        if labels.dtype.kind not in "iu":
            raise TypeError(f"labels must be whole numbers, got dtype {labels.dtype}")
        if labels.shape != (len(images),):
            raise ValueError(
                f"labels must have shape ({len(images)},), one for each image, got {labels.shape}"
            )
        object.__setattr__(self, "images", read_only(images.astype(np.float32, copy=False)))
        object.__setattr__(self, "labels", read_only(labels.astype(np.int64, copy=False)))
        object.__setattr__(self, "shape", (rows, columns))

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        size, n_classes = "x".join(map(str, self.shape)), len(np.unique(self.labels))
        return f"Dataset({self.name!r}: {len(self)} images of {size}, {n_classes} classes)"

    def subset(self, rows: Any) -> Dataset:
        """The images and labels of these rows, in this order.

        Parameters
        ----------
        rows : a list of row numbers, a mask of shape (n_images,), or a slice

        Raises
        ------
        IndexError
            for rows that are not there, a mask of another length, numbers that are not whole
        ValueError
            for no rows at all
        """
        try:
            if not isinstance(rows, slice):
                # an empty list has no dtype of its own
                rows = np.asarray(rows) if np.size(rows) else np.zeros(0, dtype=np.int64)
            rows = np.arange(len(self))[rows]
        except IndexError as error:
            raise IndexError(
                f"rows must be row numbers below {len(self)}, a mask of that length, or a slice: "
                f"{error}"
            ) from None
        if rows.ndim != 1:
            raise ValueError("rows must be a list; for one row write [row]")
        return Dataset(self.images[rows], self.labels[rows], self.shape, self.name)

    def split(
        self, size: float, rng: np.random.Generator, stratify: bool = True
    ) -> tuple[Dataset, Dataset]:
        """Two shuffled parts that share no row; together they are the whole.

        Parameters
        ----------
        size : of the first part: a whole number of images, or a fraction between 0 and 1
        rng : shuffles; the same state gives the same parts
        stratify : whether both parts keep the classes in proportion

        Returns
        -------
        first, second : Dataset

        Raises
        ------
        ValueError
            where a part would be empty, or would be too small to hold every class in proportion
        """
        from sklearn.model_selection import train_test_split

        if isinstance(size, Integral):
            n_first = check_count("size", size)
        else:
            n_first = round(check_real("size", size, 0, 1) * len(self))
        if not 0 < n_first < len(self):
            raise ValueError(
                f"size={size} gives {n_first} of {len(self)} images to the first part; "
                "each part must have one image at least"
            )
        seed = int(check_generator(rng).integers(2**32))
        try:
            first, second = train_test_split(
                np.arange(len(self)),
                train_size=n_first,
                test_size=len(self) - n_first,
                random_state=seed,
                stratify=self.labels if stratify else None,
            )
        except ValueError as error:
            raise ValueError(
                f"{n_first} and {len(self) - n_first} images cannot keep the classes in "
                f"proportion; take larger parts, or stratify=False ({error})"
            ) from None
        return self.subset(first), self.subset(second)


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written through; the array itself stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


# ---- images


def digits() -> Dataset:
    """The 1797 digits of 8x8 pixels that come with scikit-learn; pixels 0 … 16 become pixel / 16.

    Source: Alpaydin and Kaynak (1998), optical recognition of handwritten digits, test part.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset(bunch.data.astype(np.float32) / 16, bunch.target, (8, 8), "digits")


def mnist(part: str = "train", folder: str | Path | None = None) -> Dataset:
    """MNIST, 60,000 training or 10,000 test digits of 28x28 pixels; pixels become pixel / 255.

    Parameters
    ----------
    part : 'train' or 'test'
    folder : path, optional
        where the IDX files are, raw or packed by gzip. Without it, the environment variable
        `DBNLIB_DATA` names the folder; without that either, the data come from OpenML, and
        scikit-learn keeps a copy. Any data in files of these names and this form will do.

    Raises
    ------
    DataError
        for files that are missing, damaged, in each other's place or not from one set, and when
        OpenML cannot be reached

    Source: LeCun, Bottou, Bengio and Haffner (1998).
    """
    check_choice("part", part, tuple(MNIST_FILES))
    folder = folder or os.environ.get("DBNLIB_DATA")
    images, labels = read_mnist(part, Path(folder).expanduser()) if folder else fetch_mnist(part)
    pixels = np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)
    return Dataset(pixels, labels, (28, 28), f"mnist {part}")


def fetch_mnist(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 784) and labels (n,) from OpenML, or from the copy that scikit-learn kept."""
    from sklearn.datasets import fetch_openml

    # pandas reads the table faster, where it is installed
    parser = "pandas" if find_spec("pandas") else "liac-arff"
    try:
        bunch = fetch_openml("mnist_784", version=1, as_frame=False, parser=parser)
        images, labels = np.asarray(bunch.data), np.asarray(bunch.target).astype(np.int64)
    except Exception as error:
        raise DataError(
            "no folder was given, DBNLIB_DATA is not set, and fetching mnist_784 from OpenML "
            f"failed ({type(error).__name__}: {error}); {WHAT_TO_DO}, or connect to the network. "
            "dbnlib.data.digits() needs neither"
        ) from None
    if images.shape != (70_000, 784) or labels.shape != (70_000,):
        raise DataError(
            f"mnist_784 from OpenML should have shape (70000, 784), and came with {images.shape} "
            f"and labels {labels.shape}; {WHAT_TO_DO}"
        )
    return images[OPENML_ROWS[part]], labels[OPENML_ROWS[part]]


# ---- points


def two_moons(n: int, noise: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points on two half circles that reach into each other, with normal noise, shuffled.

        label 0: (cos t, sin t)    label 1: (1 − cos t, ½ − sin t)    0 ≤ t ≤ π

    Parameters
    ----------
    n : how many points; half of each label, one more of label 1 where n is odd
    noise : standard deviation of what is added to both coordinates

    Returns
    -------
    points : ndarray of shape (n, 2), float64
    labels : ndarray of shape (n,), int64

    Source: scikit-learn's `make_moons`, which makes them.
    """
    from sklearn.datasets import make_moons

    n = check_count("n", n, 2)
    noise = check_real("noise", noise, 0)
    seed = int(check_generator(rng).integers(2**32))
    points, labels = make_moons(n, noise=noise, random_state=seed)
    return points, labels.astype(np.int64)


# ---- grey to binary


def binarise(images: Any, threshold: float = 0.5) -> np.ndarray:
    """1 where a pixel is above the threshold, else 0; an array like `images`.

    Parameters
    ----------
    images : array of shape (n_images, n_features), in [0, 1]
    threshold : in [0, 1]; with 0, every pixel with any ink becomes 1
    """
    images = check_array("images", images, ndim=2)
    check_range("images", images, 0, 1)
    return (images > check_real("threshold", threshold, 0, 1)).astype(images.dtype)


def binarise_by_sampling(images: Any, rng: np.random.Generator) -> np.ndarray:
    """1 with probability `images`, else 0, each pixel on its own; an array like `images`.

    Most published likelihoods of "binarised MNIST" mean images drawn in this way.

    Parameters
    ----------
    images : array of shape (n_images, n_features), in [0, 1]

    Source: Salakhutdinov and Murray (2008).
    """
    images = check_array("images", images, ndim=2)
    check_range("images", images, 0, 1)
    uniforms = check_generator(rng).random(images.shape, dtype=images.dtype)
    return (uniforms < images).astype(images.dtype)
