"""Rows counted by their score: what the areas under curves are taken from."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""Negative rows and positive rows, int64 ``[2, scores]``, of scores that ascend."""


def score_counts(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> Counts:
    """Return how many rows have each score that there is.

    Args:
        positive: bool ``[rows]``.
        score: float ``[rows]``.
    """
    order = np.argsort(score)
    ends = np.flatnonzero(np.diff(score[order], append=np.inf))  # of equal scores, the last
    up_to = np.stack([ends + 1, np.cumsum(positive[order])[ends]]) if len(ends) else np.zeros((2, 0), np.int64)
    rows, found = np.diff(up_to, axis=1, prepend=0)
    return np.stack([rows - found, found])
