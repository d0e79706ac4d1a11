"""Train with scikit-learn's interface: a classifier and a regressor for its pipelines and searches.

This package needs the [sklearn] extra.

>>> from sklearn.datasets import load_wine
>>> from sklearn.model_selection import cross_val_score
>>> from parity_training.sklearn import ParityClassifier
>>> len(cross_val_score(ParityClassifier(epochs=2, random_state=0), *load_wine(return_X_y=True), cv=2))
2
"""

from parity_runtime.errors import MissingExtraError

try:
    from parity_training.sklearn.classifier import ParityClassifier
    from parity_training.sklearn.regressor import ParityRegressor
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "sklearn":
        raise
    raise MissingExtraError(
        "parity_training.sklearn needs scikit-learn, which is not installed; "
        'from a checkout of Parity: pip install ".[train,sklearn]"'
    ) from error

__all__ = ["ParityClassifier", "ParityRegressor"]
