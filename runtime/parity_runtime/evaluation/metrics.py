"""How good predictions are: one numpy implementation, for training and for ``parity evaluate``."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError
from parity_runtime.evaluation.running_stats import RunningStats

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


def calibration_bins(right: NDArray[np.bool_], confidence: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rows, the hits and the summed confidence of each of 15 bins of equal width, float64 ``[3, bins]``.

    Args:
        right: whether the prediction is right, bool ``[rows]``.
        confidence: the probability of the predicted class, float ``[rows]``.
    """
    place = np.searchsorted(np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1], confidence)  # bins are open on the left
    weights = (None, right.astype(np.float64), confidence.astype(np.float64))
    return np.stack([np.bincount(place, weight, CALIBRATION_BINS) for weight in weights])


def calibration_error(bins: NDArray[np.float64]) -> float:
    """Return the expected calibration error of the predicted class (Guo et al., ICML 2017).

    The mean over rows of ``|accuracy - mean confidence|`` of the row's bin.

    Args:
        bins: the sum of `calibration_bins` over all rows.
    """
    return float(np.abs(bins[1] - bins[2]).sum() / bins[0].sum())


class ClassificationMetrics:
    """How good a classifier is, over rows that come in any number of parts.

    Sums are taken in tiles of fixed size, so that the metrics are the same bits whatever the parts. Everything but the
    area under the ROC curve takes constant memory; that keeps the row's class and the
    probability of each class (of two classes, of one).

    Args:
        num_classes: how many classes there are.
    """

    def __init__(self, num_classes: int) -> None:
        self._tiles = _Tiles(self._add)
        self._confusion = np.zeros((num_classes, num_classes), np.int64)
        self._log_loss = 0.0
        self._calibration = np.zeros((3, CALIBRATION_BINS))
        self._true: list[NDArray[np.int32]] = []
        self._scores: list[NDArray[Any]] = []

    def update(self, true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> None:
        """Take rows.

        Args:
            true: class indices, integers ``[rows]``.
            predicted: class indices, integers ``[rows]``.
            probabilities: float ``[rows, classes]``.
        """
        self._tiles.update(true, predicted, probabilities)

    def _add(self, true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> None:
        rows = np.arange(len(true))
        self._confusion += confusion_matrix(true, predicted, len(self._confusion))
        chosen = probabilities[rows, true].astype(np.float64)
        self._log_loss -= float(np.log(np.clip(chosen, _SMALLEST_PROBABILITY, 1)).sum())
        confidence = probabilities[rows, predicted].astype(np.float64)
        self._calibration += calibration_bins(true == predicted, confidence)
        self._true.append(true.astype(np.int32))
        binary = len(self._confusion) == 2
        self._scores.append((probabilities[:, 1:] if binary else probabilities).copy())

    def result(self) -> dict[str, Any]:
        """Return the metrics.

        Returns:
            rows, accuracy, log_loss (the mean cross-entropy in nats), calibration_error, confusion (row: true, column:
            predicted), precision, recall, f1 and roc_auc; of the positive class (index 1) for two classes, with tp,
            tn, fp, fn, else the unweighted mean (scikit-learn's macro average) over the classes that are true or
            predicted in some row; roc_auc over each class against the rest, None unless a row of each is there. A
            ratio without a denominator is 0, as in scikit-learn.

        Raises:
            InputError: there are no rows.
        """
        self._tiles.finish()
        confusion, rows = self._confusion, int(self._confusion.sum())
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
            "log_loss": self._log_loss / rows,
            "precision": float(precision[counted].mean()),
            "recall": float(recall[counted].mean()),
            "f1": float(f1[counted].mean()),
            "roc_auc": _roc_auc(np.concatenate(self._true), np.concatenate(self._scores)),
            "calibration_error": calibration_error(self._calibration),
            **counts,
            "confusion": confusion.tolist(),
        }


class RegressionMetrics:
    """How good a regression of one target is, over rows that come in any number of parts; in constant memory."""

    def __init__(self) -> None:
        self._tiles = _Tiles(self._add)
        self._true = RunningStats(1)
        self._absolute, self._squared = 0.0, 0.0

    def update(self, true: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Take rows, float ``[rows]`` both."""
        self._tiles.update(true, predicted)

    def _add(self, true: NDArray[Any], predicted: NDArray[Any]) -> None:
        true = true.astype(np.float64)
        error = predicted.astype(np.float64) - true
        self._absolute += float(np.abs(error).sum())
        self._squared += float(np.square(error).sum())
        self._true.update(true[:, None])

    def result(self) -> dict[str, Any]:
        """Return rows, mae, rmse (in the target's unit) and r2.

        Raises:
            InputError: there are no rows.
        """
        self._tiles.finish()
        rows, spread = int(self._true.count[0]), float(self._true.squares[0])
        return {
            "rows": rows,
            "mae": self._absolute / rows,
            "rmse": math.sqrt(self._squared / rows),
            "r2": 1 - self._squared / spread if spread else 0.0,
        }


class _Tiles:
    """Cuts rows that come in parts into tiles of fixed size."""

    def __init__(self, add: Callable[..., None]) -> None:
        self._add = add
        self._waiting: list[tuple[NDArray[Any], ...]] = []
        self._rows, self._any = 0, False

    def update(self, *columns: NDArray[Any]) -> None:
        self._any |= len(columns[0]) > 0
        self._waiting.append(columns)
        self._rows += len(columns[0])
        if self._rows < _TILE_ROWS:
            return
        whole = [np.concatenate(parts) for parts in zip(*self._waiting, strict=True)]
        end = self._rows - self._rows % _TILE_ROWS
        for start in range(0, end, _TILE_ROWS):
            self._add(*(column[start : start + _TILE_ROWS] for column in whole))
        self._waiting, self._rows = [tuple(column[end:] for column in whole)], self._rows - end

    def finish(self) -> None:
        if not self._any:
            raise InputError("there are no rows to evaluate")
        if self._rows:
            self._add(*(np.concatenate(parts) for parts in zip(*self._waiting, strict=True)))
        self._waiting, self._rows = [], 0


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


def _roc_auc(true: NDArray[Any], probabilities: NDArray[Any]) -> float | None:
    if probabilities.shape[1] == 1:
        return roc_auc(true == 1, probabilities[:, 0])
    areas = [roc_auc(true == index, column) for index, column in enumerate(probabilities.T)]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if len(known) == len(areas) else None


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.divide(
        numerator, denominator, out=np.zeros(len(numerator)), where=denominator != 0
    )
    return result
