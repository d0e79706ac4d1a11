"""How good predictions are: one numpy implementation, for training and for ``parity evaluate``."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError
from parity_runtime.evaluation.exact_sum import ExactSum, exact_square
from parity_runtime.evaluation.roc_auc import AllScores, RocCurve, ScoreBins

CALIBRATION_BINS = 15
"""The bins of the calibration error (Guo et al., ICML 2017, their choice)."""

_TILE_ROWS = 2**16

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


def calibration_bins(right: NDArray[np.bool_], confidence: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rows, the hits and the summed confidence of each of 15 bins of equal width, float64 ``[3, bins]``.

    Args:
        right: whether the prediction is right, bool ``[rows]``.
        confidence: the probability of the predicted class, float ``[rows]``.
    """
    place = calibration_places(confidence)
    weights = (None, right.astype(np.float64), confidence.astype(np.float64))
    return np.stack([np.bincount(place, weight, CALIBRATION_BINS) for weight in weights])


def calibration_places(confidence: NDArray[Any]) -> NDArray[np.int64]:
    """Return the bin of each row's confidence, integers ``[rows]``; bins are open on the left."""
    places: NDArray[np.int64] = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], confidence)
    return places


def calibration_error(bins: NDArray[np.float64]) -> float:
    """Return the expected calibration error of the predicted class (Guo et al., ICML 2017).

    The mean over rows of ``|accuracy - mean confidence|`` of the row's bin.

    Args:
        bins: the sum of `calibration_bins` over all rows.
    """
    return float(np.abs(bins[1] - bins[2]).sum() / bins[0].sum())


class ClassificationMetrics:
    """How good a classifier is, over rows that come in any number of parts, in any order: the same bits.

    Counts and sums are exact, and rounded once. Everything but the area under the ROC curve takes constant memory; that
    keeps the row's class and the probability of each class (of two classes, of one), unless it is binned.

    Args:
        num_classes: how many classes there are.
        binned: take the area under the ROC curve from bins, in constant memory: `ScoreBins`.
    """

    def __init__(self, num_classes: int, *, binned: bool = False) -> None:
        self._confusion = np.zeros((num_classes, num_classes), np.int64)
        self._log_loss = ExactSum()
        self._hits = np.zeros((2, CALIBRATION_BINS), np.int64)  # rows, and those that are right
        self._confidence = ExactSum(CALIBRATION_BINS)
        self._curve: RocCurve = ScoreBins(1 if num_classes == 2 else num_classes) if binned else AllScores()

    def update(self, true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> None:
        """Take rows.

        Args:
            true: class indices, integers ``[rows]``.
            predicted: class indices, integers ``[rows]``.
            probabilities: float ``[rows, classes]``.
        """
        for start in range(0, len(true), _TILE_ROWS):
            rows = slice(start, start + _TILE_ROWS)
            self._add(true[rows], predicted[rows], probabilities[rows])

    def _add(self, true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> None:
        rows = np.arange(len(true))
        self._confusion += confusion_matrix(true, predicted, len(self._confusion))
        chosen = probabilities[rows, true].astype(np.float64)
        self._log_loss.update(-np.log(np.clip(chosen, _SMALLEST_PROBABILITY, 1)))
        confidence = probabilities[rows, predicted].astype(np.float64)
        place = calibration_places(confidence)
        kept = (place, place[true == predicted])
        self._hits += np.stack([np.bincount(places, minlength=CALIBRATION_BINS) for places in kept])
        self._confidence.update(confidence, place)
        self._curve.update(true, probabilities[:, 1:] if len(self._confusion) == 2 else probabilities)

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of as many classes, and as binned."""
        self._confusion += other._confusion
        self._log_loss.merge(other._log_loss)
        self._hits += other._hits
        self._confidence.merge(other._confidence)
        self._curve.merge(other._curve)

    def result(self) -> dict[str, Any]:
        """Return the metrics.

        Returns:
            rows, accuracy, log_loss (the mean cross-entropy in nats), calibration_error, confusion (row: true, column:
            predicted), precision, recall, f1 and roc_auc; of the positive class (index 1) for two classes, with tp,
            tn, fp, fn, else the unweighted mean (scikit-learn's macro average) over the classes that are true or
            predicted in some row; roc_auc over each class against the rest, None unless a row of each is there. A
            ratio without a denominator is 0, as in scikit-learn. Where the curve is binned, also roc_auc_error.

        Raises:
            InputError: there are no rows.
        """
        confusion, rows = self._confusion, int(self._confusion.sum())
        _check_rows(rows)
        hits = np.diag(confusion).astype(np.float64)
        precision = _ratio(hits, confusion.sum(axis=0))
        recall = _ratio(hits, confusion.sum(axis=1))
        f1 = _ratio(2 * precision * recall, precision + recall)
        binary = len(confusion) == 2
        counted = np.array([False, True]) if binary else (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
        counts = dict(zip(("tn", "fp", "fn", "tp"), confusion.ravel().tolist(), strict=True)) if binary else {}
        return {
            "rows": rows,
            "accuracy": float(hits.sum() / rows),
            "log_loss": float(self._log_loss.values()[0] / rows),
            "precision": float(precision[counted].mean()),
            "recall": float(recall[counted].mean()),
            "f1": float(f1[counted].mean()),
            **self._curve.result(),
            "calibration_error": calibration_error(np.stack([*self._hits, self._confidence.values()])),
            **counts,
            "confusion": confusion.tolist(),
        }


class RegressionMetrics:
    """How good a regression of one target is, over rows that come in any number of parts, in any order; the same bits.

    Sums are exact, and rounded once; in constant memory.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._errors = ExactSum(2)  # absolute and squared
        self._true = ExactSum(2)  # the true values and their squares

    def update(self, true: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Take rows, float ``[rows]`` both."""
        true = true.astype(np.float64)
        error = predicted.astype(np.float64) - true
        self._rows += len(true)
        groups = np.repeat([0, 1], len(true))
        self._errors.update(np.concatenate([np.abs(error), np.square(error)]), groups)
        square, rounded_off = exact_square(true)
        self._true.update(np.concatenate([true, square]), groups)
        self._true.update(rounded_off, np.ones(len(true), np.int64))

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""
        self._rows += other._rows
        self._errors.merge(other._errors)
        self._true.merge(other._true)

    def result(self) -> dict[str, Any]:
        """Return rows, mae, rmse (in the target's unit) and r2.

        Raises:
            InputError: there are no rows.
        """
        rows = self._rows
        _check_rows(rows)
        (absolute, squared), (total, squares) = self._errors.values(), self._true.exact()
        spread = squares - total**2 / rows  # of the true values about their mean
        return {
            "rows": rows,
            "mae": float(absolute / rows),
            "rmse": math.sqrt(squared / rows),
            "r2": float(1 - squared / float(spread)) if spread else 0.0,
        }


def _check_rows(rows: int) -> None:
    if not rows:
        raise InputError("there are no rows to evaluate")


def classification_metrics(true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> dict[str, Any]:
    """Return `ClassificationMetrics` of all rows at once."""
    metrics = ClassificationMetrics(probabilities.shape[1])
    metrics.update(true, predicted, probabilities)
    return metrics.result()


def regression_metrics(true: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    """Return `RegressionMetrics` of all rows at once."""
    metrics = RegressionMetrics()
    metrics.update(true, predicted)
    return metrics.result()


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.divide(
        numerator, denominator, out=np.zeros(len(numerator)), where=denominator != 0
    )
    return result
