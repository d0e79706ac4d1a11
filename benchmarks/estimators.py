"""What a grid search costs over Parity's classifier beside skorch: the same network, epochs, batches and optimizer.

Prints one JSON object. scikit-learn's GridSearchCV on breast cancer, 2 widths x 2 learning rates, 5 folds, one process
and one thread. Both train every epoch to its end; with validation, both measure a tenth of the rows after each epoch.
``--only search,fit`` measures a part.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import print_parts, ratio
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetBinaryClassifier
from skorch.dataset import ValidSplit
from torch import nn

from parity_training import MLP
from parity_training.sklearn import ParityClassifier

EPOCHS, BATCH, ROUNDS = 50, 32, 5
WIDTHS, RATES = [(32,), (100,)], [0.001, 0.01]
TARGET = "at most 1.5"


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print_parts(__doc__, {"search": search, "fit": fit})


def search() -> dict[str, Any]:
    """Return how much longer a grid search takes over Parity's classifier than over skorch's, and how good both are."""
    found = {}
    for name, validated in (("with validation", True), ("without", False)):
        scores: dict[str, float] = {}
        pair = (_searched("parity", _parity(validated), scores), _searched("skorch", _skorch(validated), scores))
        figures = ratio(pair, ROUNDS)
        found[f"GridSearchCV over Parity's classifier over skorch's, {name}"] = figures | {"target": TARGET} | scores
    return found


def fit() -> dict[str, Any]:
    """Return the same of one fit of one epoch: what is not training."""
    X, y = _rows()
    ours, theirs = _parity(validated=True), _skorch(validated=True)
    ours.set_params(epochs=1)
    theirs.set_params(neuralnetbinaryclassifier__max_epochs=1)
    figures = ratio((lambda: ours.fit(X, y), lambda: theirs.fit(X, y)), 20)
    return {"a fit of one epoch over skorch's": figures | {"target": TARGET}}


def _searched(name: str, estimator: Any, scores: dict[str, float]) -> Callable[[], None]:
    prefix = "" if name == "parity" else "neuralnetbinaryclassifier__"
    width, rate = ("hidden", "learning_rate") if name == "parity" else ("module__hidden", "lr")
    grid = {prefix + width: WIDTHS, prefix + rate: RATES}

    def job() -> None:
        X, y = _rows()
        scores[f"{name}'s accuracy"] = round(float(GridSearchCV(estimator, grid, cv=5).fit(X, y).best_score_), 4)

    return job


def _parity(validated: bool) -> Any:
    return ParityClassifier(
        epochs=EPOCHS, batch_size=BATCH, patience=None, validation_fraction=0.1 if validated else 0.0, random_state=0,
        device="cpu",
    )  # fmt: skip


def _skorch(validated: bool) -> Any:
    torch.manual_seed(0)
    network = NeuralNetBinaryClassifier(
        MLP, module__num_inputs=30, module__num_outputs=1, criterion=nn.BCEWithLogitsLoss, optimizer=torch.optim.Adam,
        batch_size=BATCH, max_epochs=EPOCHS, iterator_train__shuffle=True, verbose=0,
        train_split=ValidSplit(10, stratified=True) if validated else None,
    )  # fmt: skip
    return make_pipeline(StandardScaler(), network)


def _rows() -> tuple[Any, Any]:
    X, y = load_breast_cancer(return_X_y=True)
    return X.astype(np.float32), y.astype(np.float32)


if __name__ == "__main__":
    main()
