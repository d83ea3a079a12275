"""Notebook 07: a damaged digit that a DBN mends step by step.

What is seen of a pixel speaks for "on" or for "off". As a logarithm of the odds this *evidence* is
+∞ or −∞ where the pixel is known, 0 where it is hidden, and ±log((1 − p) / p) where it may have
been turned over with probability p. By Bayes' rule,

    p(v | seen) ∝ p(v) Πᵢ p(seenᵢ | vᵢ) ∝ p(v) exp(Σᵢ evidenceᵢ vᵢ)

so that evidence is a bias, one that belongs to an image. Of an RBM, Gibbs sampling with it draws
from just this distribution. Of a DBN the way up is a guess, and so is what comes out, for the
reasons that `dbnlib.completion` gives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from dbnlib.checks import (
    check_array,
    check_choice,
    check_count,
    check_generator,
    check_kind,
    check_two_valued,
)
from dbnlib.damage import flip_pixels
from dbnlib.dbn import DBN
from dbnlib.plots import COLOURS
from dbnlib.sampling import run_chain
from dbnlib.units import Bernoulli
from dbnlib.widgets.generation import draw_pixels, lengths

#: what can happen to an image
KINDS = ("lower rows hidden", "block hidden", "noise")
#: the noise of strength s turns a pixel over with probability s / 20
NOISE_STEP = 0.05

BLUE, RED = COLOURS[0], COLOURS[4]


# ---- damage


class Damage(NamedTuple):
    """A damaged image: what is seen of it (NaN where nothing is), and what that says."""

    #: shape (n_pixels,)
    seen: np.ndarray
    #: log-odds for "on" from what is seen, shape (n_pixels,): ±∞ where known, 0 where hidden
    evidence: np.ndarray


def damage(
    image: Any, kind: str, strength: int, shape: tuple[int, int], rng: np.random.Generator
) -> Damage:
    """A binary image with its lowest rows or a block in its middle hidden, or with noise.

    Parameters
    ----------
    image : array of shape (n_pixels,), zeros and ones
    kind : one of `KINDS`
    strength : how many rows, how many pixels along each side of the block, or twentieths of the
        probability that a pixel is turned over (from 1 to 9)
    shape : (rows, columns) of the image

    Raises
    ------
    ValueError
        for grey pixels, an unknown kind, or a strength that does not fit
    """
    rows, columns = lengths(shape)
    image = check_array("image", image, ndim=1, shape=(rows * columns,))
    check_two_valued("image", image, (0, 1), "binarise it first (dbnlib.data.binarise)")
    check_choice("kind", kind, KINDS)
    check_generator(rng)
    most = {KINDS[0]: rows, KINDS[1]: min(rows, columns), KINDS[2]: 9}[kind]
    if check_count("strength", strength) > most:
        raise ValueError(f"strength must be at most {most} for {kind!r}, got {strength}")
    if kind == "noise":
        p = NOISE_STEP * strength
        seen = flip_pixels(image[None, :], rng, p)[0]
        return Damage(seen, (2 * seen - 1) * np.log((1 - p) / p))
    hidden = np.zeros((rows, columns), dtype=bool)
    if kind == "block hidden":
        top, left = (rows - strength) // 2, (columns - strength) // 2
        hidden[top : top + strength, left : left + strength] = True
    else:
        hidden[rows - strength :] = True
    hidden = hidden.ravel()
    certain = np.where(image == 1, np.inf, -np.inf)
    return Damage(np.where(hidden, np.nan, image), np.where(hidden, 0.0, certain))


# ---- mending


class MendRecord(NamedTuple):
    """A chain of n rounds: its states, the start first, and the means that they were drawn from."""

    #: shape (n + 1, n_pixels)
    v: np.ndarray
    #: E[v | layer above, what is seen], shape (n, n_pixels)
    v_mean: np.ndarray


def record_mending(dbn: DBN, damaged: Damage, n_steps: int, rng: np.random.Generator) -> MendRecord:
    """Rounds of: up by draws, a Gibbs step in the top RBM, down by draws, with the evidence.

    Hidden pixels start as draws from the visible biases alone. Each round draws the pixels from
    σ(x + evidence), x being their field. A label unit is left open.

    Parameters
    ----------
    dbn : of Bernoulli pixels
    damaged : from `damage`, or made by hand
    """
    pixels = check_dbn(dbn)
    check_kind("damaged", damaged, Damage)
    seen, evidence = (np.asarray(part, dtype=dbn.dtype)[None, :] for part in damaged)
    if seen.shape != (1, pixels.n) or evidence.shape != (1, pixels.n):
        raise ValueError(
            f"damaged must have {pixels.n} pixels, got shapes {seen.shape[1:]} and "
            f"{evidence.shape[1:]}"
        )
    hidden = np.isnan(seen)
    if np.isnan(evidence).any() or evidence[hidden].any():
        raise ValueError(
            "damaged.evidence must be 0 where damaged.seen is NaN, and a number or an infinity "
            "everywhere; damage(...) makes it so"
        )
    start = pixels.sample(dbn.rbms[0].b[None, :], check_generator(rng))
    states, means = [np.where(hidden, start, seen)], []
    for _ in range(check_count("n_steps", n_steps)):
        x = pixel_field(dbn, states[-1], rng) + evidence
        means.append(pixels.mean(x))
        states.append(pixels.draw(x, means[-1], rng))
    return MendRecord(np.vstack(states), np.vstack(means))


def pixel_field(dbn: DBN, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The field of the pixels after one draw of all hidden layers that v leads to."""
    bottom = dbn.rbms[0]
    if dbn.n_layers == 1:
        return bottom.visible_field(bottom.sample_hidden(v, rng))
    h = run_chain(dbn.top, dbn.top_rows(v, rng), 1, rng)[:, : dbn.rbms[-2].n_hidden]
    for rbm in reversed(dbn.rbms[1:-1]):
        h = rbm.sample_visible(h, rng)
    return bottom.visible_field(h)


class MendFacts(NamedTuple):
    """How many pixels of an image are hidden, turned over, and wrong after each round."""

    n_hidden: int
    n_turned: int
    #: of the mean over the second half of the rounds so far, rounded: shape (n_steps,)
    wrong: np.ndarray


def late_mean(record: MendRecord, n_steps: int) -> np.ndarray:
    """The mean of E[v | …] over the second half of the first `n_steps` rounds: (n_pixels,)."""
    return record.v_mean[n_steps // 2 : n_steps].mean(axis=0)


def mend_facts(image: Any, damaged: Damage, record: MendRecord) -> MendFacts:
    """What `mend` writes into its picture; see `MendFacts`."""
    image = np.asarray(image)
    rounded = [late_mean(record, n + 1) > 0.5 for n in range(len(record.v_mean))]
    hidden = np.isnan(damaged.seen)
    turned = (damaged.seen != image) & ~hidden
    return MendFacts(int(hidden.sum()), int(turned.sum()), (rounded != (image > 0.5)).sum(axis=1))


def mend(
    dbn: DBN,
    image: Any,
    kind: str,
    strength: int,
    n_steps: int,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> Figure:
    """An image, the damage, a state and the mean that the model mends it to; wrong pixels below.

    Parameters as for `damage` and `record_mending`.
    """
    check_dbn(dbn)
    damaged = damage(image, kind, strength, shape, rng)
    record = record_mending(dbn, damaged, n_steps, rng)
    facts = mend_facts(image, damaged, record)
    figure = plt.figure(figsize=(8, 4), facecolor="white", layout="constrained")
    names = ["image", "damaged", "state", "mean"]
    panels = figure.subplot_mosaic([names, ["wrong"] * 4], height_ratios=[1.3, 1])
    draw_pixels(panels["image"], np.asarray(image), shape, "image")
    draw_pixels(panels["damaged"], damaged.seen, shape, "what the model sees")
    draw_pixels(panels["state"], record.v[-1], shape, f"state after {n_steps}")
    draw_pixels(panels["mean"], late_mean(record, n_steps), shape, "mean of the later half")

    axis = panels["wrong"]
    steps = np.arange(1, n_steps + 1)
    axis.plot(steps, facts.wrong, color=BLUE, marker="." if n_steps < 30 else "")
    axis.set_ylim(-0.5, max(10, facts.n_turned, facts.wrong.max()) + 1)
    if facts.n_turned:
        axis.axhline(facts.n_turned, color=RED, linestyle="--", label="left as seen")
        axis.legend(fontsize=8, loc="upper right")
    axis.set_xlabel("rounds of the chain")
    axis.set_ylabel("wrong pixels")
    axis.grid(alpha=0.3)
    what = f"{facts.n_hidden} hidden" if facts.n_hidden else f"{facts.n_turned} turned over"
    axis.set_title(f"{what}, {facts.wrong[-1]} wrong after mending", fontsize=10)
    return figure


def check_dbn(dbn: Any) -> Bernoulli:
    """The units of a DBN's pixels; ValueError unless each is on or off."""
    check_kind("dbn", dbn, DBN)
    pixels = dbn.rbms[0].visible
    if not isinstance(pixels, Bernoulli):
        raise ValueError(f"dbn must have Bernoulli pixels to be mended, got {pixels!r}")
    return pixels
