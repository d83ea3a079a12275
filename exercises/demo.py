"""`course demo`: a deep belief network trained on the bundled digits, without a screen."""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib
import numpy as np

from dbnlib import data
from dbnlib.bound import estimate_bound
from dbnlib.exact import log_partition
from dbnlib.monitors import reconstruction_error
from dbnlib.predictors import DBNClassifier
from exercises.common import CourseError

#: a top layer this small lets log Z be summed exactly
HIDDEN_SIZES = (200, 16)


def run(out: str | Path, *, seed: int | None = None, epochs: int | None = None) -> int:
    """Train, print a table, write pictures to the folder `out`; returns the exit code 0.

    Parameters
    ----------
    out : folder for the pictures, made if need be
    seed : of everything that is random, 0 if not given
    epochs : passes over the training images for each layer, and again for the fine-tuning; 60 if
        not given

    Raises
    ------
    CourseError
        where the folder cannot be written
    """
    matplotlib.use("agg")
    from dbnlib import plots

    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CourseError(f"cannot write to {folder}: {error}; choose another by --out") from None
    seed, epochs = seed or 0, epochs or 60
    rng = np.random.default_rng(seed)
    digits = data.digits()
    train, test = digits.split(0.8, rng)
    print(
        f"{len(train)} images of 8x8 pixels to learn from, {len(test)} to be tested on.\n"
        f"A DBN of 64-{'-'.join(map(str, HIDDEN_SIZES))} units: {epochs} epochs a layer, "
        f"then {epochs} of fine-tuning, seed {seed}.",
        flush=True,
    )
    began = time.perf_counter()
    classifier = DBNClassifier(
        HIDDEN_SIZES,
        pretraining_epochs=epochs,
        epochs=epochs,
        scaling="global",
        random_state=seed,
    ).fit(train.images, train.labels)
    seconds = time.perf_counter() - began

    dbn = classifier.dbn_
    log_z = log_partition(dbn.top)
    binary = [data.binarise(part.images) for part in (train, test)]
    bounds = [estimate_bound(dbn, v, rng, n_samples=20, top_log_z=log_z) for v in binary]
    print_table(
        [
            (
                "accuracy, %",
                100 * classifier.score(train.images, train.labels),
                100 * classifier.score(test.images, test.labels),
            ),
            (
                "reconstruction error, layer 1",
                reconstruction_error(dbn.rbms[0], train.images),
                reconstruction_error(dbn.rbms[0], test.images),
            ),
            (
                "reconstruction error, whole stack",
                squared_error(dbn, train.images),
                squared_error(dbn, test.images),
            ),
            ("log-likelihood bound, nats", bounds[0].mean, bounds[1].mean),
        ]
    )
    print(
        "The error is the sum of squared pixel differences of an image, pixels from 0 to 1.\n"
        "The bound is the ELBO of images binarised at 0.5; log Z is exact, and the standard error\n"
        f"from 20 draws an image is {bounds[1].mean_standard_error:.2f} nats. "
        f"Training took {seconds:.1f} s."
    )
    shape = digits.shape
    some = test.images[:10]
    figures = {
        "filters": plots.filters(dbn.rbms[0].W, shape),
        "reconstructions": plots.reconstructions(some, dbn.reconstruct(some), shape),
        "samples": plots.image_grid(
            dbn.sample(20, rng, n_steps=2000), shape, title="samples from the DBN"
        ),
        "training": plots.history(
            {f"layer {i}": h for i, h in enumerate(classifier.pretraining_histories_, 1)},
            ["reconstruction_error"],
        ),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
    print(f"Pictures: {', '.join(f'{name}.png' for name in figures)} in {folder.resolve()}")
    return 0


def squared_error(dbn: object, v: np.ndarray) -> float:
    """Mean squared error of the mirror pass through all layers, summed over an image's pixels."""
    return float(np.square(v - dbn.reconstruct(v)).sum(axis=1).mean())


def print_table(rows: list[tuple[str, float, float]]) -> None:
    """Rows of a name, a number for the training images and one for the test images."""
    width = max(len(name) for name, _, _ in rows)
    print(f"\n{'':{width}}  {'training':>9}  {'test':>9}")
    for name, train, test in rows:
        print(f"{name:{width}}  {train:9.2f}  {test:9.2f}")
    print()
