"""The average precision, the area under the curve of precision against recall, as scikit-learn defines it."""

import numpy as np
from numpy.typing import NDArray

from parity_runtime.evaluation.score_counts import Counts, score_counts

_ROUNDING = 8 * float(np.finfo(np.float64).eps)  # of a bound below; it is moved outwards by so much


def average_precision(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> float | None:
    """Return the mean, over positive rows, of the precision among the rows that score no less (scikit-learn's).

    None without rows of both kinds.

    Args:
        positive: bool ``[rows]``.
        score: float ``[rows]``.
    """
    return average_precision_of(score_counts(positive, score))


def average_precision_of(counts: Counts) -> float | None:
    """Return the average precision of rows that are counted by their score; None without rows of both kinds.

    Args:
        counts: negative rows and positive rows, int64 ``[2, scores]``, of ascending scores.
    """
    negative, positive = counts[:, ::-1]
    if not negative.any() or not positive.any():
        return None
    found, wrong = np.cumsum(positive), np.cumsum(negative)
    some = positive > 0
    return float((positive[some] * (found[some] / (found[some] + wrong[some]))).sum() / found[-1])


def average_precision_bounds(counts: Counts) -> tuple[float, float] | None:
    """Return what the average precision is at least and at most, where each count is of a bin of scores.

    Take a bin with ``k`` positive and ``m`` negative rows, above which stand ``t`` positive and ``f`` negative ones.
    The precision at its ``i``-th positive row is at least ``(t + i) / (t + i + f + m)``: at least ``i`` of the positive
    ones and at most ``m`` of the negative ones are taken by then. These grow with ``i``, so that their sum is at least
    their integral from 0 to ``k``, ``k - (f + m) ln(1 + k / (t + f + m))``. Each is at most ``(t + k) / (t + k + f)``:
    all positive rows of the bin, and none of its negative ones.

    Args:
        counts: negative rows and positive rows, int64 ``[2, bins]``, of ascending scores.

    Returns:
        None without rows of both kinds.
    """
    some = counts[1] > 0
    negative, positive = counts[:, ::-1].astype(np.float64)
    if not negative.any() or not positive.any():
        return None
    found, wrong = np.cumsum(positive), np.cumsum(negative)
    some = some[::-1]
    k, t, most, least = positive[some], (found - positive)[some], wrong[some], (wrong - negative)[some]
    lost = most * np.log1p(k / np.maximum(t + most, 1)) * (1 + _ROUNDING)
    low = float(np.maximum(k - lost, 0).sum() / found[-1])
    high = float((k * ((t + k) / (t + k + least))).sum() / found[-1])
    return max(low - _ROUNDING, 0.0), min(high + _ROUNDING, 1.0)
