"""How good a classifier's predictions are, over rows that come in parts."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError
from parity_runtime.evaluation.calibration_error import CALIBRATION_BINS, calibration_error, calibration_places
from parity_runtime.evaluation.confusion import binary_counts, confusion_figures, confusion_matrix
from parity_runtime.evaluation.exact_sum import ExactSum
from parity_runtime.evaluation.ranking import AllScores, Ranking, ScoreBins

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
"""The log of a float32 probability that rounded to 0 or 1 is cut there, as scikit-learn's log_loss does."""

_TILE_ROWS = 2**16
_TILE_CELLS = 2**22  # of rows and classes


class ClassificationMetrics:
    """How good a classifier is, over rows that come in any number of parts, in any order: the same bits.

    Counts and sums are exact, and rounded once. Everything takes constant memory but the area under the ROC curve and
    the average precision: they keep the row's class and the probability of each class (of two classes, of one), unless
    they are binned.

    Args:
        num_classes: how many classes there are.
        binned: take the areas from bins, in constant memory: `parity_runtime.evaluation.ranking.ScoreBins`.

    Attributes:
        confusion: counts ``[classes, classes]``: row the true class, column the predicted one.
    """

    def __init__(self, num_classes: int, *, binned: bool = False) -> None:
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self._losses = ExactSum(2)  # the logarithms, and the squares of Brier's score
        self._hits = np.zeros((2, CALIBRATION_BINS), np.int64)  # rows, and those that are right
        self._confidence = ExactSum(CALIBRATION_BINS)
        self._ranking: Ranking = ScoreBins(1 if num_classes == 2 else num_classes) if binned else AllScores()

    def update(self, true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> None:
        """Take rows.

        Args:
            true: class indices, integers ``[rows]``.
            predicted: class indices, integers ``[rows]``.
            probabilities: float ``[rows, classes]``.
        """
        size = min(_TILE_ROWS, _TILE_CELLS // len(self.confusion) + 1)
        for start in range(0, len(true), size):
            rows = slice(start, start + size)
            self._add(true[rows], predicted[rows], probabilities[rows])

    def _add(self, true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> None:
        rows = np.arange(len(true))
        self.confusion += confusion_matrix(true, predicted, len(self.confusion))
        chosen = probabilities[rows, true].astype(np.float64)
        log_losses = -np.log(np.clip(chosen, SMALLEST_PROBABILITY, 1))
        squares = _brier(true, probabilities)
        self._losses.update(np.concatenate([log_losses, squares]), np.repeat([0, 1], len(true)))
        confidence = probabilities[rows, predicted].astype(np.float64)
        place = calibration_places(confidence)
        kept = (place, place[true == predicted])
        self._hits += np.stack([np.bincount(places, minlength=CALIBRATION_BINS) for places in kept])
        self._confidence.update(confidence, place)
        self._ranking.update(true, probabilities[:, 1:] if len(self.confusion) == 2 else probabilities)

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of as many classes, and as binned."""
        self.confusion += other.confusion
        self._losses.merge(other._losses)
        self._hits += other._hits
        self._confidence.merge(other._confidence)
        self._ranking.merge(other._ranking)

    def result(self) -> dict[str, Any]:
        """Return the metrics.

        Returns:
            What `parity_runtime.evaluation.confusion.confusion_figures` does; log_loss, the mean cross-entropy in nats;
            brier, of two classes the mean of ``(p - y)^2`` of the second one's probability, of several the mean of the
            sum of these over the classes; roc_auc and average_precision, of several classes the mean over each against
            the rest, None unless a row of each is there; calibration_error; of two classes tn, fp, fn and tp;
            confusion. Where the areas are binned, also roc_auc_error and average_precision_error, which they are off
            by at most.

        Raises:
            InputError: there are no rows.
        """
        rows = int(self.confusion.sum())
        if not rows:
            raise InputError("there are no rows to evaluate")
        log_loss, brier = self._losses.values() / rows
        return {
            **confusion_figures(self.confusion),
            "log_loss": float(log_loss),
            "brier": float(brier),
            **self._ranking.result(),
            "calibration_error": calibration_error(np.stack([*self._hits, self._confidence.values()])),
            **binary_counts(self.confusion),
            "confusion": self.confusion.tolist(),
        }


def classification_metrics(true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]) -> dict[str, Any]:
    """Return `ClassificationMetrics` of all rows at once."""
    metrics = ClassificationMetrics(probabilities.shape[1])
    metrics.update(true, predicted, probabilities)
    return metrics.result()


def _brier(true: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return Brier's score of each row, float64 ``[rows]``."""
    if probabilities.shape[1] == 2:
        squares: NDArray[np.float64] = np.square(probabilities[:, 1].astype(np.float64) - true)
        return squares
    apart = np.array(probabilities, np.float64, order="C")  # so that each row is summed alone, in one order
    apart[np.arange(len(true)), true] -= 1
    sums: NDArray[np.float64] = np.square(apart).sum(axis=1)
    return sums
