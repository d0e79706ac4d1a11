"""What the counts of true and predicted classes say of a classifier."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(true: NDArray[Any], predicted: NDArray[Any], num_classes: int) -> NDArray[np.int64]:
    """Return counts ``[classes, classes]``: row the true class, column the predicted one.

    Args:
        true: class indices, integers ``[rows]``.
        predicted: class indices, integers ``[rows]``.
        num_classes: how many classes there are.
    """
    flat = np.bincount(true * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def confusion_figures(confusion: NDArray[np.int64]) -> dict[str, Any]:
    """Return the metrics that counts ``[classes, classes]`` determine, of one row at least.

    A ratio without a denominator is 0, as in scikit-learn.

    Returns:
        rows, accuracy, balanced_accuracy (the mean recall over the classes that have rows), precision, recall and f1:
        of the second class for two, else the unweighted mean (scikit-learn's macro average) over the classes that are
        true or predicted in some row.
    """
    rows, hits = confusion.sum(axis=1), np.diag(confusion).astype(np.float64)
    precision, recall = _ratio(hits, confusion.sum(axis=0)), _ratio(hits, rows)
    f1 = _ratio(2 * precision * recall, precision + recall)
    counted = np.array([False, True]) if len(confusion) == 2 else (confusion.sum(axis=0) + rows) > 0
    return {
        "rows": int(rows.sum()),
        "accuracy": float(hits.sum() / rows.sum()),
        "balanced_accuracy": float(recall[rows > 0].mean()),
        "precision": float(precision[counted].mean()),
        "recall": float(recall[counted].mean()),
        "f1": float(f1[counted].mean()),
    }


def binary_counts(confusion: NDArray[np.int64]) -> dict[str, int]:
    """Return tn, fp, fn and tp of two classes; nothing of others."""
    names = ("tn", "fp", "fn", "tp")
    return dict(zip(names, confusion.ravel().tolist(), strict=True)) if len(confusion) == 2 else {}


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.divide(
        numerator, denominator, out=np.zeros(len(numerator)), where=denominator != 0
    )
    return result
