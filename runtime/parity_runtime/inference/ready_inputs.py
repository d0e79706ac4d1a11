"""Inputs of a table that need no work: arrays of the graph's own dtypes and shapes, without a strange cell."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract, batch_name
from parity_runtime.inference.checked_arrays import all_finite
from parity_runtime.inference.table_rows import has_kinds

_FEW = 16  # numbers, which Python sums up sooner than numpy looks at them
_MOST_CELLS = 2**9  # of an array; beyond, looking at each in the general way costs nothing beside the work


class ReadyInputs:
    """Tells inputs that the graph takes as they are, in two microseconds for one row.

    Args:
        contract: of the model; of one without text, moments and truth values no inputs are told (they have bound
            buffers).
    """

    def __init__(self, contract: ModelContract) -> None:
        batch = batch_name(contract)
        tables = [spec for spec in contract.inputs if len(spec.shape) == 2 and spec.shape[0] == batch]
        whole = has_kinds(contract) and len(tables) == len(contract.inputs)
        self._specs: list[tuple[str, np.dtype[Any], Any, str]] = [
            (spec.name, spec.numpy_dtype, spec.shape[1], spec.numpy_dtype.kind) for spec in tables if whole
        ]

    def accept(self, inputs: Mapping[str, Any]) -> bool:
        """Whether inputs by name, one row at least, can go to the session as they are; if not, they may be right."""
        if not self._specs or type(inputs) is not dict or len(inputs) != len(self._specs):
            return False
        rows = -1
        for name, dtype, width, kind in self._specs:
            array = inputs.get(name)
            if type(array) is not np.ndarray or array.dtype != dtype:
                return False
            shape = array.shape
            if rows < 0 and shape:
                rows = shape[0]
            if shape != (rows, width) or not 0 < rows * width <= _MOST_CELLS or (kind in "fO" and _is_odd(array)):
                return False
        return True


def _is_odd(array: NDArray[Any]) -> bool:
    """Whether a number is NaN or infinite, or an object no text: what is neither sums up nor joins."""
    if array.dtype.kind == "f" and array.size > _FEW:
        return not all_finite(np.ascontiguousarray(array))
    cells = array.ravel().tolist()
    if array.dtype.kind == "f":
        total = sum(cells)
        return bool(total - total != 0.0)
    try:
        "".join(cells)
    except TypeError:
        return True
    return False
