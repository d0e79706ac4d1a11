"""How far probabilities can be from the exact ones, from how far their logits can be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

OF_LOGITS = "parity.probabilities", "logits"
"""What the metadata of a certified graph says where its probabilities are computed from its logits by Parity's head."""

EXP_ERROR = 4
"""How far a compliant exponential may be from the exact one, relatively, in u: proof.md has the table."""

_U = 2.0**-24  # the unit roundoff of float32
_FLUSHED = 2.0**-124  # a power of e, or a result, that is flushed or within Exp's absolute error
_FLOAT64 = 1 + 2.0**-20  # what float64's own rounding may lose


def probability_error_bound(logits: NDArray[Any], error_bound: NDArray[Any]) -> NDArray[np.float32]:
    """Return how far the probabilities of any compliant evaluation can be from the exact ones, by class.

    With R the error bounds of the logits z, the logarithm of the odds of class i moves by at most R_i and the largest R
    of another class. What the head rounds (proof.md, probabilities) is added to both: D. From exact odds to those
    of z it is at most D too, and between them p (1 - p), the slope, changes by a factor of at most e^(2D):

        |p~ - p| <= min(1/4, p'(1 - p') e^(2D)) D + 3u p' e^(2D), and flushes; never above 1

    Args:
        logits: float32 ``[batch, classes]``, or of two classes the one logit of the second, ``[batch, 1]``.
        error_bound: of each logit, of the same shape.

    Returns:
        float32 ``[batch, classes]``, rounded upward; infinite where a logit of the row has no error bound.
    """
    z, reach = logits.astype(np.float64), error_bound.astype(np.float64)
    if z.shape[1] == 1:
        z, reach = (np.concatenate([np.zeros_like(one), one], axis=1) for one in (z, reach))
    claimed = np.isfinite(z) & (reach >= 0) & (reach < np.inf)
    known = claimed.all(axis=1, keepdims=True)
    z, reach = np.where(known, z, 0.0), np.where(known, reach, 0.0)
    classes = z.shape[1]
    span = z.max(axis=1, keepdims=True) - z.min(axis=1, keepdims=True) + 4 * reach.max(axis=1, keepdims=True)
    moved = reach + _largest_of_others(reach) + 2 * _U * span + (classes + 4 + 2 * EXP_ERROR) * _U * (1 + 2.0**-10)
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    growth = np.exp(np.minimum(2 * moved, 80.0))
    slope = np.minimum(p * (1 - p + 2.0**-40) * growth, 0.25)
    bound = slope * moved + 3 * _U * np.minimum(p * growth, 1.0) + (classes + 2) * _FLUSHED
    bound = np.minimum(bound * _FLOAT64, 1 + 4 * _U)
    rounded = np.nextafter(bound.astype(np.float32), np.float32(np.inf))
    return np.where(known, rounded, np.float32(np.inf)).astype(np.float32)


def _largest_of_others(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each number of a row the largest of the others."""
    ordered = np.sort(array, axis=1)
    others: NDArray[np.float64] = np.where(array < ordered[:, -1:], ordered[:, -1:], ordered[:, -2:-1])
    return others
