"""The temperature that makes a classifier's probabilities as sure as they are right."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LEAST, _MOST = 0.05, 20.0
_HALVINGS = 60  # of the logarithm of the range: far below a float32's rounding


def best_temperature(logits: Tensor, classes: Tensor) -> float:
    """Return the temperature by which logits are divided so that the mean cross-entropy is smallest.

    The loss is convex in one over the temperature (Guo et al., On Calibration of Modern Neural Networks, ICML 2017), so
    its slope is halved until it is 0. Where rows say nothing, because all of them are right or none is, it is 1; where
    logits are so large that hardly any would do, it is 20.

    >>> import torch
    >>> from parity_training.fitting.calibration import best_temperature
    >>> logits = torch.tensor([[4.0], [4.0], [4.0], [4.0]])  # 98 % sure, and right in three of four
    >>> round(best_temperature(logits, torch.tensor([1, 1, 1, 0])), 3)
    3.641

    Args:
        logits: float32 ``[rows, 1]`` of two classes, else ``[rows, classes]``.
        classes: of the rows, int64 ``[rows]``.
    """
    each = torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
    found, true = each.double().numpy(), classes.numpy()
    low, high = np.log(1 / _MOST), np.log(1 / _LEAST)
    if not _slope(found, true, 0.0) < 0 < _slope(found, true, np.exp(high)):
        return 1.0
    if _slope(found, true, np.exp(low)) >= 0:
        return _MOST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(found, true, np.exp(middle)) < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def _slope(logits: NDArray[np.float64], true: NDArray[np.int64], inverse: float) -> float:
    """Return how the mean cross-entropy changes with one over the temperature."""
    scaled = logits * inverse
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    expected = (weights * logits).sum(axis=1) / weights.sum(axis=1)
    return float((expected - logits[np.arange(len(true)), true]).mean())
