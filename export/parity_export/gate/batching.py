"""Rows in batches of any size, through anything that answers a batch."""

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.sources.batch_axis import row_axis
from parity_runtime import ModelContract
from parity_runtime.contract import batch_name
from parity_runtime.inference.input_validation import Arrays

ModelFunction = Callable[[Arrays], Arrays]
"""From inputs by name to outputs by name."""


class LazyModel:
    """A backend that is loaded when it is first asked and let go when it is released: each holds the weights again.

    Args:
        load: makes the backend.
    """

    def __init__(self, load: Callable[[], ModelFunction]) -> None:
        self._load = load
        self._answer: ModelFunction | None = None

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the outputs by name."""
        if self._answer is None:
            self._answer = self._load()
        return self._answer(inputs)

    def release(self) -> None:
        """Let the backend go; it is loaded again when it is asked again."""
        self._answer = None


_REMEMBERED = 2**25  # bytes of answers


class RememberedAnswers:
    """A model that answers the same batch once: float64 takes torch several times as long as float32.

    Args:
        answer: a model; the first batches that fit into 32 MiB of answers are remembered.
    """

    def __init__(self, answer: LazyModel) -> None:
        self._answer, self._left = answer, _REMEMBERED
        self._known: dict[bytes, Arrays] = {}

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the outputs by name; nobody may write into them."""
        key = digest(inputs)
        found = self._known.get(key)
        if found is None:
            found = self._answer(inputs)
            size = sum(array.nbytes for array in found.values())
            if size <= self._left:
                self._known[key], self._left = found, self._left - size
        return found

    def release(self) -> None:
        """Let the model go; what it answered stays."""
        self._answer.release()


def digest(arrays: Arrays) -> bytes:
    """Return what tells arrays by name from any others: sha256 of names, dtypes, shapes and bytes."""
    sha256 = hashlib.sha256()
    for name, array in arrays.items():
        sha256.update(f"{name} {array.dtype} {array.shape}\n".encode())
        sha256.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())
    return sha256.digest()


def by_row(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array ``[rows, ...]`` as ``[rows, values]``, also where there are none."""
    return array.reshape(len(array), math.prod(array.shape[1:]))


class Batches:
    """Asks rows in batches.

    Arrays of rows have the row first, whatever the tensor's own axis (an LSTM's state is ``[layers, batch,
    hidden]``). A tensor without a batch axis is the same for every row of a call. Where no dimension is dynamic,
    a row is a whole call.

    Args:
        contract: of the model, its outputs known.
        where: by output, the input where it is compared; elsewhere all answers are made 0.
    """

    def __init__(self, contract: ModelContract, where: Mapping[str, str] | None = None) -> None:
        self._where = dict(where or {})
        self.name = batch_name(contract)
        # A gate makes thousands of calls of one row each.
        self._inputs = [(spec.name, row_axis(spec, self.name)) for spec in contract.inputs]
        self._outputs = [(spec.name, row_axis(spec, self.name)) for spec in contract.outputs]

    def run(self, answer: ModelFunction, inputs: Arrays, rows: NDArray[np.int64], batch: int) -> Arrays:
        """Return the outputs for ``rows`` of ``inputs``, rows first, asked ``batch`` at a time, the last call fewer."""
        size = batch if self.name is not None else 1
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        answers = [self._rows_first(answer(self.call(inputs, part)), len(part)) for part in parts]
        found = {name: np.concatenate([outputs[name] for outputs in answers]) for name in answers[0]}
        kept = self.kept({name: array[rows] for name, array in inputs.items()}, found) if self._where else {}
        return found | {name: np.where(mask, found[name], 0).astype(found[name].dtype) for name, mask in kept.items()}

    def kept(self, inputs: Arrays, outputs: Arrays) -> dict[str, NDArray[np.bool_]]:
        """Return which values of rows are compared, by output and of its shape, where not all are.

        Args:
            inputs: rows first.
            outputs: rows first; one of an unexpected shape is compared everywhere.
        """
        kept = {}
        for name, asked in self._where.items():
            mask, shape = inputs[asked] != 0, outputs[name].shape
            if mask.shape == shape[: mask.ndim]:
                kept[name] = np.broadcast_to(mask.reshape(*mask.shape, *[1] * (len(shape) - mask.ndim)), shape)
        return kept

    def call(self, inputs: Arrays, rows: NDArray[np.int64]) -> Arrays:
        """Return the model's inputs for some rows."""
        return {name: _placed(axis, inputs[name], rows) for name, axis in self._inputs}

    def _rows_first(self, outputs: Arrays, size: int) -> Arrays:
        return {name: _row_wise(axis, outputs[name], size) for name, axis in self._outputs}


def _placed(axis: int | None, array: NDArray[np.generic], rows: NDArray[np.int64]) -> NDArray[np.generic]:
    if axis is None:
        return np.asarray(array[rows[0]], order="C")  # ascontiguousarray gives a number an axis
    return np.ascontiguousarray(np.moveaxis(array[rows], 0, axis) if axis else array[rows])


def _row_wise(axis: int | None, array: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    if axis is None or axis >= array.ndim:
        return np.broadcast_to(array, (size, *array.shape))
    return np.moveaxis(array, axis, 0) if axis else array
