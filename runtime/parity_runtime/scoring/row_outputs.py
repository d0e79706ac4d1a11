"""Outputs of some of a batch's rows: without the others, or among them, which have none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract, batch_name
from parity_runtime.inference.input_validation import Arrays


def null_outputs(contract: ModelContract, outputs: Arrays, answered: NDArray[np.bool_]) -> Arrays:
    """Return the outputs of all rows of a batch: those of rows without an answer are missing.

    Args:
        contract: of the model.
        outputs: by name, of the rows that have an answer.
        answered: which rows have one, bool ``[rows]``.

    Returns:
        By name: floats with NaN, integers and truth values as masked arrays, text with None; the same types where
        every row has an answer. An output that does not count rows is as it was.
    """
    counted = _counted(contract)
    return {name: _spread(found, answered) if name in counted else found for name, found in outputs.items()}


def kept_outputs(contract: ModelContract, outputs: Arrays, rows: NDArray[np.intp]) -> Arrays:
    """Return the outputs of these rows, from 0, without the others'; one that does not count rows is as it was."""
    counted = _counted(contract)
    return {name: found[rows] if name in counted else found for name, found in outputs.items()}


def output_rows(contract: ModelContract, outputs: Arrays) -> int:
    """Return how many rows outputs are of; 0 where none of them counts rows."""
    return next((len(outputs[name]) for name in _counted(contract)), 0)


def _counted(contract: ModelContract) -> list[str]:
    """Return the names of the outputs whose first axis counts rows."""
    rows = batch_name(contract)
    return [spec.name for spec in contract.outputs if rows is not None and spec.shape[:1] == (rows,)]


def _spread(found: NDArray[Any], answered: NDArray[np.bool_]) -> NDArray[Any]:
    missing, nothing = ~answered, _nothing(found.dtype)
    full = found
    if missing.any():
        full = np.full((len(answered), *found.shape[1:]), nothing, found.dtype)
        full[answered] = found
    if found.dtype.kind in "fO":
        return full
    mask = np.broadcast_to(missing.reshape(-1, *[1] * (found.ndim - 1)), full.shape).copy()
    return np.ma.MaskedArray(full, mask, fill_value=nothing)


def _nothing(dtype: np.dtype[Any]) -> Any:
    """Return a missing value; of integers and truth values what stands beneath the mask.

    Where a mask is lost it is no index into classes, and says that nothing is proven.
    """
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max
    return {"f": np.nan, "b": False}.get(dtype.kind)
