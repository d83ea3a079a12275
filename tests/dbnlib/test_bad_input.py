"""What every public function says to input that it cannot use, and odd input that must work.

Two tables. A row of the first is a wrong call and the error it gets: its class, and the words that
tell what was given, what was wanted, or what to do. A row of the second is an array in an unusual
form, which must give the same numbers as the plain one.
"""

import functools
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError

import dbnlib
from dbnlib import (
    CD,
    DBN,
    PCD,
    PT,
    RBM,
    SGD,
    Adam,
    Bernoulli,
    BoltzmannMachine,
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    ExactGradient,
    Gaussian,
    Groups,
    History,
    Network,
    RBMTransformer,
    ReLU,
    Softmax,
    ais,
    ais_both,
    assess_samples,
    complete,
    data,
    estimate_bound,
    evaluate,
    exact_bound,
    exact_log_likelihood,
    importance_weighted_bound,
    load,
    log_likelihood,
    log_partition,
    parallel_tempering,
    plots,
    pretrain_dbn,
    pseudo_log_likelihood,
    save,
    train_network,
    train_rbm,
    wake_sleep,
)
from dbnlib.boltzmann_training import train_boltzmann
from dbnlib.checks import DataError, NotNormalisableError, StorageError
from dbnlib.finetuning import autoencoder_from_dbn, network_from_dbn
from dbnlib.sampling import anneal, geometric_betas, record_chain, run_chain, states_seen
from dbnlib.schedules import linear

# ---- right input, for the wrong calls to differ from in one point

GREY = np.random.default_rng(0).random((12, 6))
BITS = (GREY > 0.5).astype(float)
LABELS = np.arange(12) % 3
RAGGED = [[1, 2], [1]]
WITH_NAN = np.where(np.eye(12, 6), np.nan, BITS)
WITH_INF = np.where(np.eye(12, 6), -np.inf, BITS)


def rng():
    return np.random.default_rng(0)


def rbm(**settings):
    return RBM.random(6, 3, rng(), **{"scale": 1.0, "data": BITS, **settings})


def dbn(*sizes, **settings):
    return DBN([RBM.random(n, m, rng(), **settings) for n, m in pairwise(sizes or (6, 4, 3))])


def network():
    return Network.random([6, 4, 3], rng())


def machine():
    return BoltzmannMachine.random(4, 2, rng())


def fit_rbm(v=BITS, model=None, **settings):
    return train_rbm(model or rbm(), v, **{"epochs": 1, "rng": rng(), **settings})


def fit_dbn(v=BITS, hidden_sizes=(4, 3), **settings):
    return pretrain_dbn(v, hidden_sizes, **{"epochs": 1, "rng": rng(), **settings})


def labelled():
    """A DBN with a label unit for LABELS in its top RBM, ways up and down untied."""
    top = RBM.random(7, 3, rng(), visible=Groups([Bernoulli(4), Softmax(3)]))
    return DBN([RBM.random(6, 4, rng()), top]).untied()


def fine_tune(v=BITS, labels=LABELS, model=None, **settings):
    return wake_sleep(model or labelled(), v, labels, **{"epochs": 1, "rng": rng(), **settings})


def fill_in(v=BITS, model=None, known=np.arange(6) < 3, **settings):  # noqa: B008
    return complete(model or rbm(), v, known, rng(), **{"n_steps": 3, "n_average": 2, **settings})


def assess(samples=BITS, **change):
    grounds = {"train": GREY, "train_labels": LABELS, "held_out": BITS, "wanted_labels": LABELS}
    return assess_samples(samples, **{**grounds, "classifier": fitted(DBNClassifier), **change})


def fit_network(x=GREY, y=LABELS, model=None, **settings):
    settings = {"epochs": 1, "rng": rng(), "optimiser": SGD(0.1), **settings}
    return train_network(model or network(), x, y, **settings)


def rbm_transformer(**settings):
    return RBMTransformer(**{"n_components": 4, "epochs": 1, "random_state": 0, **settings})


def small(kind, **settings):
    """An estimator of one hidden layer that fits in a moment."""
    if kind is RBMTransformer:
        return rbm_transformer(**settings)
    plain = {"hidden_sizes": (4,), "pretraining_epochs": 1, "random_state": 0}
    plain |= {} if kind is DBNTransformer else {"epochs": 1}
    plain |= {"n_members": 2} if kind is DBNRegressor else {}
    return kind(**{**plain, **settings})


@functools.cache
def fitted(kind):
    return small(kind).fit(GREY, LABELS)


def answer(model, X):
    return model.predict(X) if hasattr(model, "predict") else model.transform(X)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


# ---- what must be refused


class Case(NamedTuple):
    """A wrong call: the public name it is made to, what is wrong, and what it is told."""

    name: str
    wrong: str
    call: Callable[[Path], object]  # takes an empty folder
    error: type[Exception]
    words: tuple[str, ...]  # all of them stand in the message


def case(name, wrong, call, error, *words):
    return Case(name, wrong, call, error, words)


GENERATOR = ("rng must be a numpy.random.Generator", "write rng=numpy.random.default_rng(0)")

REFUSED = [
    # an array that is none: the check that all models share
    case("RBM", "1-D weights", lambda _: RBM([1.0, 2.0]), ValueError, "W must have 2 dimensions"),
    case("RBM", "a number", lambda _: RBM(3.0), ValueError, "W must have 2 dimensions, got shape"),
    case("RBM", "ragged rows", lambda _: RBM(RAGGED), ValueError, "W is no array", "in length"),
    case("RBM", "NaN", lambda _: RBM(WITH_NAN), ValueError, "W holds 6 values", "drop them first"),
    case("RBM", "infinity", lambda _: RBM(WITH_INF), ValueError, "W holds 6 values", "infinite"),
    case("RBM", "words", lambda _: RBM([["a"]]), TypeError, "real numbers, got dtype <U1"),
    case("RBM", "None", lambda _: RBM(None), TypeError, "real numbers, got dtype object"),
    case("RBM", "objects", lambda _: RBM(GREY.astype(object)), TypeError, "convert it to float"),
    case("RBM", "complex", lambda _: RBM([[1j]]), TypeError, "real numbers, got dtype complex128"),
    case("RBM", "sparse", lambda _: RBM(scipy.sparse.eye(3)), TypeError, "pass W.toarray()"),
    case("RBM", "no rows", lambda _: RBM(np.zeros((0, 3))), ValueError, "W is empty", "(0, 3)"),
    # RBM
    case("RBM", "short b", lambda _: RBM(GREY, b=[0, 0]), ValueError, "b must have length 12"),
    case("RBM", "unknown units", lambda _: RBM(GREY, visible="binary"), ValueError, "'binary'"),
    case("RBM", "a class of units", lambda _: RBM(GREY, hidden=Bernoulli), ValueError, "a layer"),
    case("RBM", "a seed", lambda _: RBM.random(3, 2, 42), TypeError, "got 42", *GENERATOR),
    case("RBM", "no units", lambda _: RBM.random(0, 2, rng()), ValueError, "n_visible must be at"),
    case("RBM", "True units", lambda _: RBM.random(True, 2, rng()), TypeError, "got True"),
    case("RBM", "one row as 1-D", lambda _: rbm().free_energy(BITS[0]), ValueError, "v[None, :]"),
    case("RBM", "no examples", lambda _: rbm().hidden_mean(BITS[:0]), ValueError, "v is empty"),
    case("RBM", "pixels to 255", lambda _: rbm().hidden_mean(255 * BITS), ValueError, "0 to 255"),
    case("RBM", "k=0", lambda _: rbm().reconstruct(BITS, k=0), ValueError, "k must be at least 1"),
    case("RBM", "k=1.5", lambda _: rbm().reconstruct(BITS, k=1.5), TypeError, "whole number"),
    case("RBM", "k=True", lambda _: rbm().reconstruct(BITS, k=True), TypeError, "got True"),
    case(
        "RBM",
        "a legacy RandomState",
        lambda _: rbm().sample_hidden(BITS, np.random.RandomState(0)),
        TypeError,
        "got RandomState",
        *GENERATOR,
    ),
    case(
        "RBM",
        "v and h of other lengths",
        lambda _: rbm().energy(BITS, np.zeros((2, 3))),
        ValueError,
        "v has 12 rows and h has 2; they must be pairs",
    ),
    # layers of units
    case("Bernoulli", "no units", lambda _: Bernoulli(0), ValueError, "number of Bernoulli units"),
    case("Gaussian", "half a unit", lambda _: Gaussian(1.5), TypeError, "whole number, got 1.5"),
    case("ReLU", "a name", lambda _: ReLU("3"), TypeError, "number of ReLU units", "got '3'"),
    case("Softmax", "minus one", lambda _: Softmax(-1), ValueError, "at least 1, got -1"),
    case("Groups", "numbers", lambda _: Groups([3, 4]), TypeError, "list of layers", "got [3, 4]"),
    case(
        "RBM", "whole weights", lambda _: RBM.random(3, 2, rng(), dtype=int), TypeError, "float64"
    ),
    case("RBM", "a list of units", lambda _: RBM(GREY, visible=["relu"]), ValueError, "['relu']"),
    # training an RBM
    case("CD", "k=0", lambda _: CD(0), ValueError, "k must be at least 1, got 0"),
    case("CD", "k=-1", lambda _: CD(-1), ValueError, "k must be at least 1, got -1"),
    case("CD", "k=1.0", lambda _: CD(1.0), TypeError, "k must be a whole number, got 1.0"),
    case("PCD", "no chains", lambda _: PCD(n_chains=0), ValueError, "n_chains must be at least 1"),
    case(
        "ExactGradient",
        "a machine too large",
        lambda _: fit_rbm(np.ones((2, 40)), RBM.random(40, 40, rng()), gradient=ExactGradient()),
        NotNormalisableError,
        "too large to enumerate",
        "at most 2^25 states",
    ),
    case("train_rbm", "ragged rows", lambda _: fit_rbm(RAGGED), ValueError, "v is no array"),
    case("train_rbm", "NaN", lambda _: fit_rbm(WITH_NAN), ValueError, "v holds 6 values"),
    case("train_rbm", "other width", lambda _: fit_rbm(BITS[:, 1:]), ValueError, "length 6 along"),
    case("train_rbm", "epochs=2.5", lambda _: fit_rbm(epochs=2.5), TypeError, "whole number"),
    case("train_rbm", "rate NaN", lambda _: fit_rbm(learning_rate=np.nan), ValueError, "finite"),
    case("train_rbm", "rate a word", lambda _: fit_rbm(learning_rate="0.1"), TypeError, "'0.1'"),
    case(
        "train_rbm",
        "a schedule of words",
        lambda _: fit_rbm(learning_rate=lambda epoch: "slow"),
        TypeError,
        "learning_rate in the first epoch must be a number, got 'slow'",
    ),
    case("train_rbm", "a seed", lambda _: fit_rbm(rng=0), TypeError, "got 0", *GENERATOR),
    case("train_rbm", "gradient 'cd'", lambda _: fit_rbm(gradient="cd"), TypeError, "CD(k), PCD("),
    case(
        "train_rbm",
        "one name for a list",
        lambda _: fit_rbm(monitors="log_likelihood"),
        ValueError,
        "must be a list of names, got the string 'log_likelihood'",
    ),
    case(
        "train_rbm",
        "the likelihood of grey rows",
        lambda _: fit_rbm(GREY, monitors=["log_likelihood"]),
        ValueError,
        "between the states of Bernoulli(6)",
        "binarise them first",
    ),
    case(
        "train_rbm",
        "a folder as checkpoint",
        lambda folder: fit_rbm(checkpoint=folder),
        IsADirectoryError,
        "is a folder; give the name of a file in it",
    ),
    case(
        "train_rbm",
        "a checkpoint beneath a file",
        lambda folder: fit_rbm(checkpoint=written(folder, b"") / "rbm.npz"),
        FileNotFoundError,
        "there is no folder",
        "to write rbm.npz to",
    ),
    case(
        "train_rbm",
        "somebody's text as checkpoint",
        lambda folder: fit_rbm(checkpoint=written(folder, b"a letter")),
        StorageError,
        "is no dbnlib file, or it is damaged",
    ),
    case(
        "train_rbm",
        "a model as checkpoint",
        lambda folder: fit_rbm(checkpoint=save(folder / "rbm.npz", rbm())),
        StorageError,
        "is no checkpoint of RBM",
        "remove it",
    ),
    case(
        "train_rbm",
        "the checkpoint of another rate",
        lambda folder: [
            fit_rbm(checkpoint=folder / "a.npz", learning_rate=rate) for rate in (0.1, 0.2)
        ],
        StorageError,
        "checkpoint of another run: learning_rate differ",
        "Give a new path",
    ),
    case(
        "train_rbm",
        "the checkpoint of another kind of generator",
        lambda folder: [
            fit_rbm(checkpoint=folder / "a.npz", rng=np.random.Generator(kind(0)), epochs=2)
            for kind in (np.random.PCG64, np.random.SFC64)
        ],
        StorageError,
        "written with the generator PCG64, and rng is a SFC64",
    ),
    *(
        case(call.__name__, "another kind of model", run, TypeError, *words)
        for call, run, words in (
            (train_rbm, lambda _: fit_rbm(model=dbn()), ["rbm must be an RBM, got DBN("]),
            (log_partition, lambda _: log_partition(dbn()), ["must be an RBM, got DBN("]),
            (log_likelihood, lambda _: log_likelihood(dbn(), BITS), ["an RBM, got DBN("]),
            (pseudo_log_likelihood, lambda _: pseudo_log_likelihood(dbn(), BITS), ["an RBM, got"]),
            (exact_bound, lambda _: exact_bound(rbm(), BITS), ["dbn must be a DBN, got RBM("]),
            (exact_log_likelihood, lambda _: exact_log_likelihood(rbm(), BITS), ["a DBN, got RBM"]),
            (estimate_bound, lambda _: estimate_bound(rbm(), BITS, rng()), ["a DBN, got RBM("]),
            (network_from_dbn, lambda _: network_from_dbn(rbm(), 2, rng()), ["a DBN, got RBM("]),
            (ais, lambda _: ais(dbn(), rng()), ["rbm must be an RBM, got DBN("]),
            (
                parallel_tempering,
                lambda _: parallel_tempering(dbn(), BITS, 2, rng()),
                ["rbm must be an RBM, got DBN("],
            ),
            (
                importance_weighted_bound,
                lambda _: importance_weighted_bound(rbm(), BITS, rng()),
                ["dbn must be a DBN, got RBM("],
            ),
            (autoencoder_from_dbn, lambda _: autoencoder_from_dbn(rbm()), ["a DBN, got RBM("]),
            (DBN, lambda _: DBN(rbm()), ["a list of at least one RBM, got RBM("]),
            (
                train_boltzmann,
                lambda _: train_boltzmann(rbm(), BITS, epochs=1, rng=rng()),
                ["machine must be a BoltzmannMachine, got RBM("],
            ),
        )
    ),
    # what is exact
    case(
        "log_likelihood",
        "log Z that is NaN",
        lambda _: log_likelihood(rbm(), BITS, log_z=np.nan),
        ValueError,
        "log_z must be a finite number",
    ),
    case(
        "exact_bound",
        "log Z in words",
        lambda _: exact_bound(dbn(), BITS, top_log_z="7"),
        TypeError,
        "top_log_z must be a number, got '7'",
    ),
    case(
        "log_partition",
        "too many units",
        lambda _: log_partition(RBM.random(26, 26, rng())),
        NotNormalisableError,
        "too large to enumerate",
        "annealed importance sampling",
    ),
    case(
        "log_likelihood",
        "grey rows",
        lambda _: log_likelihood(rbm(), GREY),
        ValueError,
        "v holds values between the states",
        "dbnlib.data.binarise",
    ),
    case(
        "pseudo_log_likelihood",
        "Gaussian units",
        lambda _: pseudo_log_likelihood(rbm(visible="gaussian"), BITS),
        ValueError,
        "needs Bernoulli visible units, not Gaussian(6)",
    ),
    case(
        "pseudo_log_likelihood",
        "more flips than units",
        lambda _: pseudo_log_likelihood(rbm(), BITS, n_flips=7, rng=rng()),
        ValueError,
        "n_flips is 7, but there are 6 visible units",
    ),
    case(
        "pseudo_log_likelihood",
        "flips without a generator",
        lambda _: pseudo_log_likelihood(rbm(), BITS, n_flips=2),
        TypeError,
        *GENERATOR,
    ),
    case(
        "exact_bound",
        "layers too wide",
        lambda _: exact_bound(dbn(6, 30, 3), BITS),
        NotNormalisableError,
        "too wide to sum over",
        "use estimate_bound",
    ),
    case(
        "exact_log_likelihood",
        "grey rows",
        lambda _: exact_log_likelihood(dbn(), GREY),
        ValueError,
        "have an energy but no probability",
    ),
    case(
        "estimate_bound",
        "one draw",
        lambda _: estimate_bound(dbn(), BITS, rng(), n_samples=1),
        ValueError,
        "n_samples must be at least 2, got 1",
    ),
    case("estimate_bound", "a seed", lambda _: estimate_bound(dbn(), BITS, 1), TypeError, "got 1"),
    # estimates of log Z
    case("ais", "a seed", lambda _: ais(rbm(), 3), TypeError, "got 3", *GENERATOR),
    case("ais", "one chain", lambda _: ais(rbm(), rng(), n_chains=1), ValueError, "at least 2"),
    case(
        "ais", "NaN", lambda _: ais(rbm(), rng(), betas=[0, np.nan, 1]), ValueError, "betas holds"
    ),
    case(
        "ais",
        "betas that fall",
        lambda _: ais(rbm(), rng(), betas=[1, 0]),
        ValueError,
        "betas must rise from 0 to 1",
        "numpy.linspace(0, 1, 1000)",
    ),
    case(
        "ais",
        "a machine with infinite Z",
        lambda _: ais(RBM(np.eye(2), visible="gaussian", hidden="gaussian"), rng()),
        NotNormalisableError,
        "the largest singular value 1",
        "Scale W down",
    ),
    case(
        "ais_both",
        "a gap below zero",
        lambda _: ais_both(rbm(), rng(), max_gap=-1, n_chains=2, n_betas=2),
        ValueError,
        "max_gap must be a finite number in [0, inf]",
    ),
    case("PT", "betas that rise", lambda _: PT(betas=[0, 1]), ValueError, "must start with 1 and"),
    case(
        "parallel_tempering",
        "NaN",
        lambda _: parallel_tempering(rbm(), WITH_NAN, 2, rng()),
        ValueError,
        "v holds 6 values",
    ),
    case(
        "evaluate",
        "a network",
        lambda _: evaluate(network(), BITS, None, rng()),
        TypeError,
        "model must be an RBM or a DBN, got Network(",
    ),
    case(
        "evaluate",
        "held-out rows of another width",
        lambda _: evaluate(rbm(), BITS, BITS[:, 1:], rng()),
        ValueError,
        "held_out must have length 6 along axis 1",
    ),
    case(
        "importance_weighted_bound",
        "one repetition",
        lambda _: importance_weighted_bound(dbn(), BITS, rng(), n_repeats=1),
        ValueError,
        "n_repeats must be at least 2, got 1",
    ),
    # DBN
    case("DBN", "no RBMs", lambda _: DBN([]), TypeError, "at least one RBM, got []"),
    case("DBN", "networks", lambda _: DBN([network()]), TypeError, "RBMs only, got [Network("),
    case(
        "DBN",
        "layers that do not meet",
        lambda _: DBN([rbm(), rbm()]),
        ValueError,
        "layer 1 ends in Bernoulli(3) and layer 2 starts from Bernoulli(6)",
    ),
    case("DBN", "too deep", lambda _: dbn().up(BITS, depth=3), ValueError, "there are 2 hidden"),
    case(
        "DBN",
        "visible rows sent down",
        lambda _: dbn().down(BITS),
        ValueError,
        "h must have length 3 along axis 1",
    ),
    case("DBN", "no samples", lambda _: dbn().sample(0, rng()), ValueError, "n_samples must be"),
    case("pretrain_dbn", "1-D rows", lambda _: fit_dbn(BITS[0]), ValueError, "write v[None, :]"),
    case("pretrain_dbn", "no layers", lambda _: fit_dbn(BITS, []), ValueError, "at least one hid"),
    case("pretrain_dbn", "half precision", lambda _: fit_dbn(dtype="f2"), TypeError, "got 'f2'"),
    case("pretrain_dbn", "half a unit", lambda _: fit_dbn(BITS, [2.5]), TypeError, "got 2.5"),
    case("pretrain_dbn", "digits in words", lambda _: fit_dbn(BITS, "43"), TypeError, "got '43'"),
    case("pretrain_dbn", "one size", lambda _: fit_dbn(BITS, 4), TypeError, "a list such as [256"),
    case("pretrain_dbn", "epochs", lambda _: fit_dbn(epochs=[1]), ValueError, "1 entries for 2"),
    case("pretrain_dbn", "units", lambda _: fit_dbn(hidden="sigmoid"), ValueError, "got 'sigmoid'"),
    case("pretrain_dbn", "start", lambda _: fit_dbn(start="zero"), ValueError, "'transposed', got"),
    case(
        "pretrain_dbn",
        "rows that are no labels",
        lambda _: fit_dbn(visible="softmax"),
        ValueError,
        "must sum to 1",
        "pass one-hot rows",
    ),
    case(
        "pretrain_dbn",
        "labels beside a single layer",
        lambda _: fit_dbn(hidden_sizes=[4], labels=LABELS),
        ValueError,
        "give at least two hidden_sizes",
    ),
    case("DBN", "labels", lambda _: dbn().up(BITS, labels=LABELS), ValueError, "has no label unit"),
    case(
        "DBN",
        "labels as words",
        lambda _: labelled().sample(2, rng(), labels=["a", "b"]),
        TypeError,
        "labels must hold real numbers",
    ),
    # wake-sleep
    case("wake_sleep", "an RBM", lambda _: fine_tune(model=rbm()), TypeError, "a DBN, got RBM("),
    case(
        "wake_sleep",
        "ways that share their weights",
        lambda _: fine_tune(labels=None, model=dbn()),
        ValueError,
        "have weights of their own",
        "pass dbn.untied()",
    ),
    case("wake_sleep", "no labels", lambda _: fine_tune(labels=None), ValueError, "pass labels=.."),
    case(
        "wake_sleep",
        "labels too many",
        lambda _: fine_tune(model=dbn().untied()),
        ValueError,
        "labels were given, but DBN(",
        "has no label unit",
    ),
    case("wake_sleep", "label 9", lambda _: fine_tune(labels=[9] * 12), ValueError, "from 0 to 2"),
    case("wake_sleep", "NaN", lambda _: fine_tune(WITH_NAN), ValueError, "v holds 6 values"),
    case("wake_sleep", "a seed", lambda _: fine_tune(rng=0), TypeError, "got 0", *GENERATOR),
    case(
        "wake_sleep",
        "a gradient without chains",
        lambda _: fine_tune(gradient=ExactGradient()),
        TypeError,
        "ExactGradient() runs no chains; use CD(k), PCD(k) or PT(k)",
    ),
    # completion
    case("complete", "a network", lambda _: fill_in(model=network()), TypeError, "an RBM or a DBN"),
    case("complete", "other width", lambda _: fill_in(BITS[:, 1:]), ValueError, "length 6 along"),
    case("complete", "ragged rows", lambda _: fill_in(RAGGED), ValueError, "v is no array"),
    case("complete", "sparse", lambda _: fill_in(scipy.sparse.eye(6)), TypeError, "v.toarray()"),
    case(
        "complete",
        "NaN among the known",
        lambda _: fill_in(WITH_NAN),
        ValueError,
        "v holds 3 values that are NaN",
    ),
    case(
        "complete",
        "numbers of the known columns",
        lambda _: fill_in(known=[0, 1, 2]),
        TypeError,
        "known must hold True and False, got dtype int",
    ),
    case(
        "complete",
        "a short mask",
        lambda _: fill_in(known=[True, False]),
        ValueError,
        "known must have shape (6,) or (12, 6), got (2,)",
    ),
    case(
        "complete",
        "an average over more than all",
        lambda _: fill_in(n_average=4),
        ValueError,
        "n_average is 4, but there are only n_steps=3",
    ),
    case("complete", "labels", lambda _: fill_in(labels=LABELS), ValueError, "has no label unit"),
    # samples
    case("assess_samples", "NaN", lambda _: assess(WITH_NAN), ValueError, "samples holds 6 values"),
    case("assess_samples", "other width", lambda _: assess(BITS[:, 1:]), ValueError, "length 6"),
    case(
        "assess_samples",
        "words for classes",
        lambda _: assess(wanted_labels=["a"] * 12),
        TypeError,
        "wanted_labels must hold real numbers",
    ),
    case(
        "assess_samples",
        "a name for a classifier",
        lambda _: assess(classifier="svm"),
        TypeError,
        "classifier must have a method predict, got 'svm'",
    ),
    case(
        "assess_samples",
        "training images held out",
        lambda _: assess(held_out=GREY),
        ValueError,
        "most of its rows stand in train too",
    ),
    # networks
    case(
        "Network",
        "an unknown activation",
        lambda _: Network([GREY], [np.zeros(6)], ["gelu"]),
        ValueError,
        "activations[0] must be one of 'sigmoid', 'tanh'",
        "got 'gelu'",
    ),
    case(
        "Network",
        "layers that do not meet",
        lambda _: Network([GREY, GREY], [np.zeros(6)] * 2, ["tanh"] * 2),
        ValueError,
        "weights[1] must have length 6 along axis 0, got shape (12, 6)",
    ),
    case(
        "Network", "dtype", lambda _: Network.random([3, 2], rng(), dtype=int), TypeError, "dtype"
    ),
    case("Network", "one size", lambda _: Network.random([3], rng()), ValueError, "got [3]"),
    case(
        "Network",
        "another width at predict",
        lambda _: network().predict(GREY[:, 1:]),
        ValueError,
        "x must have length 6 along axis 1",
    ),
    case("SGD", "a rate below zero", lambda _: SGD(-0.1), ValueError, "learning_rate", "got -0.1"),
    case("Adam", "beta of one", lambda _: Adam(beta2=1.0), ValueError, "beta2 must be below 1"),
    case("train_network", "lengths", lambda _: fit_network(y=[0, 1]), ValueError, "2 rows for 12"),
    case(
        "train_network",
        "classes from 1",
        lambda _: fit_network(y=LABELS + 1),
        ValueError,
        "whole numbers from 0 to 2",
        "numpy.unique(labels, return_inverse=True)",
    ),
    case(
        "train_network",
        "labels in words",
        lambda _: fit_network(y=np.array(["a", "b", "c"])[LABELS]),
        TypeError,
        "y must hold real numbers, got dtype <U1",
    ),
    case(
        "train_network",
        "the optimiser's name",
        lambda _: fit_network(optimiser="adam"),
        TypeError,
        "optimiser must be SGD(...) or Adam(...), got 'adam'",
    ),
    case("train_network", "no network", lambda _: fit_network(model=rbm()), TypeError, "got RBM("),
    case(
        "train_network",
        "patience without held-out rows",
        lambda _: fit_network(patience=3),
        ValueError,
        "pass held_out=(x_valid, y_valid)",
    ),
    case(
        "network_from_dbn",
        "label units inside",
        lambda _: network_from_dbn(dbn(6, 4, hidden="softmax"), 2, rng()),
        ValueError,
        "cannot be made of Softmax(4)",
    ),
    case(
        "autoencoder_from_dbn",
        "ReLU pixels",
        lambda _: autoencoder_from_dbn(dbn(6, 4, visible="relu")),
        ValueError,
        "needs Bernoulli or Gaussian visible units",
    ),
    # general machines
    case(
        "BoltzmannMachine",
        "couplings of one way only",
        lambda _: BoltzmannMachine([[0, 1], [2, 0]]),
        ValueError,
        "differ by up to 1",
        "pass (J + J.T) / 2",
    ),
    case(
        "BoltzmannMachine",
        "a unit tied to itself",
        lambda _: BoltzmannMachine(np.eye(2)),
        ValueError,
        "zero diagonal",
        "numpy.fill_diagonal(J, 0)",
    ),
    case(
        "BoltzmannMachine",
        "spins for bits",
        lambda _: machine().energy([[1, -1, 1, 1, 1, 1]]),
        ValueError,
        "must hold only 0 and 1, got -1",
        "dbnlib.spins.to_bits",
    ),
    case(
        "train_boltzmann",
        "phases by name",
        lambda _: train_boltzmann(machine(), BITS[:, :4], epochs=1, rng=rng(), phases="exact"),
        TypeError,
        "ExactPhases() or SampledPhases(...), got 'exact'",
    ),
    # chains
    case(
        "run_chain", "NaN", lambda _: run_chain(rbm(), WITH_NAN, 3, rng()), ValueError, "6 values"
    ),
    case("run_chain", "a seed", lambda _: run_chain(rbm(), BITS, 3, 7), TypeError, "got 7"),
    case("run_chain", "steps", lambda _: run_chain(rbm(), BITS, -1, rng()), ValueError, "n_steps"),
    case(
        "run_chain",
        "a beta below zero",
        lambda _: run_chain(rbm(), BITS, 3, rng(), beta=-1.0),
        ValueError,
        "beta must be a finite number in [0, inf], got -1.0",
    ),
    case("states_seen", "grey", lambda _: states_seen(GREY, 6), ValueError, "only 0 and 1, got"),
    case(
        "record_chain",
        "every 0 steps",
        lambda _: record_chain(rbm(), BITS, 3, rng(), every=0),
        ValueError,
        "every must be at least 1",
    ),
    case("anneal", "words", lambda _: anneal(rbm(), [["a"]], [1], rng()), TypeError, "states must"),
    case("anneal", "NaN", lambda _: anneal(rbm(), BITS, [1, np.nan], rng()), ValueError, "betas"),
    case("geometric_betas", "0", lambda _: geometric_betas(0, 1, 3), ValueError, "(0, inf], got 0"),
    case("linear", "no epochs", lambda _: linear(0.1, 0.0, 0), ValueError, "epochs must be at"),
    # estimators: scikit-learn speaks of shapes and of what is missing, we of the settings
    case(
        "DBNClassifier",
        "labels of other rows",
        lambda _: small(DBNClassifier).fit(GREY, LABELS[:4]),
        ValueError,
        "inconsistent numbers of samples: [12, 4]",
    ),
    case(
        "DBNClassifier",
        "one class",
        lambda _: small(DBNClassifier).fit(GREY, np.ones(12)),
        ValueError,
        "y has one class only, 1.0; a classifier needs at least two",
    ),
    case(
        "DBNClassifier",
        "one row",
        lambda _: small(DBNClassifier).fit(GREY[:1], LABELS[:1]),
        ValueError,
        "y has one class only, 0",
    ),
    case(
        "DBNClassifier",
        "targets of a regression",
        lambda _: small(DBNClassifier).fit(GREY, GREY[:, 0]),
        ValueError,
        "Unknown label type: continuous",
    ),
    case(
        "DBNClassifier",
        "one-hot labels",
        lambda _: small(DBNClassifier).fit(GREY, np.eye(3)[LABELS]),
        ValueError,
        "y should be a 1d array, got an array of shape (12, 3)",
    ),
    case(
        "DBNClassifier",
        "no labels",
        lambda _: small(DBNClassifier).fit(GREY, None),
        ValueError,
        "requires y to be passed",
    ),
    case(
        "DBNClassifier",
        "unlabelled rows of another width",
        lambda _: small(DBNClassifier).fit(GREY, LABELS, GREY[:, 1:]),
        ValueError,
        "X has 5 features, but DBNClassifier is expecting 6",
    ),
    case(
        "DBNClassifier",
        "unlabelled rows with NaN",
        lambda _: small(DBNClassifier).fit(GREY, LABELS, WITH_NAN),
        ValueError,
        "contains NaN",
    ),
    case(
        "DBNClassifier",
        "an unknown optimiser",
        lambda _: small(DBNClassifier, optimiser="rmsprop").fit(GREY, LABELS),
        ValueError,
        "optimiser must be one of 'sgd', 'adam', got 'rmsprop'",
    ),
    case(
        "DBNClassifier",
        "dropout of one",
        lambda _: small(DBNClassifier, dropout=(0.2, 1.0)).fit(GREY, LABELS),
        ValueError,
        "must be below 1, got (0.2, 1.0); 1 would drop every unit",
    ),
    case(
        "DBNClassifier",
        "all rows held out",
        lambda _: small(DBNClassifier, validation_fraction=1.0).fit(GREY, LABELS),
        ValueError,
        "validation_fraction must be a finite number in [0, 0.9], got 1.0",
    ),
    case(
        "DBNClassifier",
        "no members",
        lambda _: small(DBNClassifier, n_members=0).fit(GREY, LABELS),
        ValueError,
        "n_members must be at least 1",
    ),
    case(
        "DBNClassifier",
        "another width at predict",
        lambda _: fitted(DBNClassifier).predict(GREY[:, 1:]),
        ValueError,
        "X has 5 features, but DBNClassifier is expecting 6",
    ),
    case(
        "DBNClassifier",
        "other columns at predict",
        lambda _: (
            small(DBNClassifier)
            .fit(pd.DataFrame(GREY, columns=list("abcdef")), LABELS)
            .predict(pd.DataFrame(GREY, columns=list("abcdeg")))
        ),
        ValueError,
        "Feature names unseen at fit time",
    ),
    case(
        "DBNClassifier",
        "a checkpoint beneath a file",
        lambda folder: small(DBNClassifier, checkpoint=written(folder, b"") / "run").fit(
            GREY, LABELS
        ),
        NotADirectoryError,
        "Not a directory",
        "run",
    ),
    case(
        "DBNRegressor",
        "NaN among the targets",
        lambda _: small(DBNRegressor).fit(GREY, WITH_NAN[:, 0]),
        ValueError,
        "Input y contains NaN",
    ),
    case(
        "DBNRegressor",
        "words",
        lambda _: small(DBNRegressor).fit(GREY, list("abcabcabcabc")),
        ValueError,
        "could not convert string to float",
    ),
    case(
        "DBNRegressor",
        "the spread of one network",
        lambda _: small(DBNRegressor, n_members=1).fit(GREY, LABELS).predict(GREY, return_std=True),
        ValueError,
        "one network has no spread: fit with n_members=5 or more",
    ),
    case(
        "RBMTransformer",
        "half a component",
        lambda _: rbm_transformer(n_components=2.5).fit(GREY),
        TypeError,
        "n_components must be a whole number, got 2.5",
    ),
    case("RBMTransformer", "k=0", lambda _: rbm_transformer(k=0).fit(GREY), ValueError, "k must"),
    case(
        "RBMTransformer",
        "hidden rows of another width",
        lambda _: fitted(RBMTransformer).inverse_transform(GREY),
        ValueError,
        "X must have length 4 along axis 1",
    ),
    case(
        "DBNTransformer",
        "deeper than it is",
        lambda _: fitted(DBNTransformer).reconstruct(GREY, depth=2),
        ValueError,
        "depth is 2, but there are 1 hidden layers",
    ),
    case(
        "DBNAutoencoder",
        "an unknown code",
        lambda _: small(DBNAutoencoder, code="linear").fit(GREY),
        ValueError,
        "code must be one of 'gaussian', 'bernoulli', got 'linear'",
    ),
    *(
        case(kind.__name__, wrong, call, error, *words)
        for kind in (RBMTransformer, DBNTransformer, DBNClassifier, DBNRegressor, DBNAutoencoder)
        for wrong, call, error, words in (
            ("1-D", lambda _, k=kind: small(k).fit(GREY[0], [0]), ValueError, ["reshape(1, -1)"]),
            ("NaN", lambda _, k=kind: small(k).fit(WITH_NAN, LABELS), ValueError, ["contains NaN"]),
            ("inf", lambda _, k=kind: small(k).fit(WITH_INF, LABELS), ValueError, ["infinity"]),
            (
                "ragged rows",
                lambda _, k=kind: small(k).fit([*RAGGED * 6], LABELS),
                ValueError,
                ["inhomogeneous shape"],
            ),
            (
                "sparse",
                lambda _, k=kind: small(k).fit(scipy.sparse.csr_array(GREY), LABELS),
                TypeError,
                ["Use '.toarray()'"],
            ),
            (
                "complex",
                lambda _, k=kind: small(k).fit(GREY * 1j, LABELS),
                ValueError,
                ["Complex data not supported"],
            ),
            (
                "no rows",
                lambda _, k=kind: small(k).fit(GREY[:0], LABELS[:0]),
                ValueError,
                ["0 sample(s)", "a minimum of 1 is required"],
            ),
            (
                "unknown scaling",
                lambda _, k=kind: small(k, scaling="minmax").fit(GREY, LABELS),
                ValueError,
                ["scaling must be one of 'feature', 'global', got 'minmax'"],
            ),
            (
                "pixels to 255, unscaled",
                lambda _, k=kind: small(k, scaling=None).fit(255 * BITS, LABELS),
                ValueError,
                ["got 0 to 255", "choose scaling='feature' or 'global', or visible='gaussian'"],
            ),
            (
                "unknown units",
                lambda _, k=kind: small(k, visible="relu").fit(GREY, LABELS),
                ValueError,
                ["visible must be one of 'bernoulli', 'gaussian', got 'relu'"],
            ),
            (
                "a seed that is none",
                lambda _, k=kind: small(k, random_state="first").fit(GREY, LABELS),
                ValueError,
                ["'first' cannot be used to seed"],
            ),
            (
                "one size alone",
                lambda _, k=kind: small(k, hidden_sizes=4).fit(GREY, LABELS),
                TypeError,
                [
                    "a list such as [256, 64], got 4"
                    if kind is not RBMTransformer
                    else "'hidden_sizes'"
                ],
            ),
            (
                "use before fit",
                lambda _, k=kind: answer(small(k), GREY),
                NotFittedError,
                ["is not fitted yet", "Call 'fit'"],
            ),
        )
    ),
    *(
        case(kind.__name__, f"{method} before fit", call, NotFittedError, "is not fitted yet")
        for kind, method, call in (
            (RBMTransformer, "sample", lambda _: rbm_transformer().sample(2)),
            (RBMTransformer, "free_energy", lambda _: rbm_transformer().free_energy(GREY)),
            (DBNTransformer, "sample", lambda _: small(DBNTransformer).sample(2)),
            (DBNTransformer, "down", lambda _: small(DBNTransformer).inverse_transform(GREY)),
            (DBNAutoencoder, "decode", lambda _: small(DBNAutoencoder).inverse_transform(GREY)),
            (DBNClassifier, "predict_proba", lambda _: small(DBNClassifier).predict_proba(GREY)),
        )
    ),
    *(
        case(kind.__name__, f"{setting}, before any pretraining", call, error, setting)
        for kind in (DBNClassifier, DBNRegressor)
        for setting, value, error in (
            ("optimiser", "rmsprop", ValueError),
            ("learning_rate", -1.0, ValueError),
            ("momentum", 2.0, ValueError),
            ("dropout", 0.5, TypeError),
            ("max_norm", 0, ValueError),
            ("weight_decay", -1.0, ValueError),
            ("validation_fraction", 1.0, ValueError),
            ("patience", 0, ValueError),
            ("batch_size", 0, ValueError),
        )
        for call in [
            # with a pretraining that would take days
            lambda _, k=kind, s={setting: value}: small(k, pretraining_epochs=10**9, **s).fit(
                GREY, LABELS
            )
        ]
    ),
    # data
    case(
        "data",
        "a subset of nothing",
        lambda _: data.digits().subset([]),
        ValueError,
        "images is empty",
    ),
    case(
        "data",
        "labels of other images",
        lambda _: data.Dataset(GREY, LABELS[:4], (2, 3)),
        ValueError,
        "labels must have shape (12,), one for each image, got (4,)",
    ),
    case(
        "data",
        "images of another shape",
        lambda _: data.Dataset(GREY, LABELS, (3, 3)),
        ValueError,
        "images must have length 9 along axis 1",
    ),
    case(
        "data",
        "a part with no images",
        lambda _: data.digits().split(1.0, rng()),
        ValueError,
        "gives 1797 of 1797 images to the first part",
    ),
    case("data", "mnist part", lambda _: data.mnist("valid"), ValueError, "one of 'train', 'test'"),
    case(
        "data",
        "no folder of mnist",
        lambda folder: data.mnist(folder=folder / "none"),
        DataError,
        "there is no folder",
        "environment variable DBNLIB_DATA",
    ),
    case(
        "data",
        "a web page for an IDX file",
        lambda folder: data.read_idx(written(folder, b"<html>")),
        DataError,
        "is no IDX file: it starts with b'<htm'",
        "a web page saved in its place",
    ),
    case("data", "grey to 255", lambda _: data.binarise(255 * GREY), ValueError, "scale them"),
    case("data", "moons", lambda _: data.two_moons(9, -1, rng()), ValueError, "noise must be"),
    case("data", "2^18 bars", lambda _: data.bars_and_stripes(17), ValueError, "at most 16"),
    # files
    case("save", "a dict", lambda f: save(f / "a.npz", {}), TypeError, "cannot save a dict", "RBM"),
    case(
        "save",
        "no such folder",
        lambda folder: save(folder / "none" / "a.npz", rbm()),
        FileNotFoundError,
        "there is no folder",
        "to write a.npz to",
    ),
    case("load", "no file", lambda f: load(f / "a.npz"), FileNotFoundError, "there is no file"),
    case("load", "a folder", lambda folder: load(folder), StorageError, "not a model file"),
    case("load", "text", lambda f: load(written(f, b"a")), StorageError, "is no dbnlib file"),
    case(
        "load",
        "a checkpoint",
        lambda f: (fit_rbm(checkpoint=f / "a.npz"), load(f / "a.npz")),
        StorageError,
        "holds a 'checkpoint', which is not one of the models",
    ),
    # figures
    case(
        "plots",
        "images of another shape",
        lambda _: plots.image_grid(GREY, (3, 3)),
        ValueError,
        "images must have length 9 along axis 1",
    ),
    case(
        "plots",
        "an RBM for its weights",
        lambda _: plots.filters(rbm(), (2, 3)),
        TypeError,
        "W must hold real numbers",
    ),
    case(
        "plots",
        "fewer mirrored rows",
        lambda _: plots.reconstructions(GREY, GREY[:3], (2, 3)),
        ValueError,
        "mirrored must have length 12",
    ),
    case(
        "plots", "no columns", lambda _: plots.image_grid(GREY, (2, 3), columns=0), ValueError, "1"
    ),
    case("plots", "one length", lambda _: plots.image_grid(GREY, 6), ValueError, "(rows, cols) of"),
    case(
        "plots", "titles", lambda _: plots.image_grid(GREY, (2, 3), titles=["a"]), ValueError, "12"
    ),
    case(
        "plots", "n=-1", lambda _: plots.filters(GREY.T, (2, 3), n=-1), ValueError, "n must be at"
    ),
    case(
        "plots",
        "a monitor that was not recorded",
        lambda _: plots.history(History([{"loss": 1.0}]), ["error"]),
        ValueError,
        "'error' was not recorded",
    ),
    case("plots", "no history", lambda _: plots.history(History()), ValueError, "nothing to draw"),
    case("History", "a name", lambda _: History([{"a": 1}])["b"], KeyError, "there are a"),
    case(
        "estimators",
        "a setting that there is not",
        lambda _: dbnlib.estimators.DBNClassifier().set_params(layers=3),
        ValueError,
        "Invalid parameter 'layers'",
        "'hidden_sizes'",
    ),
]

#: public names that no user calls: errors, warnings, and what functions return
NOT_CALLED = {
    "DataError",
    "DirectionsDisagreeWarning",
    "DivergenceError",
    "InterruptedTrainingWarning",
    "LogZEstimate",
    "NotNormalisableError",
    "StorageError",
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.name}: {case.wrong}")
def test_wrong_input_is_refused_in_words_that_help(case, tmp_path):
    with pytest.raises(case.error) as caught:
        case.call(tmp_path)
    assert type(caught.value) is case.error
    message = str(caught.value)
    assert [words for words in case.words if words not in message] == [], message


def test_every_public_name_has_a_row():
    assert set(dbnlib.__all__) - NOT_CALLED - {case.name for case in REFUSED} == set()


def test_no_row_stands_twice():
    names = [(case.name, case.wrong) for case in REFUSED]
    assert len(names) == len(set(names))


# ---- what must work

#: rows of zeros and ones in a form that is not a plain float64 array in C order
FORMS = {
    "lists": BITS.tolist(),
    "tuples": tuple(map(tuple, BITS)),
    "whole numbers": BITS.astype(int),
    "bytes": BITS.astype(np.uint8),
    "booleans": BITS.astype(bool),
    "half precision": BITS.astype(np.float16),
    "single precision": BITS.astype(np.float32),
    "Fortran order": np.asfortranarray(BITS),
    "every second column": np.repeat(BITS, 2, axis=1)[:, ::2],
    "backwards and turned back": BITS[::-1].copy()[::-1],
    "big-endian": BITS.astype(">f8"),
    "big-endian single": BITS.astype(">f4"),
    "a data frame": pd.DataFrame(BITS, columns=list("abcdef")),
    "a data frame of booleans": pd.DataFrame(BITS.astype(bool)),
    "a masked array that masks nothing": np.ma.masked_array(BITS, mask=np.zeros(BITS.shape, bool)),
}
READ_ONLY = BITS.copy()
READ_ONLY.flags.writeable = False
FORMS["a read-only array"] = READ_ONLY

#: what is done with such rows; the result is compared
USES = {
    "RBM": lambda v: rbm().free_energy(v),
    "train_rbm": lambda v: fit_rbm(v)["reconstruction_error"],
    "log_likelihood": lambda v: log_likelihood(rbm(), v),
    "pseudo_log_likelihood": lambda v: pseudo_log_likelihood(rbm(), v),
    "DBN": lambda v: dbn().reconstruct(v),
    "pretrain_dbn": lambda v: fit_dbn(v)[0].up(v)[-1],
    "exact_bound": lambda v: exact_bound(dbn(), v),
    "wake_sleep": lambda v: fine_tune(v)["reconstruction_error"],
    "complete": lambda v: fill_in(v),
    "assess_samples": lambda v: assess(v).diversity,
    "estimate_bound": lambda v: estimate_bound(dbn(), v, rng(), n_samples=2).value,
    "ais": lambda v: ais(rbm(), rng(), data=v, n_chains=5, n_betas=5).log_weights,
    "parallel_tempering": lambda v: parallel_tempering(rbm(), v, 2, rng()),
    "evaluate": lambda v: [line.mean for line in evaluate(rbm(), v, v, rng()).lines],
    "run_chain": lambda v: run_chain(rbm(), v, 2, rng()),
    "record_chain": lambda v: record_chain(rbm(visible="gaussian"), v, 2, rng()),
    "Network": lambda v: network().predict(v),
    "train_network": lambda v: fit_network(v)["loss"],
    "BoltzmannMachine": lambda v: machine().energy(v),
    "binarise": lambda v: data.binarise(v),
    "RBMTransformer": lambda v: small(RBMTransformer).fit(v).transform(v),
    "DBNTransformer": lambda v: small(DBNTransformer).fit(v).transform(v),
    "DBNClassifier": lambda v: small(DBNClassifier).fit(v, LABELS, v).predict_proba(v),
    "DBNRegressor": lambda v: small(DBNRegressor).fit(v, GREY[:, 0]).predict(v),
    "DBNAutoencoder": lambda v: small(DBNAutoencoder).fit(v).reconstruct(v),
}


@pytest.mark.parametrize("use", USES)
def test_unusual_forms_give_the_numbers_of_the_plain_one(use):
    plain = USES[use](BITS)
    for form, v in FORMS.items():
        # in another order of memory the last bits of a sum may differ
        np.testing.assert_allclose(USES[use](v), plain, rtol=1e-5, atol=1e-6, err_msg=form)


#: labels in all forms of one classification
LABEL_FORMS = {
    "a list": LABELS.tolist(),
    "bytes": LABELS.astype(np.uint8),
    "floats": LABELS.astype(float),
    "big-endian": LABELS.astype(">i4"),
    "a series": pd.Series(LABELS),
    "words": np.array(["a", "b", "c"])[LABELS],
    "words as objects": np.array(["a", "b", "c"], dtype=object)[LABELS],
    "a series of categories": pd.Series(np.array(["a", "b", "c"])[LABELS], dtype="category"),
    "minus one among them": LABELS - 1,
}


@pytest.mark.parametrize("form", LABEL_FORMS)
def test_labels_of_any_form_are_learned_alike(form):
    y = LABEL_FORMS[form]
    model = small(DBNClassifier).fit(GREY, y)
    plain = fitted(DBNClassifier)
    np.testing.assert_array_equal(model.predict_proba(GREY), plain.predict_proba(GREY))
    np.testing.assert_array_equal(model.classes_, np.unique(y))


#: small or dull, but nothing is wrong with it
WORKS = {
    "RBM of one unit each": lambda _: RBM([[0.5]]).hidden_mean([[1]]),
    "RBM from whole numbers": lambda _: RBM([[1, 2]]).free_energy([[1]]),
    "RBM with NumPy's own numbers": lambda _: RBM.random(np.uint8(3), np.int64(2), rng()).W,
    "train_rbm on one row": lambda _: fit_rbm(BITS[:1])["reconstruction_error"],
    "train_rbm on one feature": lambda _: fit_rbm(BITS[:, :1], RBM([[0.1]]))["log_likelihood"],
    "train_rbm on equal rows": lambda _: fit_rbm(np.ones((12, 6)))["log_likelihood"],
    "train_rbm in a batch of more than all": lambda _: fit_rbm(batch_size=99)["log_likelihood"],
    "train_rbm at a rate in float32": lambda _: fit_rbm(learning_rate=np.float32(0.1))[
        "log_likelihood"
    ],
    "train_rbm with a path in words": lambda folder: fit_rbm(checkpoint=f"{folder}/a.npz")[
        "log_likelihood"
    ],
    "pretrain_dbn with an array of sizes": lambda _: fit_dbn(BITS, np.array([4, 3]))[0].top.W,
    "train_network on one row": lambda _: fit_network(GREY[:1], LABELS[:1])["loss"],
    "train_network on yes and no": lambda _: fit_network(
        y=LABELS > 0, model=Network.random([6, 1], rng(), output="sigmoid")
    )["error"],
    "a machine of one unit": lambda _: BoltzmannMachine([[0]]).log_partition(),
    "chains that start from booleans": lambda _: run_chain(rbm(), BITS.astype(bool), 2, rng()),
    "regression with one row": lambda _: small(DBNRegressor).fit(GREY[:1], [3.0]).predict(GREY),
    "regression to a constant": lambda _: small(DBNRegressor).fit(GREY, np.ones(12)).predict(GREY),
    "regression to many targets": lambda _: small(DBNRegressor).fit(GREY, GREY).predict(GREY),
    "one row with its spread": lambda _: np.array(
        fitted(DBNRegressor).predict(GREY[:1], return_std=True)
    ),
    "two rows of two classes": lambda _: small(DBNClassifier).fit(GREY[:2], [0, 1]).predict(GREY),
    "one unlabelled row": lambda _: small(DBNClassifier).fit(GREY, LABELS, GREY[:1]).predict(GREY),
    **{
        f"{kind.__name__} {what}": lambda _, k=kind, X=X, s=settings: answer(
            small(k, **s).fit(X, LABELS), X
        )
        for kind in (RBMTransformer, DBNTransformer, DBNClassifier, DBNRegressor, DBNAutoencoder)
        for what, X, settings in (
            ("with a single feature", GREY[:, :1], {}),
            ("with a constant column", np.c_[GREY, np.full(12, 7.0)], {}),
            ("with nothing but constants", np.full((12, 3), -7.0), {}),
            ("with numbers of 1e300", 1e300 * GREY, {}),
            ("with numbers of 1e-300", 1e-300 * GREY, {}),
            ("with numbers as objects", GREY.astype(object), {}),
            ("with numbers in words", GREY.astype(str), {}),
            ("with columns of all kinds", pd.DataFrame({"a": LABELS, "b": BITS[:, 0] > 0}), {}),
            ("with Gaussian units", 9 * GREY, {"visible": "gaussian"}),
            ("without scaling", GREY, {"scaling": None}),
            ("with a batch of one", GREY, {"batch_size": 1}),
        )
    },
}


@pytest.mark.parametrize("what", WORKS)
def test_small_and_dull_input_works(what, tmp_path):
    assert np.isfinite(np.asarray(WORKS[what](tmp_path), dtype=float)).all()


#: figures of few things
FIGURES = {
    "one image": lambda: plots.image_grid(GREY[:1], (2, 3), columns=1),
    "lists": lambda: plots.image_grid(GREY.tolist(), [2, 3]),
    "weights of zero": lambda: plots.filters(np.zeros((6, 2)), (2, 3)),
    "one row mirrored": lambda: plots.reconstructions(BITS[:1], GREY[:1], (2, 3)),
    "one epoch": lambda: plots.history(History([{"loss": 1.0}])),
}


@pytest.mark.parametrize("what", FIGURES)
def test_figures_of_few_things_can_be_drawn(what):
    figure = FIGURES[what]()
    figure.canvas.draw()
    assert any(axes.has_data() for axes in figure.axes)
    plt.close(figure)


@pytest.mark.parametrize(
    "kind", [RBMTransformer, DBNTransformer, DBNClassifier, DBNRegressor, DBNAutoencoder]
)
def test_what_was_fitted_on_a_data_frame_can_be_saved_and_knows_its_columns(kind, tmp_path):
    X = pd.DataFrame(GREY, columns=list("abcdef"))
    model = small(kind).fit(X, LABELS)
    again = load(save(tmp_path / "model.npz", model))
    np.testing.assert_array_equal(answer(again, X), answer(model, X))
    with pytest.raises(ValueError, match="feature names should match"):
        answer(again, X.rename(columns={"f": "g"}))


def test_labels_of_words_as_pandas_has_them_can_be_saved(tmp_path):
    y = np.array(["a", "b", "c"], dtype=object)[LABELS]
    model = load(save(tmp_path / "model.npz", small(DBNClassifier).fit(GREY, y)))
    assert model.classes_.tolist() == ["a", "b", "c"]


def test_a_pretraining_rate_of_zero_learns_nothing():
    still = small(DBNTransformer, pretraining_rate=0.0, pretraining_epochs=3).fit(GREY)
    start = small(DBNTransformer, pretraining_epochs=0).fit(GREY)
    np.testing.assert_array_equal(still.dbn_.top.W, start.dbn_.top.W)
