"""An ONNX file of anybody's with all of its tensors; or one line that says what the file is."""

import hashlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from parity_export.onnx_module.node_search import nodes_within, subgraphs
from parity_export.sources.onnx_file.tensor_data import check_tensor, load_external
from parity_runtime import FormatError, InputError
from parity_runtime.arguments import either
from parity_runtime.errors import out_of_memory
from parity_runtime.files.open_file import read_regular
from parity_runtime.operators import check_operators
from parity_runtime.package.loader import LARGEST_MODEL
from parity_runtime.package.manifest import MANIFEST
from parity_runtime.package.model_scan import scan_model

_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
_ALIAS = "ai.onnx"
_PICKLE = b"\x80"
_KINDS = (
    (0, b"PK\x03\x04", "a zip archive, as torch.save writes; a PyTorch module is exported with parity export"),
    (4, b"ORTM", "in onnxruntime's own format (.ort); give the ONNX model that it was made from"),
    (4, b"TFL3", "a TensorFlow Lite model; convert it to ONNX first (tf2onnx)"),
    (0, b"GGUF", "a GGUF file, which holds weights and no graph; give the ONNX model"),
    (0, b"\x89HDF", "an HDF5 file, as Keras writes; convert it to ONNX first (tf2onnx)"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself; fetch it with git lfs pull"),
    (0, b"<?xml", "XML, as OpenVINO's models are; give the ONNX model that it was made from"),
)
"""Offset and first bytes of files that are given in the place of an ONNX model, and what they are."""


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """An ONNX file.

    Attributes:
        path: where it was read from.
        model: with every tensor in it, those of files beside it too; ONNX's own operators are of the domain "";
            initializers are not among its inputs, as they are before IR version 4.
        digest: sha256 of the file itself.
    """

    path: Path
    model: ModelProto
    digest: str


def read_onnx_file(path: Path, allowed: Sequence[str] = ()) -> OnnxFile:
    """Read an ONNX file and what lies beside it.

    Args:
        path: of the file.
        allowed: operators outside of the standard that may be in it, as ``com.microsoft::Gelu``.

    Raises:
        InputError: there is no such file, it is something else, it holds an operator that is not allowed or may never
            be, a tensor of it lies outside of its folder, or holds not what it says.
    """
    check_operators(allowed)
    if path.is_dir():
        raise InputError(f"{path} is {_folder(path)}")
    data = model_bytes(path)
    _refuse_other_formats(data, path)
    model = _parsed(data, path)
    outside = [tensor for tensor in tensors_of(model) if tensor.data_location == TensorProto.EXTERNAL]
    _scan(_without_references(model).SerializeToString() if outside else data, path, allowed)
    for tensor in outside:
        load_external(tensor, path)
    for tensor in tensors_of(model):
        check_tensor(tensor, path)
    _name_standard(model, path)
    _drop_listed_initializers(model)
    return OnnxFile(path, model, hashlib.sha256(data).hexdigest())


def model_bytes(path: Path) -> bytes:
    """Return the bytes of an ONNX file.

    Raises:
        InputError: it cannot be read, or is larger than an ONNX file can be.
    """
    try:
        data = read_regular(path, LARGEST_MODEL)
    except OSError as error:
        raise InputError(f"cannot read the model {path}: {error.strerror}") from error
    if len(data) > LARGEST_MODEL:
        raise InputError(f"{path} is larger than 2 GiB, which no ONNX model in one file can be")
    return data


def _folder(path: Path) -> str:
    if (path / MANIFEST).is_file():
        command = f"parity verify {shlex.quote(str(path))}"
        return f"a package already; {either(f'verify({str(path)!r})', command)} checks it"
    return "a folder; give the .onnx file itself"


def _refuse_other_formats(data: bytes, path: Path) -> None:
    for offset, start, kind in _KINDS:
        if data[offset : offset + len(start)] == start:
            raise InputError(f"{path} is not an ONNX model: it is {kind}")
    if data[:1] == _PICKLE and data[1:2] <= b"\x05":
        raise InputError(f"{path} is not an ONNX model: it is a pickle, which is never loaded; export its module")
    if not data:
        raise InputError(f"{path} is empty")


def _parsed(data: bytes, path: Path) -> ModelProto:
    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's own error, whose module has no types
        if out_of_memory(error):
            raise
        raise InputError(
            f"{path} is not an ONNX model, or is encrypted or cut off: its bytes are not a protobuf"
        ) from error
    if not model.HasField("graph") or not model.opset_import:
        raise InputError(f"{path} is not an ONNX model, or is encrypted or cut off: it holds no graph, or no opset")
    return model


def _scan(data: bytes, path: Path, allowed: Sequence[str]) -> None:
    try:
        scan_model(data, str(path), allowed=allowed)
    except FormatError as error:
        raise InputError(str(error)) from error


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor of a model: initializers and attributes, in subgraphs and functions too."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def nodes_of(model: ModelProto) -> Iterator[NodeProto]:
    """Yield every node of a model, in subgraphs and functions too."""
    yield from nodes_within(model.graph.node)
    for function in model.functions:
        yield from nodes_within(function.node)


def operators_outside(model: ModelProto) -> tuple[str, ...]:
    """Return the operators of a model that are neither the standard's nor its own functions."""
    own = {(function.domain, function.name) for function in model.functions}
    used = {(node.domain, node.op_type) for node in nodes_of(model)} - own
    return tuple(sorted(f"{domain}::{name}" for domain, name in used if domain not in _STANDARD))


def _of_graph(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from _of_attribute(attribute)


def _of_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    for sparse in (*([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
                   *attribute.sparse_tensors):  # fmt: skip
        yield from (sparse.values, sparse.indices)
    for graph in subgraphs(attribute):
        yield from _of_graph(graph)


def _without_references(model: ModelProto) -> ModelProto:
    """Return a copy whose tensors refer to no file; those that did are empty."""
    copied = ModelProto()
    copied.CopyFrom(model)
    for tensor in tensors_of(copied):
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return copied


def _name_standard(model: ModelProto, path: Path) -> None:
    """Call ONNX's own operators by one name of the two: "", which every tool knows, in the place of "ai.onnx".

    Raises:
        InputError: the file names a version for each, and they differ.
    """
    for node in nodes_of(model):
        node.domain = "" if node.domain == _ALIAS else node.domain
    for function in model.functions:
        function.domain = "" if function.domain == _ALIAS else function.domain
    for imports in (model.opset_import, *(function.opset_import for function in model.functions)):
        standard = [index for index, entry in enumerate(imports) if entry.domain in ("", _ALIAS)]
        if len({imports[index].version for index in standard}) > 1:
            raise InputError(f"{path} has two opsets of ONNX's own operators; export the model again")
        for index in reversed(standard[1:]):
            del imports[index]
        if standard:
            imports[standard[0]].domain = ""


def _drop_listed_initializers(model: ModelProto) -> None:
    """Take initializers off the list of inputs: what a graph brings with it, nobody gives it."""
    names = {tensor.name for tensor in model.graph.initializer}
    for index in reversed([index for index, value in enumerate(model.graph.input) if value.name in names]):
        del model.graph.input[index]
