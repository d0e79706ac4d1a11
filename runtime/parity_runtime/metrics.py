"""How good predictions are: one numpy implementation, for training and for ``parity evaluate``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError

CALIBRATION_BINS = 15
"""The bins of the calibration error (Guo et al., ICML 2017, their choice)."""

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


def roc_auc(positive: NDArray[np.bool_], score: NDArray[Any]) -> float | None:
    """Return the area under the ROC curve: the probability that a positive row scores above a negative one.

    Mann and Whitney's U over the number of pairs (Ann. Math. Stat. 18, 1947); ties count half. None without rows
    of both kinds.

    Args:
        positive: bool ``[rows]``.
        score: float ``[rows]``.
    """
    num_positive = int(np.count_nonzero(positive))
    num_negative = len(positive) - num_positive
    if not num_positive or not num_negative:
        return None
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(counts)
    rank = (last_rank - (counts - 1) / 2)[place]  # the mean rank of equal scores
    u = float(rank[positive].sum()) - num_positive * (num_positive + 1) / 2
    return u / (num_positive * num_negative)


def calibration_error(right: NDArray[np.bool_], confidence: NDArray[Any]) -> float:
    """Return the expected calibration error of the predicted class (Guo et al., ICML 2017).

    The mean over rows of ``|accuracy - mean confidence|`` of the row's bin, in 15 bins of equal width.

    Args:
        right: whether the prediction is right, bool ``[rows]``.
        confidence: the probability of the predicted class, float ``[rows]``.
    """
    place = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], confidence)  # bins are open on the left
    hits = np.bincount(place, weights=right, minlength=CALIBRATION_BINS)
    total = np.bincount(place, weights=confidence.astype(np.float64), minlength=CALIBRATION_BINS)
    return float(np.abs(hits - total).sum() / len(right))


def classification_metrics(true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> dict[str, Any]:
    """Return the metrics of a classifier over all rows.

    Args:
        true: class indices, integers ``[rows]``.
        predicted: class indices, integers ``[rows]``.
        probabilities: float ``[rows, classes]``.

    Returns:
        rows, accuracy, log_loss, calibration_error, confusion (row: true, column: predicted), precision, recall,
        f1 and roc_auc; of the positive class (index 1) for two classes, with tp, tn, fp, fn, else the unweighted
        mean over classes (roc_auc: each class against the rest, None unless all are there). A ratio without a
        denominator is 0, as in scikit-learn.

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
        "roc_auc": _roc_auc(true, probabilities),
        "calibration_error": calibration_error(true == predicted, probabilities[np.arange(len(true)), predicted]),
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


def _roc_auc(true: NDArray[Any], probabilities: NDArray[Any]) -> float | None:
    if probabilities.shape[1] == 2:
        return roc_auc(true == 1, probabilities[:, 1])
    areas = [roc_auc(true == index, column) for index, column in enumerate(probabilities.T)]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if len(known) == len(areas) else None


def _summary(by_class: NDArray[np.float64]) -> float:
    return float(by_class[1] if len(by_class) == 2 else by_class.mean())


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.divide(
        numerator, denominator, out=np.zeros(len(numerator)), where=denominator != 0
    )
    return result
