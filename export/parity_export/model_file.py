"""The file of an ONNX graph, written as its tensors come: they are never held once more to be written.

A message of protobuf is its fields one after the other, each of bytes with its length before it
(https://protobuf.dev/programming-guides/encoding/); the field numbers are those of onnx.proto. The graph is one field
of the model: readers that would take a second one as another graph, not as more of it, read it too.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import onnx

from parity_export.light_graph import Weights, inline, without
from parity_export.onnx_graph import OnnxGraph
from parity_runtime.package.manifest import FileEntry

LARGEST = 2**31 - 2**20
"""Bytes of a graph with its tensors in one file: protobuf's limit, and a mebibyte for metadata."""

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9  # of ModelProto, GraphProto, TensorProto
_BYTES = 2  # protobuf's wire type of what has a length

Part = bytes | memoryview


def write_model(path: Path, graph: OnnxGraph, metadata: bytes) -> FileEntry:
    """Write a graph with its tensors into one file, and return its size and digest.

    Args:
        path: of the file.
        graph: of at most `LARGEST` bytes.
        metadata: a serialized ModelProto, merged into the graph's.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for part in (*_model(graph.light, graph.weights), metadata):
            file.write(part)
            digest.update(part)
            size += len(part)
    return FileEntry(digest.hexdigest(), size)


def _model(light: onnx.ModelProto, weights: Weights) -> Iterator[Part]:
    """Yield the parts of a model; the same for the same graph."""
    if not weights:
        yield light.SerializeToString(deterministic=True)
        return
    yield without(light, "graph").SerializeToString(deterministic=True)
    parts = [without(light.graph, "initializer").SerializeToString(deterministic=True)]
    for tensor in light.graph.initializer:
        parts += _initializer(tensor, weights)
    yield _header(_GRAPH, sum(map(len, parts)))
    yield from parts


def _initializer(tensor: onnx.TensorProto, weights: Weights) -> list[Part]:
    """Return the parts of one initializer; its numbers are a view of the memory that they lie in."""
    copy, data = onnx.TensorProto(), list[Part]()
    copy.CopyFrom(tensor)
    if tensor.name in weights:
        inline(copy)
        array = weights[tensor.name]
        data = [_header(_RAW_DATA, array.nbytes), memoryview(array.reshape(-1)).cast("B")]
    parts = [copy.SerializeToString(deterministic=True), *data]
    return [_header(_INITIALIZER, sum(map(len, parts))), *parts]


def _header(field: int, length: int) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(length)


def _varint(value: int) -> bytes:
    """Return a number in base 128, the lowest digit first; all but the last have the eighth bit set."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
