"""Damage to images: what is hit, how often, and that the original is left alone."""

import numpy as np
import pytest

from dbnlib.damage import block_mask, erase, flip_pixels, half_mask


def test_as_many_pixels_flip_as_the_probability_says(rng):
    v = rng.integers(0, 2, size=(200, 500)).astype(np.float32)
    share = (flip_pixels(v, rng, 0.1) != v).mean()
    # 100,000 pixels: a standard error of 0.001
    assert share == pytest.approx(0.1, abs=0.005)


def test_a_flipped_grey_pixel_is_its_negative(rng):
    v = np.array([[0.0, 0.25, 1.0]])
    np.testing.assert_array_equal(flip_pixels(v, rng, 1), [[1.0, 0.75, 0.0]])
    np.testing.assert_array_equal(flip_pixels(v, rng, 0), v)


def test_pixels_flip_each_on_its_own(rng):
    flipped = flip_pixels(np.zeros((40_000, 2)), rng, 0.5)
    both = (flipped == 1).all(axis=1).mean()
    assert both == pytest.approx(0.25, abs=0.015)


def test_the_same_seed_hits_the_same_pixels():
    v = np.zeros((10, 20))
    one, again, other = (flip_pixels(v, np.random.default_rng(s), 0.3) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_what_is_erased_has_the_value_and_the_rest_is_as_it_was():
    v = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(erase(v, [False, True, False]), [[1, 0, 3], [4, 0, 6]])
    own_masks = [[True, False, False], [False, False, True]]
    np.testing.assert_array_equal(erase(v, own_masks, 0.5), [[0.5, 2, 3], [4, 5, 0.5]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_original_and_its_dtype_are_left_alone(dtype, rng):
    v = np.zeros((5, 4), dtype)
    for damaged in (flip_pixels(v, rng, 1), erase(v, np.ones(4, dtype=bool), 1)):
        assert damaged.dtype == dtype
        assert (damaged == 1).all()
    assert (v == 0).all()


@pytest.mark.parametrize(
    ("which", "drawn"),
    [
        ("lower", ["....", "....", "####"]),
        ("upper", ["####", "####", "...."]),
        ("right", ["..##", "..##", "..##"]),
        ("left", ["##..", "##..", "##.."]),
    ],
)
def test_half_masks_of_a_small_image(which, drawn):
    expected = np.array([[place == "#" for place in line] for line in drawn])
    mask = half_mask((3, 4), which)
    np.testing.assert_array_equal(mask, expected.ravel())


@pytest.mark.parametrize("size", [3, (2, 4), (5, 6), (1, 1)], ids=str)
def test_a_block_is_a_full_rectangle_of_its_size(size, rng):
    high, wide = (size, size) if size == 3 else size
    for _ in range(20):
        mask = block_mask((5, 6), rng, size).reshape(5, 6)
        rows, columns = np.nonzero(mask)
        assert mask.sum() == high * wide
        assert (np.ptp(rows), np.ptp(columns)) == (high - 1, wide - 1)


def test_a_block_lies_at_every_place_equally_often(rng):
    first = [np.flatnonzero(block_mask((3, 4), rng, 2))[0] for _ in range(6000)]
    counts = np.bincount(first, minlength=12).reshape(3, 4)
    # two rows by three columns where its corner may be; 1000 ± 29 each
    assert counts[:2, :3].min() > 850
    assert counts[:2, :3].sum() == 6000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v, rng: flip_pixels(v, rng, 1.5), "p must be a finite number in"),
        (lambda v, rng: flip_pixels(v, 1, 0.5), "rng must be a numpy.random.Generator"),
        (lambda v, rng: flip_pixels(9 * v, rng, 0.5), "v must lie between 0 and 1"),
        (lambda v, rng: flip_pixels(v[0], rng, 0.5), "for a single example write"),
        (lambda v, rng: erase(v, [0, 1]), "mask must hold True and False, got dtype int"),
        (lambda v, rng: erase(v, [True]), r"mask must have shape \(2,\) or \(3, 2\), got \(1,\)"),
        (lambda v, rng: erase(v, [True, False], np.nan), "value must be a finite number"),
        (lambda v, rng: half_mask((3, 4), "top"), "which must be one of 'lower', 'upper'"),
        (lambda v, rng: half_mask(12), r"shape must be \(rows, columns\), got 12"),
        (lambda v, rng: half_mask((3, 0)), "columns in shape must be at least 1"),
        (lambda v, rng: block_mask((3, 4), rng, 4), "a block of 4x4 pixels does not fit into 3x4"),
        (lambda v, rng: block_mask((3, 4), 0, 2), "rng must be a numpy.random.Generator"),
    ],
)
def test_wrong_calls_are_explained(call, message, rng):
    with pytest.raises((ValueError, TypeError), match=message):
        call(np.ones((3, 2)), rng)
