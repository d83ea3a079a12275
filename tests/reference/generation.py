"""Rows about generation: label units, wake-sleep, and why twenty images seem to be enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from dbnlib import CD, DBN, PCD, estimate_bound, pretrain_dbn, train_rbm
from dbnlib.gradients import GradientEstimator
from dbnlib.loop import checksum
from dbnlib.sample_quality import SampleReport, assess_samples
from dbnlib.schedules import linear
from dbnlib.updown import wake_sleep
from tests.reference.likelihoods import annealed, over_seeds
from tests.reference.rows import FULL, QUICK, Figure, Finding, row
from tests.reference.workshop import Images, Workshop


def labelled_dbn(
    shop: Workshop, name: str, images: Images, sizes: tuple[int, ...], seed: int, **settings: Any
) -> DBN:
    """A DBN whose top RBM learned the labels beside draws of the layer below it."""

    def make(checkpoint: Path) -> DBN:
        dbn, _ = pretrain_dbn(
            images.train,
            shop.sizes(sizes),
            labels=images.train_labels,
            upward="sample",
            rng=shop.rng(seed),
            checkpoint=checkpoint,
            progress=shop.progress,
            **settings,
        )
        return dbn

    return shop.model(f"{name}_{seed}", make, sizes, settings)


def after_persistent_chains(
    shop: Workshop, name: str, dbn: DBN, images: Images, seed: int, *, epochs: int, rate: float
) -> DBN:
    """The same DBN after more training of its top RBM, by PCD-1, the rate falling to 0."""

    def make(checkpoint: Path) -> DBN:
        rng, epochs_now, top = shop.rng(seed, 4), shop.epochs(epochs), dbn.top.copy()
        train_rbm(
            top,
            dbn.top_rows(images.train, rng, labels=images.train_labels),
            epochs=epochs_now,
            rng=rng,
            gradient=PCD(1),
            learning_rate=linear(rate, 0.0, epochs_now),
            momentum=0.0,
            checkpoint=checkpoint,
            progress=shop.progress,
            name="top RBM",
        )
        return DBN([*dbn.rbms[:-1], top])

    return shop.model(f"{name}_{seed}_persistent", make, checksum(dbn.top.W), epochs, rate)


def after_wake_sleep(
    shop: Workshop,
    name: str,
    dbn: DBN,
    images: Images,
    seed: int,
    *,
    epochs: int,
    rate: float,
    batch_size: int,
    gradient: GradientEstimator | None = None,
) -> DBN:
    """The same DBN after up-down fine-tuning, CD-3 on top by default, the rate falling to 0."""
    gradient = CD(3) if gradient is None else gradient

    def make(checkpoint: Path) -> DBN:
        tuned, epochs_now = dbn.untied(), shop.epochs(epochs)
        wake_sleep(
            tuned,
            images.train,
            images.train_labels,
            epochs=epochs_now,
            rng=shop.rng(seed, 3),
            learning_rate=linear(rate, 0.0, epochs_now),
            gradient=gradient,
            batch_size=batch_size,
            checkpoint=checkpoint,
            progress=shop.progress,
        )
        return tuned

    settings = (checksum(dbn.top.W), epochs, rate, batch_size, repr(gradient))
    return shop.model(f"{name}_{seed}_tuned", make, *settings)


def label_error(dbn: DBN, images: Images) -> float:
    """Percentage of the test images that get a wrong label by free energy."""
    wrong = dbn.label_probabilities(images.test).argmax(axis=1) != images.test_labels
    return 100 * float(wrong.mean())


def independent_classifier(images: Images) -> ClassifierMixin:
    """One that has nothing to do with the model: a support vector machine, for many rows a network.

    Both are scikit-learn's, fitted to the training images.
    """
    many = MLPClassifier((256,), early_stopping=True, random_state=0)
    classifier = many if len(images.train) > 5000 else SVC(C=10)
    return classifier.fit(images.train, images.train_labels)


def samples_by_class(
    shop: Workshop,
    dbn: DBN,
    images: Images,
    n_each: int,
    n_steps: int,
    classifier: ClassifierMixin,
) -> SampleReport:
    """`n_each` samples of every class with the label clamped, and what they are worth."""
    wanted = np.repeat(np.arange(dbn.n_labels), n_each)
    rng = shop.rng(4)
    samples = dbn.sample(
        len(wanted), rng, labels=wanted, n_steps=shop.steps(n_steps), progress=shop.progress
    )
    return assess_samples(
        samples,
        wanted,
        train=images.train,
        train_labels=images.train_labels,
        held_out=images.test,
        held_out_labels=images.test_labels,
        classifier=classifier,
    )


def quality(report: SampleReport) -> list[Figure]:
    """The report in figures."""
    return [
        Figure("agreement of an independent classifier", [100 * report.agreement], "%", 1),
        Figure("which on real test images reaches", [100 * report.accuracy], "%", 1),
        Figure("diversity (real images 1)", [report.diversity]),
        Figure("distance to the nearest training image (test images 1)", [report.novelty]),
    ]


# ---- MNIST


def mnist_labelled(shop: Workshop) -> tuple[DBN, DBN, DBN]:
    """The labelled DBN of MNIST: by CD-1, with a top RBM by PCD-1, and after wake-sleep."""
    name, images = "labelled", shop.mnist
    settings = {"epochs": shop.epochs(20), "momentum": 0.5, "weight_decay": 0.0002}
    dbn = labelled_dbn(shop, name, images, (500, 500, 2000), 0, learning_rate=0.1, **settings)
    better = after_persistent_chains(shop, name, dbn, images, 0, epochs=30, rate=0.03)
    tuning = {"epochs": 10, "rate": 0.02, "batch_size": 100, "gradient": PCD(1)}
    return dbn, better, after_wake_sleep(shop, name, better, images, 0, **tuning)


@row(
    FULL,
    "Digits of a class asked for: DBN 784-500-500-(2000 with label)",
    goal="an independent classifier agrees on ≥ 90 %",
    settings="CD-1, 20 epochs a layer, rate 0.1, momentum 0.5, weight decay 0.0002, draws upward; "
    "the top RBM 30 more by PCD-1, rate from 0.03 to 0; wake-sleep with PCD-1, 10 epochs, rate "
    "from 0.02 to 0, batch 100. 100 chains a class from random states, 1,000 Gibbs steps with the "
    "label clamped, means of the pixels.",
    chosen="by the agreement on samples of other seeds. Without PCD on top, whose chains find what "
    "CD never sees, the chains end in blank images and other classes.",
)
def clamped_samples(shop: Workshop) -> Finding:
    """Agreement, diversity and novelty of label-clamped samples, and label errors."""
    by_cd, by_pcd, tuned = mnist_labelled(shop)
    classifier = independent_classifier(shop.mnist)
    report = samples_by_class(shop, tuned, shop.mnist, 100, 1000, classifier)
    figures = quality(report)
    others = {"after CD-1 alone": by_cd, "before wake-sleep": by_pcd}
    for name, dbn in others.items():
        before = samples_by_class(shop, dbn, shop.mnist, 20, 1000, classifier)
        figures.append(Figure(f"agreement {name}", [100 * before.agreement], "%", 1))
    for name, dbn in (*others.items(), ("after it", tuned)):
        figures.append(Figure(f"label error {name}", [label_error(dbn, shop.mnist)], "%"))
    return Finding(figures, report.agreement >= 0.9)


# ---- the bundled digits


def digits_labelled(shop: Workshop, seed: int) -> tuple[DBN, DBN]:
    """The labelled DBN of the digits before and after wake-sleep."""
    name, images = "digits_labelled", shop.binary_digits
    epochs = shop.epochs(50)
    settings = {"epochs": epochs, "learning_rate": linear(0.1, 0.0, epochs), "batch_size": 20}
    dbn = labelled_dbn(shop, name, images, (150, 300), seed, weight_decay=0.0002, **settings)
    tuning = {"epochs": 100, "rate": 0.05, "batch_size": 20}
    return dbn, after_wake_sleep(shop, name, dbn, images, seed, **tuning)


@row(
    QUICK,
    "Wake-sleep on digits: DBN 64-150-(300 with label)",
    goal="bound and label error on test images both better in the mean of 5 seeds",
    settings="CD-1, 50 epochs a layer, rate from 0.1 to 0, momentum 0.5, batch 20, weight decay "
    "0.0002, draws upward, images binarised at one half; wake-sleep with CD-3, 100 epochs, rate "
    "from 0.05 to 0, batch 20.",
    chosen="on the last 287 training images.",
)
def digits_wake_sleep(shop: Workshop) -> Finding:
    """Estimated bound and label error before and after, over five seeds."""
    images, found = shop.binary_digits, []
    for seed in shop.seeds(5):
        one = []
        for when, dbn in zip(("before", "after"), digits_labelled(shop, seed), strict=True):
            name = f"digits_labelled_{seed}_{when}"
            rows = dbn.top_rows(images.train, shop.rng(5), labels=images.train_labels)
            log_z = annealed(shop, name, dbn.top, rows)["value"]
            bound = estimate_bound(dbn, images.test, shop.rng(6), n_samples=20, top_log_z=log_z)
            one.append(Figure(f"estimated bound {when}", [bound.mean], "nats"))
            one.append(Figure(f"label error {when}", [label_error(dbn, images)], "%", 1))
        found.append(one)
    figures = [over_seeds(same) for same in zip(*found, strict=True)]
    (bound, error, tuned_bound, tuned_error) = (figure.mean for figure in figures)
    return Finding(figures, tuned_bound > bound and tuned_error < error)


@row(
    QUICK,
    "Digits of a class asked for: DBN 64-150-(300 with label)",
    goal="(no published figure)",
    settings="The first DBN of the row above after wake-sleep; 50 chains a class, 1,000 Gibbs "
    "steps with the label clamped.",
    chosen="as above.",
)
def digits_clamped_samples(shop: Workshop) -> Finding:
    """Agreement, diversity and novelty of label-clamped samples."""
    _, after = digits_labelled(shop, 0)
    images = shop.binary_digits
    report = samples_by_class(shop, after, images, 50, 1000, independent_classifier(images))
    return Finding(quality(report))


# ---- twenty images


def wrong_pixels(
    name: str, dbn: DBN, v: np.ndarray, rng: np.random.Generator | None = None
) -> Figure:
    """Mean number of pixels that the reconstruction, rounded, gets wrong; by draws with `rng`."""
    wrong = (dbn.reconstruct(v, rng=rng) > 0.5) != (v > 0.5)
    return Figure(name, [float(wrong.sum(axis=1).mean())], digits=1)


def stacked(shop: Workshop, name: str, v: np.ndarray, *, batch_size: int, n_steps: int) -> DBN:
    """Two layers of 200 and 100 units, trained for so many minibatches each."""
    n_batches = -(-len(v) // batch_size)

    def make(checkpoint: Path) -> DBN:
        dbn, _ = pretrain_dbn(
            v,
            shop.sizes([200, 100]),
            rng=shop.rng(0),
            epochs=max(1, n_steps // n_batches),
            learning_rate=0.5,
            batch_size=batch_size,
            progress=shop.progress,
        )
        return dbn

    return shop.model(name, make, batch_size, n_steps)


def twenty_images_finding(shop: Workshop, name: str, images: Images, n_many: int) -> Finding:
    """Wrong pixels of the same code with few images, with few updates, and with many of both."""
    v, test = images.train[:n_many], images.test[:1000]
    few = stacked(shop, f"{name}_few", v[:20], batch_size=20, n_steps=shop.steps(1000))
    batch = stacked(shop, f"{name}_batch", v, batch_size=len(v), n_steps=shop.steps(100))
    many = stacked(shop, f"{name}_many", v, batch_size=100, n_steps=shop.steps(3000))
    figures = [
        wrong_pixels("20 images, 1,000 steps: on themselves", few, v[:20]),
        wrong_pixels("on unseen ones", few, test),
        wrong_pixels("all images in one batch, 100 steps: unseen", batch, test),
        wrong_pixels("in minibatches, 3,000 steps: unseen", many, test),
        wrong_pixels("the same with draws in place of means", many, test, shop.rng(2)),
    ]
    on_themselves, unseen, batch_unseen, many_unseen, with_draws = (f.mean for f in figures)
    told = on_themselves < many_unseen < min(unseen, batch_unseen, with_draws)
    return Finding(figures, told)


@row(
    FULL,
    "Why twenty images seem to be enough: wrong pixels of 784",
    goal="fewest on themselves, then in minibatches, most on unseen images or in one batch",
    settings="784-200-100, CD-1, rate 0.5, momentum 0.5, the first 10,000 images; reconstruction "
    "by means through both layers, rounded; 1,000 test images.",
    chosen="usual values, none tried.",
)
def twenty_images(shop: Workshop) -> Finding:
    """Twenty images, one batch of all, minibatches; means and draws."""
    return twenty_images_finding(shop, "twenty_images", shop.mnist, 10_000)


@row(
    QUICK,
    "Why twenty images seem to be enough: wrong pixels of 64",
    goal="fewest on themselves, then in minibatches, most on unseen images or in one batch",
    settings="64-200-100, CD-1, rate 0.5, momentum 0.5; reconstruction by means through both "
    "layers, rounded; the test images.",
    chosen="usual values, none tried.",
)
def digits_twenty_images(shop: Workshop) -> Finding:
    """Twenty images, one batch of all, minibatches; means and draws."""
    return twenty_images_finding(shop, "digits_twenty", shop.digits, 1437)
