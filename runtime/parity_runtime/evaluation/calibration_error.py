"""How far the probability of the predicted class is from how often it is right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15
"""The bins of the calibration error (Guo et al., ICML 2017, their choice)."""


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
