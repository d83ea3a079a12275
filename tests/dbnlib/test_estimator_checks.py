"""All of scikit-learn's own checks of an estimator, for each of ours."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from dbnlib.estimators import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
)

SMALL = {"hidden_sizes": (16,), "pretraining_epochs": 5}

# scikit-learn warns where it skips a check that does not apply, such as array-API input
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")


@parametrize_with_checks(
    [
        RBMTransformer(16, epochs=5),
        DBNTransformer(**SMALL),
        DBNClassifier(**SMALL, epochs=30),
        DBNRegressor(**SMALL, epochs=150, n_members=2),
        DBNAutoencoder(**SMALL, epochs=10),
    ]
)
def test_scikit_learns_check_passes(estimator, check):
    check(estimator)  # it raises AssertionError where the check fails
