"""The scores of rows, or counts of them that merge, for the areas under the curves that a threshold draws."""

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.evaluation.average_precision import average_precision_bounds, average_precision_of
from parity_runtime.evaluation.roc_auc import roc_auc_of
from parity_runtime.evaluation.score_counts import score_counts

_FINEST = 9  # bits of a score's mantissa that a bin holds: neighbours are 0.2 % apart
_MOST_BINS = 2**21  # of all classes, each with two counts of 8 bytes
_MANTISSA = 23  # bits of a float32


class Ranking(Protocol):
    """What the areas are taken from."""

    def update(self, true: NDArray[Any], scores: NDArray[Any]) -> None:
        """Take rows: class indices ``[rows]``, and scores ``[rows, columns]`` of each class (of two, of the second)."""

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""

    def result(self) -> dict[str, float | None]:
        """Return ``roc_auc`` and ``average_precision``, the means over the classes; and what else is known.

        Both are None unless there is a row of each class.
        """


class AllScores:
    """Every row's scores, for the areas themselves; in memory."""

    def __init__(self) -> None:
        self._true: list[NDArray[np.int32]] = []
        self._scores: list[NDArray[Any]] = []

    def update(self, true: NDArray[Any], scores: NDArray[Any]) -> None:
        """Take rows, as `Ranking.update`."""
        self._true.append(true.astype(np.int32))
        self._scores.append(scores.copy())

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""
        self._true += other._true
        self._scores += other._scores

    def result(self) -> dict[str, float | None]:
        """Return ``roc_auc`` and ``average_precision``."""
        true, scores = np.concatenate(self._true), np.concatenate(self._scores)
        areas, precisions = [], []
        for positive, column in zip(_positive(true, scores), scores.T, strict=True):
            counts = score_counts(positive, column)
            areas.append(roc_auc_of(counts)[0])
            precisions.append(average_precision_of(counts))
        return {"roc_auc": _mean(areas), "average_precision": _mean(precisions)}


class ScoreBins:
    """Counts of rows by their score, for the areas but for what lies within a bin; in constant memory.

    A bin holds the float32 scores that share their exponent and their first bits; above one half, those whose distance
    from 1 does, so that probabilities next to 1 are told apart as those next to 0 are. What lies within a bin bounds
    each area, which is off by ``roc_auc_error`` and ``average_precision_error`` at most.

    Args:
        columns: of scores, probabilities: one of two classes, else one of each class.
    """

    def __init__(self, columns: int) -> None:
        bits = _FINEST
        while bits and columns * _bins(bits) > _MOST_BINS:
            bits -= 1
        self._shift, self._size = _MANTISSA - bits, _bins(bits)
        self._counts = np.zeros((2, columns, self._size), np.int64)

    def update(self, true: NDArray[Any], scores: NDArray[Any]) -> None:
        """Take rows, as `Ranking.update`."""
        columns = self._counts.shape[1]
        places = self._places(scores) + np.arange(columns) * self._size
        positive = _positive(true, scores).T
        flat = self._counts.reshape(2, -1)
        for kind, rows in enumerate((~positive, positive)):
            flat[kind] += np.bincount(places[rows], minlength=flat.shape[1])

    def _places(self, scores: NDArray[Any]) -> NDArray[np.int64]:
        near = np.clip(scores, 0, 1).astype(np.float32) + np.float32(0)  # which makes 0 of -0
        upper = near >= 0.5  # 1 - p is exact there
        bits = np.where(upper, np.float32(1) - near, near).view(np.uint32).astype(np.int64) >> self._shift
        places: NDArray[np.int64] = np.where(upper, self._size - 1 - bits, bits)
        return places

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of as many columns."""
        self._counts += other._counts

    def result(self) -> dict[str, float | None]:
        """Return ``roc_auc`` and ``average_precision``, and what they are off by at most, each with ``_error``."""
        areas, errors, bounds = [], [], []
        for counts in self._counts.transpose(1, 0, 2):
            held = counts[:, counts.any(axis=0)]
            area, error = roc_auc_of(held)
            areas.append(area)
            errors.append(error)
            bounds.append(average_precision_bounds(held))
        middles = [None if ends is None else sum(ends) / 2 for ends in bounds]
        halves = [None if ends is None else (ends[1] - ends[0]) / 2 for ends in bounds]
        return {
            "roc_auc": _mean(areas),
            "roc_auc_error": _mean(errors),
            "average_precision": _mean(middles),
            "average_precision_error": _mean(halves),
        }

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickles: the bins that hold something."""
        found = np.flatnonzero(self._counts)
        return self.__dict__ | {"_counts": (self._counts.shape, found, self._counts.ravel()[found])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        shape, found, counts = state["_counts"]
        self.__dict__.update(state | {"_counts": np.zeros(shape, np.int64)})
        self._counts.ravel()[found] = counts


def _bins(bits: int) -> int:
    """Return how many bins there are of so many bits: scores up to a half, and those above by their distance from 1."""
    half = int(np.float32(0.5).view(np.uint32)) >> (_MANTISSA - bits)
    return 2 * (half + 1)


def _positive(true: NDArray[Any], scores: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows are of each column's class, bool ``[columns, rows]``; a single one is of the second class."""
    columns = scores.shape[1]
    classes = np.array([1]) if columns == 1 else np.arange(columns)
    positive: NDArray[np.bool_] = true[None] == classes[:, None]
    return positive


def _mean(areas: list[float | None]) -> float | None:
    """Return the mean over the classes; None unless it is known of each."""
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if len(known) == len(areas) else None
