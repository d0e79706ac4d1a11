"""Whether probabilities can be believed: of the predicted class, and of each class by itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.evaluation.metrics import CALIBRATION_BINS, calibration_bins, calibration_error
from parity_training.diagnostics.curves import MOST_CLASSES, WORST
from parity_training.diagnostics.numbers import rounded


def calibration(
    true: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any], classes: tuple[Any, ...]
) -> dict[str, Any]:
    """Return how often a class comes against the probability that it is given, in 15 bins of equal width.

    Args:
        true: class indices, integers ``[rows]``.
        predicted: class indices, integers ``[rows]``.
        probabilities: float ``[rows, classes]``.
        classes: the labels by index.

    Returns:
        ``bins``, their number; ``predicted_class`` and ``classes`` (of two classes the second; of more than 10 the 5
        with the largest error, and how many are ``left_out``), each with ``error``, the mean over rows of
        ``|fraction - mean probability|`` of the row's bin, and ``bins``: rows, mean probability, fraction of each bin
        that has rows.
    """
    chosen = [1] if len(classes) == 2 else range(len(classes))
    confidence = probabilities[np.arange(len(true)), predicted]
    found = [({"class": classes[index]} | _binned(true == index, probabilities[:, index])) for index in chosen]
    if len(found) > MOST_CLASSES:
        found = sorted(found, key=lambda one: one["error"] or 0.0, reverse=True)[:WORST]
    return {
        "bins": CALIBRATION_BINS,
        "predicted_class": _binned(predicted == true, confidence),
        "classes": found,
        "left_out": len(chosen) - len(found),
    }


def _binned(right: NDArray[np.bool_], probability: NDArray[Any]) -> dict[str, Any]:
    bins = calibration_bins(right, probability)
    told = [
        [int(rows), rounded(summed / rows), rounded(hits / rows)]
        for rows, hits, summed in bins[:, bins[0] > 0].T.tolist()
    ]
    return {"error": rounded(calibration_error(bins)), "bins": told}
