"""Rows about likelihoods: RBMs with exact and with estimated log Z, and the bound of a DBN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dbnlib import CD, DBN, PCD, RBM, Bernoulli, ais, estimate_bound, log_partition, train_rbm
from dbnlib.annealed import salakhutdinov_murray_betas, uniform_betas
from dbnlib.gradients import GradientEstimator
from dbnlib.log_z import N_ERRORS
from dbnlib.loop import checksum
from dbnlib.pretraining import upside_down
from dbnlib.schedules import linear
from tests.reference.rows import FULL, QUICK, Figure, Finding, row
from tests.reference.workshop import Images, Workshop

VALIDATION = "a validation split, the last 10,000 training images"


def trained_rbm(
    shop: Workshop,
    name: str,
    v: np.ndarray,
    n_hidden: int,
    seed: int,
    *,
    gradient: GradientEstimator,
    epochs: int,
    rate: float,
    **settings: Any,
) -> RBM:
    """An RBM of the rows of v; the rate falls linearly to 0, momentum is 0 if not given."""

    def make(checkpoint: Path) -> RBM:
        rng, epochs_now = shop.rng(seed), shop.epochs(epochs)
        rbm = RBM.random(v.shape[1], shop.sizes([n_hidden])[0], rng, data=v)
        train_rbm(
            rbm,
            v,
            epochs=epochs_now,
            rng=rng,
            gradient=gradient,
            learning_rate=linear(rate, 0.0, epochs_now),
            checkpoint=checkpoint,
            progress=shop.progress,
            name=f"{name}, seed {seed}",
            **{"momentum": 0.0, **settings},
        )
        return rbm

    return shop.model(f"{name}_{seed}", make, n_hidden, gradient, epochs, rate, settings)


def annealed(
    shop: Workshop, name: str, rbm: RBM, data: np.ndarray, direction: str = "forward"
) -> dict[str, float]:
    """log Z by AIS with 100 chains: value, low, high and effective sample size.

    Large machines go along the published 14,500 temperatures, those of the digits along 2,000.
    """

    def make(checkpoint: Path) -> dict[str, float]:
        betas = uniform_betas(2000) if data.shape[1] < 500 else salakhutdinov_murray_betas()
        found = ais(
            rbm,
            shop.rng(7, direction == "reverse"),
            data=data,
            betas=uniform_betas(20) if shop.reduced else betas,
            direction=direction,
            burn_in=shop.steps(10_000),
            progress=shop.progress,
        )
        fields = ("value", "low", "high", "effective_sample_size")
        return {field: float(getattr(found, field)) for field in fields}

    return shop.number(f"{name}_log_z_{direction}", make, checksum(rbm.W, rbm.b, rbm.c))


def mean_log_likelihood(name: str, rbm: RBM, v: np.ndarray, log_z: dict[str, float]) -> Figure:
    """Mean of −F(v) − log Z over the rows, with the interval that log Z leaves."""
    minus_f = -float(rbm.free_energy(v).mean(dtype=np.float64))
    low, high = minus_f - log_z["high"], minus_f - log_z["low"]
    return Figure(name, [minus_f - log_z["value"]], "nats", low=low, high=high)


def both_directions(shop: Workshop, name: str, rbm: RBM, images: Images) -> list[Figure]:
    """Likelihood of the test images by forward and by reverse AIS, and the gap between them."""
    forward = annealed(shop, name, rbm, images.train)
    reverse = annealed(shop, name, rbm, images.train, "reverse")
    return [
        mean_log_likelihood("test log-likelihood, forward AIS", rbm, images.test, forward),
        mean_log_likelihood("reverse AIS", rbm, images.test, reverse),
        Figure("gap", [reverse["value"] - forward["value"]], "nats"),
        Figure(
            "effective sample sizes",
            [forward["effective_sample_size"]],
            f"and {reverse['effective_sample_size']:.1f} of 100 chains",
            digits=1,
        ),
    ]


def bound_of(
    shop: Workshop, name: str, dbn: DBN, images: Images, log_z: dict[str, float]
) -> Figure:
    """Estimate of the mean bound on test images: Monte Carlo over q, log Z of the top by AIS."""

    def make(checkpoint: Path) -> dict[str, float]:
        found = estimate_bound(
            dbn, images.test, shop.rng(8), n_samples=shop.steps(20), top_log_z=log_z["value"]
        )
        return {"mean": found.mean, "error": found.mean_standard_error}

    found = shop.number(f"{name}_bound", make, checksum(dbn.top.W), log_z["value"])
    # both uncertainties at their worst together
    low = found["mean"] - (log_z["high"] - log_z["value"]) - N_ERRORS * found["error"]
    high = found["mean"] + (log_z["value"] - log_z["low"]) + N_ERRORS * found["error"]
    return Figure("DBN, estimated bound", [found["mean"]], "nats", low=low, high=high)


def bound_against_first_rbm(
    shop: Workshop,
    name: str,
    first: RBM,
    images: Images,
    n_top: int,
    *,
    gradient: GradientEstimator,
    epochs: int,
    rate: float,
    n_draws: int,
) -> Finding:
    """A second RBM on top of the first, and what that does to the bound on test images.

    It learns `n_draws` draws of h from each image.
    """

    def make(checkpoint: Path) -> DBN:
        rng, epochs_now = shop.rng(1), shop.epochs(epochs)
        h = first.sample_hidden(np.repeat(images.train, n_draws, axis=0), rng)
        # the reduced second layer must be as wide as the images
        n_hidden = max(shop.sizes([n_top])[0], first.n_visible)
        top = upside_down(first, Bernoulli(n_hidden), rng, scale=0.001)
        train_rbm(
            top,
            h,
            epochs=epochs_now,
            rng=rng,
            gradient=gradient,
            learning_rate=linear(rate, 0.0, epochs_now),
            momentum=0.0,
            checkpoint=checkpoint,
            progress=shop.progress,
            name=name,
        )
        return DBN([first, top])

    dbn = shop.model(name, make, n_top, gradient, epochs, rate, n_draws)
    alone = annealed(shop, f"{name}_first", first, images.train)
    states = first.sample_hidden(images.train[:10_000], shop.rng(9))
    log_z = annealed(shop, f"{name}_top", dbn.top, states)
    likelihood = mean_log_likelihood("first RBM, test log-likelihood", first, images.test, alone)
    bound = bound_of(shop, name, dbn, images, log_z)
    return Finding([bound, likelihood], bound.mean > likelihood.mean)


def exact_and_annealed(shop: Workshop, name: str, rbm: RBM, images: Images) -> list[Figure]:
    """The exact likelihood of train and test images, and by how much forward AIS misses log Z."""
    log_z = shop.number(
        f"{name}_log_z",
        lambda _: log_partition(rbm, progress=shop.progress),
        checksum(rbm.W, rbm.b, rbm.c),
    )
    forward = annealed(shop, name, rbm, images.train)
    means = [-float(rbm.free_energy(v).mean(dtype=np.float64)) for v in images[::2]]
    return [
        Figure("test log-likelihood", [means[1] - log_z], "nats"),
        Figure("train", [means[0] - log_z], "nats"),
        Figure("log Z by AIS − exact", [forward["value"] - log_z], "nats"),
    ]


# ---- MNIST


def rbm_500_model(shop: Workshop) -> RBM:
    """The RBM of two rows."""
    return trained_rbm(
        shop, "rbm_500", shop.binary_mnist.train, 500, 0, gradient=PCD(1), epochs=100, rate=0.05
    )


@row(
    FULL,
    "RBM with 500 hidden units, binarised MNIST",
    goal="forward estimate ≥ −90 nats, gap stated (CD-25, published: −86.34)",
    settings="PCD-1, 100 epochs, rate from 0.05 linearly to 0, batch 100, no momentum, no decay; "
    "images binarised once by sampling (seed 0). AIS: 100 chains, 14,500 temperatures; the reverse "
    "walk starts after 10,000 Gibbs steps from training images.",
    chosen=f"on {VALIDATION}.",
)
def rbm_500(shop: Workshop) -> Finding:
    """log p(v) of the test images by AIS both ways."""
    figures = both_directions(shop, "rbm_500", rbm_500_model(shop), shop.binary_mnist)
    return Finding(figures, figures[0].mean >= -90)


@row(
    FULL,
    "DBN 500-2000: the bound against its first RBM",
    goal="bound on test images above the first RBM's estimated likelihood",
    settings="First RBM: CD-1, 20 epochs, rate from 0.1 to 0, momentum 0.5, weight decay 0.0002. "
    "The second starts as the first upside down, with 1,216 further units, and learns a draw of h "
    "for each image by PCD-1, 20 epochs, rate from 0.05 to 0; log Z of both by AIS as above.",
    chosen=f"on {VALIDATION}. On top of the RBM of the row above, which PCD has brought near the "
    "best that 500 units can do, a second layer only lowered the bound (PCD-1, CD-5, CD-10; rates "
    "0.002, 0.005, 0.02).",
)
def dbn_500_2000(shop: Workshop) -> Finding:
    """The estimated bound, with log Z of the top RBM by AIS."""
    v = shop.binary_mnist.train
    settings = {"gradient": CD(1), "epochs": 20, "rate": 0.1}
    settings |= {"momentum": 0.5, "weight_decay": 0.0002}
    first = trained_rbm(shop, "rbm_500_by_cd_1", v, 500, 0, **settings)
    settings = {"gradient": PCD(1), "epochs": 20, "rate": 0.05, "n_draws": 1}
    return bound_against_first_rbm(shop, "dbn_500_2000", first, shop.binary_mnist, 2000, **settings)


@row(
    FULL,
    "RBM with 16 hidden units, exact log Z",
    goal="test log-likelihood above −142.6 nats (published, centred PCD)",
    settings="Centred PCD-5, 60 epochs, rate from 0.1 to 0, batch 100; 2¹⁶ states enumerated.",
    chosen=f"on {VALIDATION}.",
)
def rbm_16(shop: Workshop) -> Finding:
    """log p(v) without any estimate, three seeds."""
    return small_rbm(shop, 16)


@row(
    FULL,
    "RBM with 20 hidden units, exact log Z",
    goal="(no published figure)",
    settings="As with 16; 2²⁰ states enumerated.",
    chosen="as with 16.",
)
def rbm_20(shop: Workshop) -> Finding:
    """The largest that is enumerated in seconds."""
    return Finding(small_rbm(shop, 20).figures)


def small_rbm(shop: Workshop, n_hidden: int) -> Finding:
    """Exact likelihoods of three seeds, and AIS held against them."""
    found = []
    for seed in shop.seeds(3):
        name = f"rbm_{n_hidden}"
        v = shop.binary_mnist.train
        settings = {"gradient": PCD(5), "epochs": 60, "rate": 0.1, "centred": True}
        rbm = trained_rbm(shop, name, v, n_hidden, seed, **settings)
        found.append(exact_and_annealed(shop, f"{name}_{seed}", rbm, shop.binary_mnist))
    figures = [over_seeds(same) for same in zip(*found, strict=True)]
    return Finding(figures, figures[0].mean > -142.6)


def over_seeds(figures: tuple[Figure, ...]) -> Figure:
    """Figures of the same thing as one."""
    first = figures[0]
    values = [value for figure in figures for value in figure.values]
    return Figure(first.name, values, first.unit, first.digits)


# ---- the bundled digits


@row(
    QUICK,
    "RBM with 16 hidden units on digits, exact log Z",
    goal="AIS within 0.1 nats of the exact log Z",
    settings="PCD-1, 200 epochs, rate from 0.05 to 0, batch 20, binarised at one half; AIS with "
    "100 chains and 2,000 temperatures.",
    chosen="on the last 287 training images.",
)
def digits_rbm_16(shop: Workshop) -> Finding:
    """Exact likelihoods, and AIS held against them, over five seeds."""
    found = []
    for seed in shop.seeds(5):
        settings = {"gradient": PCD(1), "epochs": 200, "rate": 0.05, "batch_size": 20}
        v = shop.binary_digits.train
        rbm = trained_rbm(shop, "digits_rbm_16", v, 16, seed, **settings)
        found.append(exact_and_annealed(shop, f"digits_rbm_16_{seed}", rbm, shop.binary_digits))
    figures = [over_seeds(same) for same in zip(*found, strict=True)]
    return Finding(figures, all(abs(value) < 0.1 for value in figures[2].values))


@row(
    QUICK,
    "DBN 50-300 on digits: the bound against its first RBM",
    goal="bound on test images above the first RBM's estimated likelihood",
    settings="First RBM: PCD-1, 100 epochs, rate from 0.05 to 0, batch 20. The second starts as "
    "the first upside down and learns five draws of h for each image by CD-10, 40 epochs, rate "
    "from 0.05 to 0, batch 100.",
    chosen="on the last 287 training images. With one draw of h, PCD and larger steps it fell.",
)
def digits_dbn(shop: Workshop) -> Finding:
    """The estimated bound, with log Z of both RBMs by AIS."""
    images = shop.binary_digits
    settings = {"gradient": PCD(1), "epochs": 100, "rate": 0.05, "batch_size": 20}
    first = trained_rbm(shop, "digits_rbm_50", images.train, 50, 0, **settings)
    settings = {"gradient": CD(10), "epochs": 40, "rate": 0.05, "n_draws": 5}
    return bound_against_first_rbm(shop, "digits_dbn", first, images, 300, **settings)
