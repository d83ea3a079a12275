"""Damage to images: what is hit, how often, and that the original is left alone."""

import numpy as np
import pytest

from dbnlib.damage import flip_pixels, half_mask


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_original_and_its_dtype_are_left_alone(dtype, rng):
    v = np.zeros((5, 4), dtype)
    damaged = flip_pixels(v, rng, 1)
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v, rng: flip_pixels(v, rng, 1.5), "p must be a finite number in"),
        (lambda v, rng: flip_pixels(v, 1, 0.5), "rng must be a numpy.random.Generator"),
        (lambda v, rng: flip_pixels(9 * v, rng, 0.5), "v must lie between 0 and 1"),
        (lambda v, rng: flip_pixels(v[0], rng, 0.5), "for a single example write"),
        (lambda v, rng: half_mask((3, 4), "top"), "which must be one of 'lower', 'upper'"),
        (lambda v, rng: half_mask(12), r"shape must be \(rows, columns\), got 12"),
        (lambda v, rng: half_mask((3, 0)), "columns in shape must be at least 1"),
    ],
)
def test_wrong_calls_are_explained(call, message, rng):
    with pytest.raises((ValueError, TypeError), match=message):
        call(np.ones((3, 2)), rng)
