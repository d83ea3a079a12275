"""The scikit-learn faces of the library, all in one place."""

from dbnlib.autoencoder import DBNAutoencoder
from dbnlib.predictors import DBNClassifier, DBNRegressor
from dbnlib.transformers import DBNTransformer, RBMTransformer

__all__ = ["DBNAutoencoder", "DBNClassifier", "DBNRegressor", "DBNTransformer", "RBMTransformer"]
