"""Data sets: images keep their labels, parts share nothing, and no test touches the network.

The tests of the real MNIST run where the environment variable DBNLIB_DATA names its folder.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dbnlib import data
from dbnlib.checks import DataError
from dbnlib.data import Dataset, binarise, binarise_by_sampling, digits, mnist, two_moons

MNIST_FOLDER = os.environ.get("DBNLIB_DATA")


@pytest.fixture(autouse=True)
def no_network_and_no_environment(monkeypatch):
    """Tests see neither OpenML nor the DBNLIB_DATA of whoever runs them."""

    def refuse(*args, **kwargs):
        raise AssertionError("a test tried to reach OpenML")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", refuse)
    monkeypatch.delenv("DBNLIB_DATA", raising=False)


def numbered(labels) -> Dataset:
    """Images of 1x2 pixels: the first is the row's number over 1000, the second its label / 10."""
    labels = np.asarray(labels)
    images = np.column_stack([np.arange(len(labels)) / 1000, labels / 10])
    return Dataset(images, labels, (1, 2), "numbered")


def row_numbers(dataset: Dataset) -> list[int]:
    return np.rint(dataset.images[:, 0] * 1000).astype(int).tolist()


def has_its_own_labels(dataset: Dataset) -> bool:
    return bool((np.rint(dataset.images[:, 1] * 10) == dataset.labels).all())


# ---- Dataset


def test_a_dataset_holds_float32_images_and_int64_labels():
    dataset = Dataset([[0, 0.5], [1, 0.25]], np.array([3, 4], np.uint8), (1, 2))
    assert (dataset.images.dtype, dataset.labels.dtype) == (np.float32, np.int64)
    assert dataset.images.tolist() == [[0, 0.5], [1, 0.25]]
    assert (len(dataset), dataset.shape) == (2, (1, 2))


def test_a_dataset_cannot_be_shuffled_in_one_part_only():
    dataset = numbered([0, 1, 2, 3])
    with pytest.raises(ValueError, match="read-only"):
        np.random.default_rng(0).shuffle(dataset.images)


def test_a_dataset_leaves_the_array_it_was_made_of_writable():
    images = np.zeros((2, 2), np.float32)
    Dataset(images, [0, 1], (1, 2))
    images[0, 0] = 1
    assert images[0, 0] == 1


def test_a_dataset_says_what_it_is():
    assert repr(numbered([0, 1, 1])) == "Dataset('numbered': 3 images of 1x2, 2 classes)"


@pytest.mark.parametrize(
    "rows",
    [[3, 1], np.array([3, 1]), (3, 1), [-1, -3], slice(3, 0, -2)],
    ids=["list", "array", "tuple", "from the end", "slice"],
)
def test_a_subset_takes_images_and_labels_in_the_order_asked_for(rows):
    subset = numbered([5, 6, 7, 8]).subset(rows)
    assert row_numbers(subset) == [3, 1]
    assert subset.labels.tolist() == [8, 6]
    assert (subset.shape, subset.name) == ((1, 2), "numbered")


def test_a_subset_can_be_taken_by_a_mask():
    dataset = numbered([5, 6, 5, 8])
    assert row_numbers(dataset.subset(dataset.labels == 5)) == [0, 2]


@pytest.mark.parametrize("stratify", [True, False])
def test_the_parts_of_a_split_share_no_row_and_lose_none(stratify):
    dataset = numbered(np.arange(100) % 5)
    first, second = dataset.split(0.3, np.random.default_rng(0), stratify=stratify)
    assert (len(first), len(second)) == (30, 70)
    assert sorted(row_numbers(first) + row_numbers(second)) == list(range(100))


@pytest.mark.parametrize("stratify", [True, False])
def test_a_split_keeps_labels_with_their_images(stratify):
    for part in numbered(np.arange(100) % 5).split(30, np.random.default_rng(0), stratify):
        assert has_its_own_labels(part)


def test_a_stratified_split_keeps_the_classes_in_proportion():
    first, second = numbered([0] * 60 + [1] * 30 + [2] * 10).split(0.2, np.random.default_rng(0))
    assert Counter(first.labels.tolist()) == {0: 12, 1: 6, 2: 2}
    assert Counter(second.labels.tolist()) == {0: 48, 1: 24, 2: 8}


def test_classes_too_small_to_share_out_can_be_split_without_stratifying():
    dataset = numbered([0, 1, 2, 3])
    first, _ = dataset.split(1, np.random.default_rng(0), stratify=False)
    assert len(first) == 1


def test_a_split_is_shuffled_and_the_seed_decides():
    dataset = numbered(np.arange(100) % 5)
    parts = [dataset.split(50, np.random.default_rng(seed))[0] for seed in (0, 0, 1)]
    first, again, other = map(row_numbers, parts)
    assert first == again
    assert first != other
    assert first != sorted(first)


def test_one_generator_gives_a_new_split_each_time():
    dataset, rng = numbered(np.arange(100) % 5), np.random.default_rng(0)
    assert row_numbers(dataset.split(50, rng)[0]) != row_numbers(dataset.split(50, rng)[0])


TWO = np.zeros((2, 2))
WRONG_PARTS = {
    "a label missing": (TWO, [0], (1, 2), ValueError, r"labels must have shape \(2,\)"),
    "one-hot labels": (TWO, np.eye(2, dtype=int), (1, 2), ValueError, "labels must have shape"),
    "labels of floats": (TWO, [0.0, 1.0], (1, 2), TypeError, "labels must be whole numbers"),
    "labels of text": (TWO, ["0", "1"], (1, 2), TypeError, "labels must be whole numbers"),
    "another shape": (TWO, [0, 1], (2, 2), ValueError, "images must have length 4 along axis 1"),
    "no pair as shape": (TWO, [0, 1], 2, ValueError, r"shape must be \(rows, columns\)"),
    "pixels up to 255": (TWO + 255, [0, 1], (1, 2), ValueError, "images must lie between 0 and 1"),
    "NaN": (TWO * np.nan, [0, 1], (1, 2), ValueError, "images holds 4 values that are NaN"),
    "images not flat": (np.zeros((2, 1, 2)), [0, 1], (1, 2), ValueError, "2 dimensions"),
}


@pytest.mark.parametrize("case", WRONG_PARTS)
def test_parts_that_do_not_fit_are_refused(case):
    images, labels, shape, error, message = WRONG_PARTS[case]
    with pytest.raises(error, match=message):
        Dataset(images, labels, shape)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([4], IndexError, "row numbers below 4"),
        ([0.5], IndexError, "row numbers below 4"),
        ([True, False], IndexError, "a mask of that length"),
        (2, ValueError, r"write \[row\]"),
        ([[0, 1]], ValueError, "rows must be a list"),
        (slice(0, 0), ValueError, "images is empty"),
    ],
    ids=["not there", "half a row", "short mask", "a number", "a table", "nothing"],
)
def test_rows_that_are_not_there_are_refused(rows, error, message):
    with pytest.raises(error, match=message):
        numbered([0, 1, 2, 3]).subset(rows)


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (10, ValueError, "gives 10 of 10 images"),
        (1.0, ValueError, "gives 10 of 10 images"),
        (0.01, ValueError, "gives 0 of 10 images"),
        (0, ValueError, "size must be at least 1"),
        (1.5, ValueError, "size must be a finite number in"),
        (True, TypeError, "size must be a whole number"),
        ("half", TypeError, "size must be a number"),
        (1, ValueError, "1 and 9 images cannot keep the classes in proportion"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(size, error, message):
    with pytest.raises(error, match=message):
        numbered([0, 1] * 5).split(size, np.random.default_rng(0))


def test_a_split_wants_a_generator():
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator, got 0"):
        numbered([0, 1] * 5).split(5, 0)


# ---- digits


def test_digits_are_those_of_scikit_learn_with_their_labels():
    bunch = load_digits()
    dataset = digits()
    np.testing.assert_array_equal(dataset.images.reshape(-1, *dataset.shape) * 16, bunch.images)
    np.testing.assert_array_equal(dataset.labels, bunch.target)
    assert repr(dataset) == "Dataset('digits': 1797 images of 8x8, 10 classes)"


# ---- MNIST


def write_test_part(folder, first_pixel: int, label: int):
    """Two images, all of one grey, in the folder's files of the test part."""
    images, labels = data.MNIST_FILES["test"]
    header = struct.pack(">4B3I", 0, 0, 8, 3, 2, 28, 28)
    (folder / images).write_bytes(header + bytes([first_pixel]) * (2 * 784))
    (folder / labels).write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 2) + bytes([label] * 2))


def test_mnist_pixels_are_scaled_to_one(tmp_path):
    write_test_part(tmp_path, 51, 7)
    dataset = mnist("test", tmp_path)
    np.testing.assert_array_equal(dataset.images, np.full((2, 784), 0.2, np.float32))
    assert dataset.labels.tolist() == [7, 7]
    assert (dataset.shape, dataset.name) == ((28, 28), "mnist test")


def test_the_environment_names_the_folder(tmp_path, monkeypatch):
    write_test_part(tmp_path, 255, 3)
    monkeypatch.setenv("DBNLIB_DATA", str(tmp_path))
    assert mnist("test").labels.tolist() == [3, 3]


def test_the_argument_goes_before_the_environment(tmp_path, monkeypatch):
    write_test_part(tmp_path, 255, 3)
    monkeypatch.setenv("DBNLIB_DATA", "nowhere")
    assert mnist("test", str(tmp_path)).labels.tolist() == [3, 3]


def test_a_folder_without_the_files_is_an_error_and_no_reason_to_go_online(tmp_path, monkeypatch):
    monkeypatch.setenv("DBNLIB_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"neither t10k-images-idx3-ubyte nor .*{tmp_path.name}"):
        mnist("test")


def test_there_are_two_parts_only():
    with pytest.raises(ValueError, match="part must be one of 'train', 'test', got 'valid'"):
        mnist("valid")


@pytest.fixture(scope="module")
def openml_table():
    """A table like OpenML's: pixel 0 counts up to 255 and over, labels are text."""
    pixels = np.zeros((70_000, 784), np.uint8)
    pixels[:, 0] = np.arange(70_000) % 256
    return SimpleNamespace(data=pixels, target=(np.arange(70_000) % 10).astype(str).astype(object))


@pytest.mark.parametrize(("part", "start", "n"), [("train", 0, 60_000), ("test", 60_000, 10_000)])
def test_openml_has_the_training_rows_first(monkeypatch, openml_table, part, start, n):
    asked = {}

    def fetch(name, **settings):
        asked.update(settings, name=name)
        return openml_table

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    dataset = mnist(part)
    rows = np.arange(start, start + n)
    assert (asked["name"], asked["version"], asked["as_frame"]) == ("mnist_784", 1, False)
    np.testing.assert_array_equal(np.rint(dataset.images[:, 0] * 255), rows % 256)
    np.testing.assert_array_equal(dataset.labels, rows % 10)


@pytest.mark.parametrize("installed", [True, False])
def test_openml_needs_no_pandas(monkeypatch, openml_table, installed):
    parsers = []

    def fetch(name, parser, **settings):
        parsers.append(parser)
        return openml_table

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    monkeypatch.setattr(data, "find_spec", lambda name: object() if installed else None)
    mnist("test")
    assert parsers == ["pandas" if installed else "liac-arff"]


@pytest.mark.parametrize(
    "failure",
    [URLError("Name or service not known"), TimeoutError("timed out"), ValueError("md5 checksum")],
    ids=["offline", "slow", "corrupt"],
)
def test_offline_one_is_told_what_was_tried_and_what_to_do(monkeypatch, failure):
    def fetch(*args, **kwargs):
        raise failure

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    with pytest.raises(DataError) as caught:
        mnist("train")
    message = str(caught.value)
    assert str(failure) in message
    for piece in (
        "OpenML",
        "folder=",
        "DBNLIB_DATA",
        "digits()",
        *sum(data.MNIST_FILES.values(), ()),
    ):
        assert piece in message


@pytest.mark.parametrize(
    ("images_shape", "n_labels"), [((5, 784), 5), ((5, 784), 70_000), ((70_000, 784), 5)]
)
def test_another_table_from_openml_is_refused(monkeypatch, images_shape, n_labels):
    table = SimpleNamespace(data=np.zeros(images_shape), target=np.zeros(n_labels))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *args, **kwargs: table)
    with pytest.raises(DataError, match=r"should have shape \(70000, 784\)"):
        mnist("train")


REAL = {
    "train": {
        "counts": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        "first labels": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
        "mean": 0.13066,
    },
    "test": {
        "counts": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        "first labels": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
        "mean": 0.13251,
    },
}


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_real_mnist_has_its_known_counts_labels_and_mean(part):
    if not MNIST_FOLDER:
        pytest.skip("set DBNLIB_DATA to a folder with the four IDX files of MNIST to run this")
    dataset, known = mnist(part, MNIST_FOLDER), REAL[part]
    assert np.bincount(dataset.labels).tolist() == known["counts"]
    assert dataset.labels[:10].tolist() == known["first labels"]
    assert dataset.images.mean(dtype=np.float64) == pytest.approx(known["mean"], abs=5e-6)


# ---- two moons


def test_without_noise_the_points_lie_on_two_half_circles():
    points, labels = two_moons(101, 0, np.random.default_rng(0))
    x, y = points.T
    upper, lower = labels == 0, labels == 1
    np.testing.assert_allclose(x[upper] ** 2 + y[upper] ** 2, 1)
    np.testing.assert_allclose((x[lower] - 1) ** 2 + (y[lower] - 0.5) ** 2, 1)
    assert (y[upper] >= 0).all()
    assert (y[lower] <= 0.5).all()
    assert (upper.sum(), lower.sum()) == (50, 51)


def test_noise_is_the_standard_deviation_off_the_circles():
    points, labels = two_moons(20_000, 0.05, np.random.default_rng(0))
    centres = np.where(labels[:, None] == 0, [0, 0], [1, 0.5])
    radii = np.hypot(*(points - centres).T)
    assert radii.std() == pytest.approx(0.05, rel=0.03)


def test_two_moons_follow_the_generator():
    points = [two_moons(50, 0.1, np.random.default_rng(seed))[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(points[0], points[1])
    assert not np.array_equal(points[0], points[2])


def test_two_moons_are_shuffled():
    _, labels = two_moons(100, 0.1, np.random.default_rng(0))
    assert 20 < np.count_nonzero(np.diff(labels)) < 80


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, 0.1, np.random.default_rng(0)), ValueError, "n must be at least 2"),
        ((9, -1, np.random.default_rng(0)), ValueError, "noise must be a finite number in"),
        ((9, 0.1, 7), TypeError, "rng must be"),
    ],
)
def test_two_moons_check_their_input(arguments, error, message):
    with pytest.raises(error, match=message):
        two_moons(*arguments)


# ---- grey to binary


def test_binarise_is_strictly_above_the_threshold():
    assert binarise([[0, 0.5, 0.51, 1]]).tolist() == [[0, 0, 1, 1]]
    assert binarise([[0, 0.01, 0.51, 1]], threshold=0).tolist() == [[0, 1, 1, 1]]


def test_sampled_pixels_are_on_as_often_as_they_are_bright():
    greys = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    drawn = binarise_by_sampling(np.tile(greys, (40_000, 1)), np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0, 1}
    # four standard errors, and none where the outcome is certain
    assert (abs(drawn.mean(axis=0) - greys) <= 4 * np.sqrt(greys * (1 - greys) / 40_000)).all()


def test_sampled_pixels_are_drawn_one_by_one():
    drawn = binarise_by_sampling(np.full((40_000, 2), 0.5), np.random.default_rng(0))
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0, abs=0.02)


def test_sampling_follows_the_generator():
    images, rng = np.full((10, 10), 0.5), np.random.default_rng(3)
    first, second = binarise_by_sampling(images, rng), binarise_by_sampling(images, rng)
    np.testing.assert_array_equal(first, binarise_by_sampling(images, np.random.default_rng(3)))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_images_keep_the_dtype(dtype):
    images = np.full((2, 2), 0.3, dtype)
    assert binarise(images).dtype == dtype
    assert binarise_by_sampling(images, np.random.default_rng(0)).dtype == dtype


@pytest.mark.parametrize(
    "to_binary", [binarise, lambda images: binarise_by_sampling(images, np.random.default_rng(0))]
)
@pytest.mark.parametrize("bad", [255, -0.1, np.nan])
def test_pixels_out_of_range_are_refused(to_binary, bad):
    with pytest.raises(ValueError, match=r"images (must lie between 0 and 1|holds 1 value)"):
        to_binary([[0.5, bad]])
