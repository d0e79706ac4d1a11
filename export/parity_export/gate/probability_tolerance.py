"""Probabilities are compared relatively: a rare one is as exact as its logit explains."""

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.tolerances import FACTOR, TINY

U = 2.0**-24
"""The unit roundoff of float32."""

_ROUNDINGS = 16
"""Of exp, a sum, a quotient and a reciprocal, each exact to two units in the last place, with some to spare."""


def relative_tolerance(
    exact: NDArray[np.float64],
    logits: NDArray[np.float64],
    own: NDArray[np.float64] | None = None,
    *,
    sigmoid: bool = False,
) -> NDArray[np.float64]:
    """Return the allowed absolute deviation of probabilities: a part of each, never an amount beside it.

    Logits that are off by d_i change log p_i = z_i - log sum_j e^(z_j) by at most d_i + log sum_j p_j e^(d_j), and the
    log sigmoid of one logit by d, whose derivative is sigmoid(-z). What lies below the smallest normal float32 may be
    zero; all that lies between 0 and 1 is at most 1 away.

    Args:
        exact: ``[rows, ..., classes]``.
        logits: allowed deviation of each logit ``[rows, ..., k]``, k = 1 for two classes with one logit.
        own: largest deviation of honest evaluations, divided by each probability, of the shape of ``exact``, for a
            module whose probabilities do not come from the logits.
        sigmoid: each probability is the sigmoid of one logit; else they are the softmax of all.
    """
    one_logit = logits.shape[-1] == 1 and exact.shape[-1] == 2
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        reach = logits
        if not (sigmoid or one_logit):
            shifted = np.logaddexp.reduce(np.log(exact) + logits, axis=-1, keepdims=True)
            reach = logits + np.maximum(shifted, 0.0)
        relative = np.expm1(reach) + (_ROUNDINGS + exact.shape[-1]) * U
        if own is not None:
            honest = np.where(exact > TINY, own, 0.0).max(axis=tuple(range(exact.ndim - 1)), initial=0.0)
            relative = np.maximum(relative, FACTOR * honest)
        allowed = np.where(exact > 0, relative * exact, 0.0) + TINY
        if own is not None and one_logit:
            allowed[:, 0] += 4 * U  # made of the other class's probability: float32 holds numbers near 1 to 2^-24
    return np.asarray(np.minimum(np.nan_to_num(allowed, nan=1.0, posinf=1.0), 1.0))


def unexplained(
    probabilities: NDArray[np.float32], logits: NDArray[np.float32], *, sigmoid: bool = False
) -> NDArray[np.bool_]:
    """Return which probabilities are not what the logits beside them make of them, of their shape.

    The difference of two logits rounds by u of itself, and the sum over k classes k times; else a few units.

    Args:
        probabilities: as a backend answered them, ``[rows, ..., classes]``.
        logits: its answer to the same rows ``[rows, ..., k]``, k = 1 for two classes with one logit.
        sigmoid: each probability is the sigmoid of one logit; else they are the softmax of all.
    """
    if sigmoid and probabilities.shape == logits.shape:  # each class for itself, against its absence
        pairs = np.stack([1 - probabilities.astype(np.float64), probabilities], axis=-1)
        return unexplained(pairs, np.asarray(logits)[..., None])[..., 1]
    z = logits.astype(np.float64)
    z = np.concatenate([np.zeros_like(z), z], axis=-1) if z.shape[-1] == 1 else z
    with np.errstate(invalid="ignore", over="ignore"):
        below = z - z.max(axis=-1, keepdims=True)
        exact = np.exp(below)
        exact = exact / exact.sum(axis=-1, keepdims=True)
        reach = (_ROUNDINGS + z.shape[-1] + 2 * np.abs(below).max(axis=-1, keepdims=True)) * U
        apart = np.abs(probabilities - exact) > reach * exact + TINY
    return np.asarray(apart & np.isfinite(z).all(axis=-1, keepdims=True))
