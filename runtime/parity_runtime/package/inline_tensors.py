"""The large tensors of a serialized ONNX model, taken out of its bytes.

onnxruntime takes a model's bytes apart and holds each tensor three times meanwhile; of one that is handed to it beside
the model it makes its own copy alone. The field numbers are those of onnx.proto.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.package.varint import read_varint, written_varint
from parity_runtime.package.weights_file import DTYPES, WEIGHTS, may_lie_outside

LARGE = 2**24
"""Bytes of a model from which on its tensors are taken out; below, that takes longer than it saves."""

_GRAPH, _NODE, _INITIALIZER, _OUTPUT = 7, 1, 5, 12  # of ModelProto, and of GraphProto
_FIRST = 1  # of NodeProto what it takes, of ValueInfoProto its name
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA, _DOC_STRING, _EXTERNAL_DATA, _DATA_LOCATION = 1, 2, 8, 9, 12, 13, 14
_VARINT, _FIXED64, _BYTES = 0, 1, 2  # protobuf's wire types; the fourth has four bytes
_EXTERNAL = b"\x01"  # TensorProto.EXTERNAL

Field = tuple[int, int | memoryview, memoryview]
"""Its number, its value, and all of its bytes."""


def set_aside(model: bytes) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Return a model that refers to its large tensors as external data, and these by name, to be handed over.

    Args:
        model: a ModelProto that `scan_model` let through. What is written in an unusual way stays in it, and so does a
            tensor that none of the main graph's nodes takes: onnxruntime drops it, and then misses it.
    """
    fields = list(_fields(memoryview(model)))
    graphs = [value for number, value, _ in fields if number == _GRAPH]
    if len(graphs) != 1 or isinstance(graphs[0], int):
        return model, {}
    graph, arrays = _light(graphs[0])
    rest = [whole for number, _, whole in fields if number != _GRAPH]
    return (b"".join([*rest, _field(_GRAPH, graph)]), arrays) if arrays else (model, {})


def _light(graph: memoryview) -> tuple[bytes, dict[str, NDArray[Any]]]:
    parts, arrays, names = list[bytes | memoryview](), dict[str, NDArray[Any]](), Counter[str]()
    taken = _taken(graph)
    for number, value, whole in _fields(graph):
        part: bytes | memoryview = whole
        if number == _INITIALIZER and not isinstance(value, int):
            tensor = list(_fields(value))
            name = _name(tensor)
            array = _array(tensor) if name in taken else None
            names[name] += 1
            if array is not None:
                arrays[name], part = array, _field(_INITIALIZER, _reference(tensor))
        parts.append(part)
    return (b"".join(parts), arrays) if max(names.values(), default=0) <= 1 else (b"", {})


def _taken(graph: memoryview) -> set[str]:
    """Return the names of the values that the graph's nodes take, or that it gives."""
    parts = [value for number, value, _ in _fields(graph) if number in (_NODE, _OUTPUT)]
    fields = [field for part in parts if isinstance(part, memoryview) for field in _fields(part)]
    return {str(value, "utf-8") for number, value, _ in fields if number == _FIRST and isinstance(value, memoryview)}


def _name(tensor: list[Field]) -> str:
    """Return a tensor's name; of two the last one counts, as in every protobuf reader."""
    named = [value for number, value, _ in tensor if number == _NAME]
    return str(named[-1], "utf-8") if named and isinstance(named[-1], memoryview) else ""


def _array(tensor: list[Field]) -> NDArray[Any] | None:
    """Return a copy of a tensor's numbers where they are many, and written as raw bytes alone; it is aligned."""
    given = {number: value for number, value, _ in tensor}
    raw, kind = given.get(_RAW_DATA), given.get(_DATA_TYPE)
    dtype = DTYPES.get(kind) if isinstance(kind, int) else None
    sizes = [value for number, value, _ in tensor if number == _DIMS]
    if set(given) - {_DIMS, _DATA_TYPE, _NAME, _RAW_DATA, _DOC_STRING} or dtype is None or not _name(tensor):
        return None
    if not isinstance(raw, memoryview) or not all(isinstance(size, int) for size in sizes):
        return None
    dims: list[int] = sizes  # type: ignore[assignment]
    if len(raw) != math.prod(dims) * dtype.itemsize or not may_lie_outside(dtype, dims):
        return None
    return np.frombuffer(raw, dtype).reshape(dims).copy()


def _reference(tensor: list[Field]) -> bytes:
    kept = [whole for number, _, whole in tensor if number != _RAW_DATA]
    entry = _field(1, b"location") + _field(2, WEIGHTS.encode())
    return b"".join([*kept, _field(_EXTERNAL_DATA, entry), bytes([_DATA_LOCATION << 3 | _VARINT]), _EXTERNAL])


def _fields(data: memoryview) -> Iterator[Field]:
    at = 0
    while at < len(data):
        start = at
        key, at = read_varint(data, at)
        value: int | memoryview = 0
        match key & 7:
            case wire if wire == _VARINT:
                value, at = read_varint(data, at)
            case wire if wire == _BYTES:
                size, at = read_varint(data, at)
                value, at = data[at : at + size], at + size
            case wire:
                at += 8 if wire == _FIXED64 else 4
        yield key >> 3, value, data[start:at]


def _field(number: int, data: bytes) -> bytes:
    """Return a field of bytes."""
    return bytes([number << 3 | _BYTES]) + written_varint(len(data)) + data
