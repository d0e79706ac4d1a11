"""Which cells lie outside what a model has seen in training: its answers there are extrapolations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.feature import Feature


def check_has_ranges(contract: ModelContract) -> None:
    """Refuse a contract that knows no feature's range, of which every cell would count as seen.

    Raises:
        InputError: no feature has both a low and a high.
    """
    if all(feature.range is None for feature in contract.features):
        raise InputError(
            f"the contract of {contract.name} does not say what its features ranged over in training, so that nothing "
            "can be said to lie outside"
        )


def out_of_range(contract: ModelContract, cells: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which cells lie below their feature's low or above its high.

    Both ends are rounded to the cells' dtype first, as the cells were: what was seen in training is never outside.
    A missing cell (NaN), and one of a feature without a range, is not outside.

    Args:
        contract: of a model over a table.
        cells: ``[batch, features]`` of the graph's dtype, in its order.

    Raises:
        InputError: no feature has a range.
    """
    check_has_ranges(contract)
    outside = np.zeros(cells.shape, np.bool_)
    for feature in contract.features:
        if feature.range is not None:
            low, high = ends(feature, cells.dtype)
            column = cells[..., feature.index]
            outside[..., feature.index] = (column < low) | (column > high)
    return outside


def ends(feature: Feature, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the low and the high of a feature that has them, ``[2]``, rounded as cells of that dtype are."""
    return np.array(feature.range, dtype if dtype.kind == "f" else np.float64)
