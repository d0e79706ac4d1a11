"""How good predictions are: one numpy implementation, for training and for ``parity evaluate``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError

_SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
# The log of a float32 probability that rounded to 0 or 1 is cut there, as scikit-learn's log_loss does.


def confusion_matrix(true: NDArray[Any], predicted: NDArray[Any], num_classes: int) -> NDArray[np.int64]:
    """Return counts ``[classes, classes]``: row the true class, column the predicted one.

    Args:
        true: class indices, integers ``[rows]``.
        predicted: class indices, integers ``[rows]``.
        num_classes: how many classes there are.
    """
    flat = np.bincount(true * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def log_loss(true: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """Return the mean cross-entropy in nats of float probabilities ``[rows, classes]``."""
    chosen = probabilities[np.arange(len(true)), true].astype(np.float64)
    return float(-np.log(np.clip(chosen, _SMALLEST_PROBABILITY, 1)).mean())


def classification_metrics(true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> dict[str, Any]:
    """Return the metrics of a classifier over all rows.

    Args:
        true: class indices, integers ``[rows]``.
        predicted: class indices, integers ``[rows]``.
        probabilities: float ``[rows, classes]``.

    Returns:
        rows, accuracy, log_loss, confusion (row: true, column: predicted), precision, recall and f1; of the
        positive class (index 1) for two classes, with tp, tn, fp, fn, else the unweighted mean over classes.
        A ratio without a denominator is 0, as in scikit-learn.

    Raises:
        InputError: there are no rows.
    """
    if len(true) == 0:
        raise InputError("there are no rows to evaluate")
    confusion = confusion_matrix(true, predicted, probabilities.shape[1])
    hits = np.diag(confusion).astype(np.float64)
    precision = _ratio(hits, confusion.sum(axis=0))
    recall = _ratio(hits, confusion.sum(axis=1))
    f1 = _ratio(2 * precision * recall, precision + recall)
    binary = len(confusion) == 2
    counts = dict(zip(("tn", "fp", "fn", "tp"), confusion.ravel().tolist(), strict=True)) if binary else {}
    return {
        "rows": len(true),
        "accuracy": float(hits.sum() / len(true)),
        "log_loss": log_loss(true, probabilities),
        "precision": _summary(precision),
        "recall": _summary(recall),
        "f1": _summary(f1),
        **counts,
        "confusion": confusion.tolist(),
    }


def regression_metrics(true: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    """Return rows, mae, rmse (in the target's unit) and r2 of one target, float ``[rows]``.

    Raises:
        InputError: there are no rows.
    """
    if len(true) == 0:
        raise InputError("there are no rows to evaluate")
    true, error = true.astype(np.float64), predicted.astype(np.float64) - true.astype(np.float64)
    spread = float(np.square(true - true.mean()).sum())
    return {
        "rows": len(true),
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "r2": 1 - float(np.square(error).sum()) / spread if spread else 0.0,
    }


def _summary(by_class: NDArray[np.float64]) -> float:
    return float(by_class[1] if len(by_class) == 2 else by_class.mean())


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.divide(
        numerator, denominator, out=np.zeros(len(numerator)), where=denominator != 0
    )
    return result
