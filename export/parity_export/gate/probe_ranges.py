"""Over which values a model's features are asked: what they ranged over in training, and a little more."""

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError, ModelContract

Ends = tuple[NDArray[np.float64], NDArray[np.float64]]

_MARGIN = 0.25  # of the range, on both sides: what is asked beyond training, and still near it


def ranges(contract: ModelContract) -> Ends:
    """Return the lowest and highest value of each numeric and boolean feature as seen in training, each ``[features]``.

    Raises:
        InputError: they are unknown, or the model takes no table.
    """
    numbers = [one for one in contract.columns if one.kind in ("numeric", "boolean")]
    known = [feature.range for feature in numbers if feature.range is not None]
    if not contract.columns or len(known) != len(numbers):
        raise InputError(
            f"{contract.name} does not record the range of the training rows, so no rows can be drawn; give a "
            "table of rows"
        )
    low, high = np.array(known, np.float64).reshape(-1, 2).T
    return low, high


def spread(ends: Ends) -> Ends:
    """Return ranges that all have a width: a column that was constant in training is asked around its one value."""
    low, high = ends
    half = np.where(high > low, 0.0, np.where(low == 0, 1.0, np.abs(low)) / 2)
    return low - half, high + half


def widened(ends: Ends) -> Ends:
    """Return ranges that are a quarter wider on both sides, and have a width."""
    low, high = spread(ends)
    margin = _MARGIN * (high - low)
    return low - margin, high + margin
