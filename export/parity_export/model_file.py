"""The files of ONNX graphs, written as their tensors come: they are never held once more to be written.

A message of protobuf is its fields one after the other, each of bytes with its length before it
(https://protobuf.dev/programming-guides/encoding/); the field numbers are those of onnx.proto. The graph is one field
of the model: readers that would take a second one as another graph, not as more of it, read it too.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from parity_export.light_graph import Weights, inline, split_proto, without
from parity_export.onnx_graph import OnnxGraph
from parity_runtime.package.entries import FileEntry, TensorEntry
from parity_runtime.package.varint import written_varint
from parity_runtime.package.weights_file import WEIGHTS, WeightsWriter

LARGEST = 2**31 - 2**20
"""Bytes of a graph with its tensors in one file: protobuf's limit, and a mebibyte for metadata."""

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9  # of ModelProto, GraphProto, TensorProto
_BYTES = 2  # protobuf's wire type of what has a length

Part = bytes | memoryview


def write_models(
    folder: Path, graphs: Mapping[str, OnnxGraph], metadata: bytes, *, external: bool
) -> tuple[dict[str, FileEntry], dict[str, TensorEntry] | None]:
    """Write a package's graphs, and return what its manifest says of their files, and of the tensors in weights.bin.

    Args:
        folder: of the package.
        graphs: by their files' names.
        metadata: a serialized ModelProto, merged into each graph's.
        external: put large tensors into weights.bin, which the graphs share; else that is done where one is too large
            for a file of its own.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    if not external and all(graph.size <= LARGEST for graph in graphs.values()):
        return {name: write_model(folder / name, graph, metadata) for name, graph in graphs.items()}, None
    parts = {name: _split(graph) for name, graph in graphs.items()}
    if not any(weights for _, weights in parts.values()):
        return write_models(folder, graphs, metadata, external=False)
    with WeightsWriter(folder / WEIGHTS) as writer:
        placed = {name: writer.add(name, array) for name, array in _shared(parts.values()).items()}
        entry, tensors = writer.close()
    lights = {name: OnnxGraph(_placed(light, placed)) for name, (light, _) in parts.items()}
    found = {name: write_model(folder / name, light, metadata) for name, light in lights.items()}
    return {WEIGHTS: entry, **found}, tensors


def _shared(parts: Iterable[tuple[onnx.ModelProto, Weights]]) -> Weights:
    """Return the tensors of all graphs by name; of one name there may be one tensor alone."""
    found = dict[str, NDArray[Any]]()
    for _, weights in parts:
        for name, array in weights.items():
            other = found.setdefault(name, array)
            if other is not array and (other.dtype != array.dtype or not np.array_equal(other, array, equal_nan=True)):
                raise ValueError(f"two graphs of a package have different tensors called {name}")
    return found


def _split(graph: OnnxGraph) -> tuple[onnx.ModelProto, Weights]:
    return (graph.light, graph.weights) if graph.weights else split_proto(graph.light)


def _placed(light: onnx.ModelProto, placed: Mapping[str, tuple[int, int]]) -> onnx.ModelProto:
    """Return a light graph that says where its tensors lie."""
    found = onnx.ModelProto()
    found.CopyFrom(light)
    for tensor in found.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            places = zip(("offset", "length"), placed[tensor.name], strict=True)
            tensor.external_data.extend(onnx.StringStringEntryProto(key=key, value=str(at)) for key, at in places)
    return found


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
        data = [_header(_RAW_DATA, array.nbytes), array.reshape(-1).view(np.uint8).data]
    parts = [copy.SerializeToString(deterministic=True), *data]
    return [_header(_INITIALIZER, sum(map(len, parts))), *parts]


def _header(field: int, length: int) -> bytes:
    return written_varint(field << 3 | _BYTES) + written_varint(length)
