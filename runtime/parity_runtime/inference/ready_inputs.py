"""Inputs of a table that need no work: arrays of the graph's own dtypes and shapes, without a strange cell."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from parity_runtime.contract import ModelContract, batch_name
from parity_runtime.inference.checked_arrays import all_finite

FEW = 16
"""Numbers which Python sums up sooner than numpy looks at them."""

_MOST_CELLS = 2**13  # of an array; beyond, looking at each in the general way costs nothing beside the work
_MOST_TEXTS = 2**9  # likewise: each is looked at by itself
_MOST_BYTES = 2**20  # of the widest tensor: more rows go through the session in tiles


class ReadyInputs:
    """Tells inputs that the graph takes as they are, in a microsecond for one row.

    Args:
        contract: of the model; of one whose inputs are no tables of a fixed width no inputs are told.
        widest_row: the largest number of elements that one row of any tensor of the graph has.
    """

    def __init__(self, contract: ModelContract, widest_row: int) -> None:
        batch = batch_name(contract)
        tables = [
            (spec, width)
            for spec in contract.inputs
            for width in spec.shape[1:]
            if len(spec.shape) == 2 and spec.shape[0] == batch and isinstance(width, int)
        ]
        takes_missing = all(
            one.missing == "impute" for one in contract.features if one.is_text or one.kind == "datetime"
        )
        whole = takes_missing and len(tables) == len(contract.inputs) and not contract.dimensions
        rows = max(1, _MOST_BYTES // (4 * widest_row))
        self._checks = [_Check(spec.name, spec.numpy_dtype, width, rows) for spec, width in tables if whole]
        self._count = len(self._checks) or None

    def accept(self, inputs: Mapping[str, Any]) -> bool:
        """Whether inputs by name, one row at least, can go to the session as they are; if not, they may be right."""
        if type(inputs) is not dict or len(inputs) != self._count:
            return False
        rows = None
        for check in self._checks:
            found = check.rows_of(inputs.get(check.name))
            if not found or found != (rows or found):
                return False
            rows = found
        return True


class _Check:
    """What one input must be: an array of a dtype and a width.

    Attributes:
        name: of the input.
    """

    __slots__ = ("_dtype", "_is_float", "_is_text", "_most", "_one_row", "_width", "name")

    def __init__(self, name: str, dtype: "np.dtype[Any]", width: int, most_rows: int) -> None:
        self.name, self._dtype, self._width, self._one_row = name, dtype, width, (1, width)
        self._is_float, self._is_text = dtype.kind == "f", dtype.kind == "O"
        self._most = min(most_rows * width, _MOST_TEXTS if self._is_text else _MOST_CELLS)

    def rows_of(self, array: Any) -> int:
        """Return how many rows an input has, 0 where it is not ready: a number that is not finite, a cell no text."""
        if type(array) is not ndarray or array.dtype != self._dtype:
            return 0
        shape: tuple[int, ...] = array.shape
        if shape != self._one_row and (len(shape) != 2 or shape[1] != self._width or array.size > self._most):
            return 0
        if self._is_float:
            if array.size > FEW:
                return shape[0] if all_finite(np.ascontiguousarray(array)) else 0
            total = sum(array.tolist()[0] if shape == self._one_row else array.ravel().tolist())
            return shape[0] if total - total == 0.0 else 0  # what is not finite has no difference of 0
        if self._is_text:
            try:
                "".join(array.tolist()[0] if shape == self._one_row else array.ravel().tolist())
            except TypeError:  # it joins text alone
                return 0
        return shape[0]
