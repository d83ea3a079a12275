"""Where rows are worked on: data, generators, and the finished parts of a run that was stopped.

Every model and every number that took long is kept in a folder under its name. A run that was
stopped finds them there and makes only what is missing; within a training it goes on from the last
epoch, by the library's own checkpoints.
"""

from __future__ import annotations

import json
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dbnlib import data, load, save


class Images(NamedTuple):
    """Rows and labels for training, and those that nothing is chosen on."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


class Workshop:
    """A folder, and a scale of work.

    Parameters
    ----------
    folder : where finished parts are kept
    reduced : for tests of the rows themselves: few rows, small layers, two epochs
    progress : whether trainings show bars; None where someone is watching
    """

    def __init__(self, folder: str | Path, *, reduced: bool = False, progress: bool | None = None):
        self.folder = Path(folder)
        self.reduced = reduced
        self.progress = progress
        #: the parts that were asked for so far
        self.parts: set[Path] = set()
        #: seconds that this run has spent on making parts
        self.made = 0.0

    # ---- how much

    def epochs(self, n: int) -> int:
        """n, or 2 where the work is reduced; also for Gibbs steps and temperatures."""
        return min(n, 2) if self.reduced else n

    def steps(self, n: int) -> int:
        """n steps or temperatures, at most 20 where the work is reduced."""
        return min(n, 20) if self.reduced else n

    def sizes(self, sizes: Sequence[int]) -> list[int]:
        """Layer sizes; a twentieth of them, at least 8, where the work is reduced."""
        return [max(8, n // 20) for n in sizes] if self.reduced else list(sizes)

    def seeds(self, n: int) -> list[int]:
        """0 … n − 1, or 0 and 1 where the work is reduced."""
        return list(range(min(n, 2) if self.reduced else n))

    # ---- data

    def _some(self, images: Images) -> Images:
        if not self.reduced:
            return images
        return Images(*(a[:n] for a, n in zip(images, (600, 600, 200, 200), strict=True)))

    @cached_property
    def mnist(self) -> Images:
        """MNIST with its standard test set, pixels from 0 to 1."""
        train, test = data.mnist("train"), data.mnist("test")
        return self._some(Images(train.images, train.labels, test.images, test.labels))

    @cached_property
    def binary_mnist(self) -> Images:
        """MNIST binarised by sampling, once, with seed 0."""
        rng, grey = np.random.default_rng(0), self.mnist
        train, test = (data.binarise_by_sampling(rows, rng) for rows in (grey.train, grey.test))
        return Images(train, grey.train_labels, test, grey.test_labels)

    @cached_property
    def digits(self) -> Images:
        """The bundled digits, shuffled with seed 0; the last 360 are the test rows."""
        digits = data.digits()
        order = np.random.default_rng(0).permutation(len(digits.images))
        train, test = order[:-360], order[-360:]
        v, y = digits.images, digits.labels
        return self._some(Images(v[train], y[train], v[test], y[test]))

    @cached_property
    def binary_digits(self) -> Images:
        """The digits with every pixel above one half on."""
        grey = self.digits
        return grey._replace(train=data.binarise(grey.train), test=data.binarise(grey.test))

    # ---- what is kept

    def rng(self, *seed: int) -> np.random.Generator:
        """A generator of its own for each tuple of numbers; SFC64, the fastest NumPy has."""
        return np.random.Generator(np.random.SFC64(list(seed)))

    def model(self, name: str, make: Callable[[Path], Any], *settings: Any) -> Any:
        """The model kept under `name`, or else the one that `make` makes.

        Parameters
        ----------
        make : is given a path for its checkpoint, a file or a folder, which is removed at the end
        settings : a model that was made with others is not the same and is made anew
        """
        path = self._part(name, settings, ".npz")
        if not path.exists():
            self._make(path, lambda place: save(path, make(place)))
        self.parts.add(path)
        return load(path)

    def number(self, name: str, make: Callable[[Path], Any], *settings: Any) -> Any:
        """The number (or plain data) kept under `name`, or else what `make` gives; see `model`."""
        path = self._part(name, settings, ".json")
        if not path.exists():
            self._make(path, lambda place: write_text(path, json.dumps(make(place))))
        self.parts.add(path)
        return json.loads(path.read_text(encoding="utf-8"))

    @property
    def seconds(self) -> float:
        """How long all parts took that were asked for, in this run or in an earlier one."""
        return sum(float(self._clock(path).read_text(encoding="utf-8")) for path in self.parts)

    def _part(self, name: str, settings: tuple[Any, ...], ending: str) -> Path:
        """Where a part is kept: its settings are in the file's name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = f"-{zlib.crc32(repr(settings).encode()):08x}" if settings else ""
        return self.folder / f"{name}{key}{ending}"

    def _make(self, path: Path, make: Callable[[Path], Any]) -> None:
        """Make a part, and note beside it how long that took.

        What it needs of other parts was asked for before: within it they would be counted here
        too, and by nobody once this part is kept.
        """
        began = time.perf_counter()
        checkpoint = path.with_suffix(".training")
        make(checkpoint)
        if checkpoint.is_dir():
            shutil.rmtree(checkpoint)
        checkpoint.unlink(missing_ok=True)
        took = time.perf_counter() - began
        write_text(self._clock(path), f"{took:.3f}")
        self.made += took

    @staticmethod
    def _clock(path: Path) -> Path:
        return path.with_suffix(".seconds")


def write_text(path: Path, text: str) -> None:
    """Write beside and rename, so that a file is whole or not there."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
