"""Energy models, restricted Boltzmann machines and deep belief networks, in plain NumPy.

    from dbnlib import RBM, DBN, Network, DBNClassifier, load, save

The models, the exact quantities and the training load at once; the estimators (which need
scikit-learn), the data sets and the plots load when they are first asked for. Each module is one
idea: see `dbnlib.units`, `rbm`, `exact`, `gradients`, `training`, `dbn`, `bound`, `network`.
"""

import os
import sys
from importlib import import_module
from typing import Any

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    raise ImportError(
        "dbnlib runs on Python 3.11 to 3.13, and this is Python "
        f"{sys.version_info.major}.{sys.version_info.minor}; start it with one of those"
    )

# OpenBLAS lets a thread that has no work spin for some 20 ms, and all that runs between two
# products slows down: with two threads a CD-1 step takes 1.5 times as long. It reads this when
# NumPy is first imported; a value that is there already stays.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")

from dbnlib.annealed import ais, ais_both
from dbnlib.boltzmann import BoltzmannMachine
from dbnlib.bound import estimate_bound, exact_bound, exact_log_likelihood
from dbnlib.checks import DataError, DivergenceError, NotNormalisableError, StorageError
from dbnlib.completion import complete
from dbnlib.dbn import DBN
from dbnlib.exact import log_likelihood, log_partition, pseudo_log_likelihood
from dbnlib.gradients import CD, PCD, ExactGradient
from dbnlib.groups import Groups
from dbnlib.likelihood import evaluate, importance_weighted_bound
from dbnlib.log_z import DirectionsDisagreeWarning, LogZEstimate
from dbnlib.loop import History, InterruptedTrainingWarning
from dbnlib.network import Network
from dbnlib.network_training import train_network
from dbnlib.optimisers import SGD, Adam
from dbnlib.pretraining import pretrain_dbn
from dbnlib.rbm import RBM
from dbnlib.sample_quality import assess_samples
from dbnlib.storage import save
from dbnlib.tempering import PT, parallel_tempering
from dbnlib.training import train_rbm
from dbnlib.units import Bernoulli, Gaussian, ReLU, Softmax
from dbnlib.updown import wake_sleep

__version__ = "0.1.0"

#: names that load on first use, and where they live
_LAZY = {
    "DBNAutoencoder": "dbnlib.estimators",
    "DBNClassifier": "dbnlib.estimators",
    "DBNRegressor": "dbnlib.estimators",
    "DBNTransformer": "dbnlib.estimators",
    "RBMTransformer": "dbnlib.estimators",
    "data": "dbnlib.data",
    "estimators": "dbnlib.estimators",
    "plots": "dbnlib.plots",
}

__all__ = [
    "CD",
    "DBN",
    "PCD",
    "PT",
    "RBM",
    "SGD",
    "Adam",
    "Bernoulli",
    "BoltzmannMachine",
    "DataError",
    "DirectionsDisagreeWarning",
    "DivergenceError",
    "ExactGradient",
    "Gaussian",
    "Groups",
    "History",
    "InterruptedTrainingWarning",
    "LogZEstimate",
    "Network",
    "NotNormalisableError",
    "ReLU",
    "Softmax",
    "StorageError",
    "ais",
    "ais_both",
    "assess_samples",
    "complete",
    "estimate_bound",
    "evaluate",
    "exact_bound",
    "exact_log_likelihood",
    "importance_weighted_bound",
    "load",
    "log_likelihood",
    "log_partition",
    "parallel_tempering",
    "pretrain_dbn",
    "pseudo_log_likelihood",
    "save",
    "train_network",
    "train_rbm",
    "wake_sleep",
    *_LAZY,
]


def load(path: Any) -> Any:
    """Read a model or a fitted estimator from a file that `save` wrote; see `dbnlib.storage`."""
    from dbnlib import storage

    kind, config, arrays = storage.read(path)
    if kind not in storage.KINDS:
        # it may be an estimator, whose classes are known only once their module is loaded
        import_module("dbnlib.estimators")
    return storage.build(path, kind, config, arrays)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"dbnlib has no {name!r}; it has {', '.join(__all__)}")
    module = import_module(_LAZY[name])
    return module if _LAZY[name] == f"dbnlib.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
