"""The area under the ROC curve: of all rows' scores, or of counts that merge."""

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

_FINEST = 9  # bits of a score's mantissa that a bin holds: neighbours are 0.2 % apart
_MOST_BINS = 2**21  # of all classes, each with two counts of 8 bytes
_MANTISSA = 23  # bits of a float32


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


class RocCurve(Protocol):
    """What the area is taken from."""

    def update(self, true: NDArray[Any], scores: NDArray[Any]) -> None:
        """Take rows: class indices ``[rows]``, and scores ``[rows, columns]`` of each class (of two, of the second)."""

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""

    def result(self) -> dict[str, float | None]:
        """Return ``roc_auc``, the mean over the classes, None unless there is a row of each; and what else is known."""


class AllScores:
    """Every row's scores, for the area itself; in memory."""

    def __init__(self) -> None:
        self._true: list[NDArray[np.int32]] = []
        self._scores: list[NDArray[Any]] = []

    def update(self, true: NDArray[Any], scores: NDArray[Any]) -> None:
        """Take rows, as `RocCurve.update`."""
        self._true.append(true.astype(np.int32))
        self._scores.append(scores.copy())

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""
        self._true += other._true
        self._scores += other._scores

    def result(self) -> dict[str, float | None]:
        """Return ``roc_auc``."""
        true, scores = np.concatenate(self._true), np.concatenate(self._scores)
        areas = [roc_auc(positive, column) for positive, column in zip(_positive(true, scores), scores.T, strict=True)]
        known = [area for area in areas if area is not None]
        return {"roc_auc": float(np.mean(known)) if len(known) == len(areas) else None}


class ScoreBins:
    """Counts of rows by their score, for the area but for what lies within a bin; in constant memory.

    A bin holds the float32 scores that share their exponent and their first bits; above one half, those whose distance
    from 1 does, so that probabilities next to 1 are told apart as those next to 0 are. A pair of a positive and a
    negative row in one bin counts half; it is one, nothing or half, so that the area is off by half of such pairs at
    most. That is ``roc_auc_error``.

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
        """Take rows, as `RocCurve.update`."""
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
        """Return ``roc_auc``, and ``roc_auc_error``, which it is off by at most."""
        areas, errors = [], []
        for counts in self._counts.transpose(1, 0, 2):
            # Python's integers: pairs of many rows are more than int64 holds.
            negative, positive = counts[:, counts.any(axis=0)].astype(object)
            below = np.cumsum(negative) - negative
            pairs = int(negative.sum()) * int(positive.sum())
            if not pairs:
                return {"roc_auc": None, "roc_auc_error": None}
            tied = int((negative * positive).sum())
            areas.append((2 * int((below * positive).sum()) + tied) / (2 * pairs))
            errors.append(tied / (2 * pairs))
        return {"roc_auc": float(np.mean(areas)), "roc_auc_error": float(np.mean(errors))}

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
