"""The area under the ROC curve: of rows' scores, or of their counts by score."""

import numpy as np
from numpy.typing import NDArray

from parity_runtime.evaluation.score_counts import Counts, score_counts


def roc_auc(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> float | None:
    """Return the area under the ROC curve: the probability that a positive row scores above a negative one.

    Mann and Whitney's U over the number of pairs (Ann. Math. Stat. 18, 1947); ties count half. None without rows
    of both kinds.

    Args:
        positive: bool ``[rows]``.
        score: float ``[rows]``.
    """
    area, _ = roc_auc_of(score_counts(positive, score))
    return area


def roc_auc_of(counts: Counts) -> tuple[float | None, float | None]:
    """Return the area of rows that are counted by their score, and how far off it is where a count is of a bin.

    A pair of a positive and a negative row in one bin counts half; it is one, nothing or half, so that the area is off
    by half of such pairs at most. Both are None without rows of both kinds.

    Args:
        counts: negative rows and positive rows, int64 ``[2, scores]``, of ascending scores.
    """
    # Python's integers: pairs of many rows are more than int64 holds.
    negative, positive = counts
    pairs = int(negative.sum()) * int(positive.sum())
    if not pairs:
        return None, None
    below = np.cumsum(negative) - negative
    won = _products(below, positive)
    tied = _products(negative, positive)
    return (2 * won + tied) / (2 * pairs), tied / (2 * pairs)


def _products(first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """Return the sum of products, exactly: below 2^62 in int64, else in Python's integers."""
    if float(first.max()) * float(second.sum()) < 2.0**62:
        return int(first @ second)
    return int(first.astype(object) @ second.astype(object))
