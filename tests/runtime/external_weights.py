"""Packages whose tensors stand in weights.bin, made of the checked-in ones without the onnx library."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from parity_runtime.package.manifest import write_manifest
from parity_runtime.package.weights_file import DTYPES, WEIGHTS, WeightsWriter
from tests.runtime.protobuf import field as message

GRAPH, INITIALIZER = 7, 5
FLOAT = 1
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 1, 2, 4, 8, 9, 13, 14


def fields(data: bytes) -> Iterator[tuple[int, int | bytes, bytes]]:
    """Yield a message's fields: number, value, and the bytes of the whole field."""
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value, data[start:at]
        elif key & 7 == 2:
            size, at = _varint(data, at)
            yield key >> 3, data[at : at + size], data[start : at + size]
            at += size
        else:
            size = 8 if key & 7 == 1 else 4
            yield key >> 3, data[at : at + size], data[start : at + size]
            at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


@dataclass
class Tensor:
    """An initializer in words, as the tests change it."""

    name: str
    dtype: int
    dims: list[int]
    array: np.ndarray
    external: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> "Tensor":
        found = {number: value for number, value, _ in fields(data)}
        dims = [value for number, value, _ in fields(data) if number == DIMS]
        dtype = DTYPES[found[DATA_TYPE]]
        array = np.frombuffer(found.get(RAW_DATA, b""), dtype)
        if FLOAT_DATA in found:
            array = np.frombuffer(found[FLOAT_DATA], "<f4")
        return cls(found[NAME].decode(), found[DATA_TYPE], dims, array.reshape(dims))

    def serialized(self) -> bytes:
        entries = (message(1, key.encode()) + message(2, text.encode()) for key, text in self.external.items())
        parts = [message(DIMS, size) for size in self.dims]
        parts += [message(DATA_TYPE, self.dtype), message(NAME, self.name.encode())]
        parts += [message(EXTERNAL_DATA, entry) for entry in entries]
        return b"".join(parts) + message(DATA_LOCATION, 1)


def externalize(package: Path, change: Callable[[Tensor], None] = lambda _: None) -> Path:
    """Move the initializers of a package's graphs into weights.bin, as an export does.

    Args:
        package: whose files are changed.
        change: what a test does to a tensor before it is written into the graph.
    """
    tensors = {}
    with WeightsWriter(package / WEIGHTS) as writer:
        for graph in sorted(package.glob("model*.onnx")):
            found = []
            data = b"".join(_moved(whole, number, value, found) for number, value, whole in fields(graph.read_bytes()))
            for tensor in found:
                known = tensors.get(tensor.name)
                offset, length = writer.add(tensor.name, tensor.array) if known is None else known
                tensors[tensor.name] = offset, length
                tensor.external = {"location": WEIGHTS, "offset": str(offset), "length": str(length)}
                change(tensor)
            graph.write_bytes(_filled(data, found))
        entry, entries = writer.close()
    write_manifest(package, entries, {WEIGHTS: entry})
    return package


def _moved(whole: bytes, number: int, value: int | bytes, found: list[Tensor]) -> bytes:
    """Return a field of the model; of the graph without its initializers, which are gathered."""
    if number != GRAPH:
        return whole
    kept = []
    for inner, content, field_bytes in fields(value):
        if inner != INITIALIZER or not _has_numbers(content):
            kept.append(field_bytes)
        else:
            found.append(Tensor.parse(content))
    return message(GRAPH, b"".join(kept))


def _has_numbers(tensor: bytes) -> bool:
    found = {number: value for number, value, _ in fields(tensor)}
    floats = found.get(DATA_TYPE) == FLOAT and (RAW_DATA in found or FLOAT_DATA in found)
    return floats and DIMS in found  # onnxruntime reads shapes out of the graph before it is handed anything


def _filled(model: bytes, tensors: list[Tensor]) -> bytes:
    """Return a model with its initializers again, in the one field that its graph has: every reader takes it then."""
    initializers = b"".join(message(INITIALIZER, tensor.serialized()) for tensor in tensors)
    parts = [
        message(GRAPH, value + initializers) if number == GRAPH else whole for number, value, whole in fields(model)
    ]
    return b"".join(parts)


def change_manifest(package: Path, change: Callable[[dict], None]) -> None:
    """Change manifest.json as a forger would."""
    manifest = json.loads((package / "manifest.json").read_text())
    change(manifest)
    (package / "manifest.json").write_text(json.dumps(manifest))


def resign(package: Path) -> None:
    """List the files as they are, and the tensors as the manifest has them."""
    manifest = json.loads((package / "manifest.json").read_text())
    tensors = manifest.get("tensors")
    write_manifest(package)
    if tensors is not None:
        change_manifest(package, lambda value: value.update(tensors=tensors))
