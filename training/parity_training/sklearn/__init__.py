"""scikit-learn's interface to training: a classifier and a regressor for its pipelines and searches.

Needs the [sklearn] extra; nothing else of Parity imports it.
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
