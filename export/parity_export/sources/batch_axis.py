"""Which axis of which tensor counts rows."""

import numpy as np

from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import batch_name
from parity_runtime.inference.input_validation import Arrays


def row_axis(spec: TensorSpec, batch: str | None) -> int | None:
    """Return the axis of a tensor that counts rows; None if it has none."""
    return spec.shape.index(batch) if batch is not None and batch in spec.shape else None


def rows_first(contract: ModelContract, inputs: Arrays) -> Arrays:
    """Return a model's inputs, one call, as rows: the batch axis first; a tensor without one once a row.

    Where no dimension is dynamic, the call is one row.
    """
    batch = batch_name(contract)
    axes = {spec.name: row_axis(spec, batch) for spec in contract.inputs}
    sizes = {inputs[name].shape[axis] for name, axis in axes.items() if axis is not None} or {1}
    return {
        name: np.broadcast_to(array, (max(sizes), *array.shape)) if axis is None else np.moveaxis(array, axis, 0)
        for (name, axis), array in zip(axes.items(), (inputs[name] for name in axes), strict=True)
    }
