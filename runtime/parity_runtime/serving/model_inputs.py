"""The tensors of a request, made the inputs of a model: by the inputs' names, by the columns', or the only one."""

import re
from typing import Any

from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.feature import MISSING_CATEGORY, MISSING_TIMESTAMP, Feature
from parity_runtime.inference.input_validation import Arrays, table_inputs
from parity_runtime.printable import shown
from parity_runtime.serving.datatypes import BYTES, NUMPY_DTYPES
from parity_runtime.serving.infer_request import RequestTensor
from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.tensor_data import tensor_array

UNNAMED = re.compile(r"input[-_]?\d+")
"""What clients call a tensor whose name they do not know (MLServer's ``input-1``, KServe's ``input-0``)."""


class ModelInputs:
    """Makes a predictor's inputs of a request's tensors.

    Args:
        contract: of the model.
        max_rows: the largest batch.
    """

    def __init__(self, contract: ModelContract, max_rows: int) -> None:
        self._contract = contract
        self._max_rows = max_rows
        self._specs = {spec.name: spec for spec in contract.inputs}
        self._columns = {feature.name: feature for feature in contract.features}
        self._missing = {feature.input: missing_cell(feature) for feature in contract.features}

    def of(self, tensors: tuple[RequestTensor, ...]) -> Arrays:
        """Return the inputs by name; a predictor checks their dtypes and shapes.

        Raises:
            RequestError: the tensors are not those that the model takes, or too many rows.
        """
        for tensor in tensors:
            if tensor.shape and tensor.shape[0] > self._max_rows:
                raise RequestError(
                    f"a batch of {tensor.shape[0]} rows is more than {self._max_rows}; send it in parts", 413
                )
        names = [tensor.name for tensor in tensors]
        if self._specs.keys().isdisjoint(names):
            if len(names) == len(self._specs) == 1 and UNNAMED.fullmatch(names[0]):
                return self._named(next(iter(self._specs)), tensors[0])
            if not self._columns.keys().isdisjoint(names):
                return self._of_columns(tensors)
        inputs: Arrays = {}
        for tensor in tensors:
            if tensor.name not in self._specs:
                raise RequestError(f"there is no input {shown(tensor.name)}; the model takes {', '.join(self._specs)}")
            inputs |= self._named(tensor.name, tensor)
        return inputs

    def _named(self, name: str, tensor: RequestTensor) -> Arrays:
        spec = self._specs[name]
        if len(tensor.shape) != len(spec.shape):
            raise RequestError(f"input {shown(name)} has {len(tensor.shape)} dimensions; it takes {spec}")
        return {name: tensor_array(tensor, self._missing.get(name))}

    def _of_columns(self, tensors: tuple[RequestTensor, ...]) -> Arrays:
        """Return the inputs of a table that comes as one tensor a column, ``[rows]`` or ``[rows, 1]``."""
        columns = {tensor.name: self._column(tensor) for tensor in tensors if tensor.name in self._columns}
        unknown = [tensor.name for tensor in tensors if tensor.name not in self._columns]
        if unknown:
            raise RequestError(
                f"there is no column {shown(unknown[0])}; the model takes {', '.join(list(self._columns)[:20])}"
            )
        try:
            return table_inputs(self._contract, columns)
        except InputError as error:
            raise RequestError(str(error)) from error

    def _column(self, tensor: RequestTensor) -> NDArray[Any]:
        if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ((), (1,)):
            raise RequestError(
                f"the column {shown(tensor.name)} has the shape {list(tensor.shape)}; it takes [rows] or [rows, 1]"
            )
        feature = self._columns[tensor.name]
        if feature.kind != "datetime" or tensor.datatype == BYTES:
            return tensor_array(tensor, keep_nulls=True).reshape(-1)
        if NUMPY_DTYPES[tensor.datatype].kind not in "iu":
            raise RequestError(
                f"the column {shown(tensor.name)} holds timestamps, and comes as {tensor.datatype}; send INT64, "
                "seconds since 1970 in UTC, or BYTES, dates as text"
            )
        # As in the input of timestamps; the smallest of them is NaT.
        return tensor_array(tensor, MISSING_TIMESTAMP).astype("datetime64[s]").reshape(-1)


def missing_cell(feature: Feature) -> "str | int | None":
    """Return what the graph takes for a missing cell of a column; None of numbers, which take NaN."""
    if feature.kind == "datetime":
        return MISSING_TIMESTAMP
    return MISSING_CATEGORY if feature.is_text else None
