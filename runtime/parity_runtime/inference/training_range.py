"""Which cells lie outside what a model has seen in training: its predictions there are extrapolations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.feature import MISSING_TIMESTAMP, Feature, timestamp_text


def check_has_ranges(contract: ModelContract) -> None:
    """Refuse a contract that knows no feature's range, of which every cell would count as seen.

    Raises:
        InputError: no feature has both a low and a high.
    """
    if all(feature.range is None for feature in contract.features):
        raise InputError(
            f"the contract of {contract.name} does not record the range of the training rows, so that no row "
            "can be out of range"
        )


def out_of_range(contract: ModelContract, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which cells lie below their feature's low or above its high.

    Both ends are rounded to the cells' dtype first, as the cells were: what was seen in training is never outside.
    A missing cell, and one of a feature without a range, as text is, is not outside.

    Args:
        contract: of a model over a table.
        inputs: the graph's, by name, each ``[batch, columns]`` of the graph's dtype.

    Returns:
        ``[batch, features]``, in the order of `ModelContract.row_features`.

    Raises:
        InputError: no feature has a range.
    """
    check_has_ranges(contract)
    rows = len(next(iter(inputs.values())))
    outside = np.zeros((rows, len(contract.features)), np.bool_)
    for place, feature in enumerate(contract.row_features):
        if feature.range is not None:
            column = inputs[feature.input][..., feature.index]
            low, high = _ends(feature, column.dtype)
            outside[:, place] = ((column < low) | (column > high)) & (
                (feature.kind != "datetime") | (column != MISSING_TIMESTAMP)
            )
    return outside


def shown_ends(contract: ModelContract, feature: Feature) -> tuple[str, str]:
    """Return the low and the high of a feature that has them, as a person reads them: of timestamps as dates."""
    if feature.kind == "datetime" and feature.range is not None:
        low, high = map(timestamp_text, feature.range)
        return low, high
    dtype = next(spec.numpy_dtype for spec in contract.inputs if spec.name == feature.input)
    low, high = map(str, _ends(feature, dtype))
    return low, high


def _ends(feature: Feature, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the low and the high of a feature that has them, ``[2]``, rounded as cells of that dtype are."""
    return np.array(feature.range, dtype if dtype.kind == "f" else np.float64)
