"""The population stability index: one figure for how far a column's shares have moved."""

import math

import numpy as np
from numpy.typing import NDArray

SOME_SHIFT, MUCH_SHIFT = 0.1, 0.25
"""The usual reading of the index: below the first little has moved, above the second much (Siddiqi, Credit Risk
Scorecards, 2006)."""

_WITHOUT_DRIFT_BELOW = 3.0902  # standard deviations: 99.9 % of a normal distribution


def population_stability_index(before: NDArray[np.integer], after: NDArray[np.integer]) -> float | None:
    """Return how far the shares of bins have moved.

    ``sum((q - p) * ln(q / p))`` over the bins, p and q a bin's share before and after: Jeffreys' divergence. A share of
    less than half a row of the smaller table is taken as half a row, as the logarithm of no share is infinite; a bin
    that both leave empty counts as none.

    >>> import numpy as np
    >>> from parity_runtime.drift.stability import population_stability_index
    >>> round(population_stability_index(np.array([500, 500]), np.array([400, 600])), 4)
    0.0405

    Args:
        before: rows in each bin, integers ``[bins]``.
        after: rows in the same bins.

    Returns:
        0 or more, without a unit; None where either has no row.
    """
    rows = int(before.sum()), int(after.sum())
    if not min(rows):
        return None
    filled = (before + after) > 0
    least = 0.5 / min(rows)
    p, q = (np.maximum(counts[filled] / total, least) for counts, total in zip((before, after), rows, strict=True))
    return float(((q - p) * np.log(q / p)).sum())


def index_by_chance(before: NDArray[np.integer], after: NDArray[np.integer]) -> float | None:
    """Return what the index stays below in 999 of 1,000 tables of this size without any drift.

    The index of rows drawn alike is some chi-square of one degree less than bins, times ``1 / m + 1 / n`` (Yurdakul,
    Statistical Properties of Population Stability Index, 2018); its quantile is that of Wilson and Hilferty (1931).

    Args:
        before: rows in each bin, integers ``[bins]``.
        after: rows in the same bins.

    Returns:
        As `population_stability_index`; 0 of a single bin.
    """
    rows = int(before.sum()), int(after.sum())
    if not min(rows):
        return None
    degrees = int(np.count_nonzero(before + after)) - 1
    if degrees < 1:
        return 0.0
    spread = 2 / (9 * degrees)
    quantile = degrees * (1 - spread + _WITHOUT_DRIFT_BELOW * math.sqrt(spread)) ** 3
    return quantile * (1 / rows[0] + 1 / rows[1])
