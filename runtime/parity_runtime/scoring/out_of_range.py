"""The rows of a table that lie outside what a model has seen in training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.inference.training_range import out_of_range, shown_ends
from parity_runtime.tables.chunk import Chunk, Refusal, Refused, shown


def out_of_range_cells(contract: ModelContract, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which cells lie outside their feature's range, ``[rows, features]``, rounded as the model takes them.

    Args:
        contract: of a model over a table.
        inputs: as `read_inputs` returns them.

    Raises:
        InputError: no feature has a range.
    """
    rounded = {spec.name: inputs[spec.name].astype(spec.numpy_dtype) if spec.dtype.startswith("float")
               else inputs[spec.name] for spec in contract.inputs}  # fmt: skip
    return out_of_range(contract, rounded)


def out_of_range_reasons(
    contract: ModelContract, chunk: Chunk, outside: NDArray[np.bool_], way_out: str = ""
) -> Refused:
    """Return what is wrong with each row that has such a cell: the first one, the feature's range, and a way out."""
    reasons = {}
    for row in np.flatnonzero(outside.any(axis=1)).tolist():
        feature = contract.row_features[int(np.argmax(outside[row]))]
        low, high = shown_ends(contract, feature)
        cell = shown(chunk.cell(row, feature.name))
        problem = f"{feature.name} is {cell}, outside what the model has seen in training, {low} to {high}{way_out}"
        reasons[row] = Refusal(problem, feature.name)
    return reasons
