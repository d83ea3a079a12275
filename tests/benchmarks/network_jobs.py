"""Jobs about the network 784-500-500-2000-10: an epoch of fine-tuning, and a single prediction."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from dbnlib import SGD, DBNClassifier, Network, train_network
from tests.benchmarks.jobs import FLOOR, OURS, Found, Line, Scale, job, race, ratio_lines, run_race
from tests.benchmarks.peers import is_here
from tests.benchmarks.rbm_jobs import binary_rows

SIZES = (784, 500, 500, 2000, 10)
BATCH, RATE, MOMENTUM, DECAY = 100, 0.1, 0.9, 0.0001
Work = Callable[[], object]


def labels(n_rows: int) -> np.ndarray:
    """A class for each row."""
    return np.random.default_rng(1).integers(10, size=n_rows)


def by_dbnlib(x: np.ndarray, y: np.ndarray) -> Work:
    """One epoch of `train_network`."""
    rng = np.random.default_rng(0)
    network = Network.random(SIZES, rng)
    settings = {"optimiser": SGD(RATE, momentum=MOMENTUM), "weight_decay": DECAY}
    return lambda: train_network(network, x, y, epochs=1, rng=rng, progress=False, **settings)


def products(x: np.ndarray) -> Work:
    """The products of backpropagation: forward, down for the errors, and each layer's slope."""
    rng = np.random.default_rng(0)
    weights = [
        0.01 * rng.standard_normal(shape, dtype=np.float32) for shape in itertools.pairwise(SIZES)
    ]
    slopes = [np.empty_like(W) for W in weights]
    layers = [rng.random((BATCH, n), dtype=np.float32) for n in SIZES]
    errors = [rng.random((BATCH, n), dtype=np.float32) for n in SIZES]

    def work() -> None:
        for start in range(0, len(x), BATCH):
            layers[0] = x[start : start + BATCH]
            for k, W in enumerate(weights):
                np.matmul(layers[k], W, out=layers[k + 1])
            for k in reversed(range(len(weights))):
                np.matmul(layers[k].T, errors[k + 1], out=slopes[k])
                if k:
                    np.matmul(errors[k + 1], weights[k].T, out=errors[k])

    return work


def by_scikit_learn(x: np.ndarray, y: np.ndarray) -> Work:
    """One epoch of its network with the same layers and rule."""
    model = MLPClassifier(
        SIZES[1:-1],
        activation="logistic",
        solver="sgd",
        alpha=DECAY,
        batch_size=BATCH,
        learning_rate_init=RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        max_iter=1,
    )

    def work() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(x, y)

    return work


def by_torch(x: np.ndarray, y: np.ndarray) -> Work:
    """One epoch in torch, as its tutorials write it."""
    import torch
    from torch import nn

    rows, targets = torch.from_numpy(x), torch.from_numpy(y)
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(SIZES):
        layers += [nn.Linear(n_in, n_out), nn.Sigmoid()]
    network, loss = nn.Sequential(*layers[:-1]), nn.CrossEntropyLoss()
    settings = {"lr": RATE, "momentum": MOMENTUM, "weight_decay": DECAY}
    optimiser = torch.optim.SGD(network.parameters(), **settings)

    def work() -> None:
        order = torch.randperm(len(rows))
        for start in range(0, len(rows), BATCH):
            chosen = order[start : start + BATCH]
            optimiser.zero_grad()
            loss(network(rows[chosen]), targets[chosen]).backward()
            optimiser.step()

    return work


@job(
    "Fine-tuning epoch, 784-500-500-2000-10",
    "`train_network`: sigmoid layers, softmax, SGD with momentum and weight decay, batch 100.",
)
def fine_tuning(scale: Scale) -> Found:
    """Backpropagation against everyone."""
    n_rows = max(BATCH, scale.rows // 4 // BATCH * BATCH)
    x, y = binary_rows(n_rows), labels(n_rows)
    contestants = {OURS: by_dbnlib(x, y), FLOOR: products(x)}
    contestants["scikit-learn, float32"] = by_scikit_learn(x, y)
    contestants["scikit-learn, float64"] = by_scikit_learn(x.astype(np.float64), y)
    if is_here("torch"):
        contestants["torch"] = by_torch(x, y)
    goals = {FLOOR: 0.68, "scikit-learn, float32": 1.4, "scikit-learn, float64": 2.7, "torch": 1.0}
    return run_race("fine-tuning", contestants, scale, goals)


@job(
    "One-row prediction, 784-500-500-2000-10",
    "The time of one image, as in a live demonstration: `Network.predict` and "
    "`DBNClassifier.predict_proba`, over the four products of the same row.",
)
def one_row(scale: Scale) -> Found:
    """How much the checks around the products cost."""
    x, y = binary_rows(50), labels(50)
    settings = {"pretraining_epochs": 0, "epochs": 1, "scaling": None, "progress": False}
    model = DBNClassifier(SIZES[1:-1], random_state=0, **settings).fit(x, y)
    (network,) = model.networks_
    row = x[:1]

    def repeated(call: Work) -> Work:
        def work() -> None:
            for _ in range(scale.calls):
                call()

        return work

    def bare() -> None:
        a = row
        for W in network.weights:
            a = a @ W

    contestants = {
        FLOOR: repeated(bare),
        "network": repeated(lambda: network.predict(row)),
        "estimator": repeated(lambda: model.predict_proba(row)),
    }
    seconds = race(contestants, scale.rounds, "one row")
    # here the floor is the unit: ours over the products
    found = {"network": 1.5, "estimator": 3.0}
    lines: list[Line] = []
    for name, most in found.items():
        only = {FLOOR: seconds[name], OURS: seconds[FLOOR]}
        (line,) = ratio_lines(only, {})
        line.what, line.unit, line.at_most = f"{name}, over its products", "×", most
        lines.append(line)
    return Found(lines, seconds=seconds)
