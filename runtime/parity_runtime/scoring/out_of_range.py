"""The rows of a table that lie outside what a model has seen in training."""

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.inference.training_range import ends, out_of_range
from parity_runtime.tables.chunk import Chunk, Refusal, Refused, shown


def out_of_range_cells(contract: ModelContract, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which cells lie outside their feature's range, ``[rows, features]``, rounded as the model takes them.

    Raises:
        InputError: no feature has a range.
    """
    return out_of_range(contract, matrix.astype(_dtype(contract)))


def out_of_range_reasons(
    contract: ModelContract, chunk: Chunk, outside: NDArray[np.bool_], way_out: str = ""
) -> Refused:
    """Return what is wrong with each row that has such a cell: the first one, the feature's range, and a way out."""
    reasons = {}
    for row in np.flatnonzero(outside.any(axis=1)).tolist():
        feature = contract.columns[int(np.argmax(outside[row]))]
        low, high = ends(feature, _dtype(contract))
        cell = shown(chunk.cell(row, feature.name))
        problem = f"{feature.name} is {cell}, outside what the model has seen in training, {low!s} to {high!s}{way_out}"
        reasons[row] = Refusal(problem, feature.name)
    return reasons


def _dtype(contract: ModelContract) -> np.dtype[np.floating]:
    dtype = np.dtype(contract.inputs[0].dtype)
    return dtype if dtype.kind == "f" else np.dtype(np.float64)
