"""What a serialized ONNX model says of itself, read without the onnx library and without loading any tensor.

A ModelProto is protocol-buffer messages within messages. The walk goes through those that can hold a tensor, an
operator or a shape, field by field, at every depth; a tensor's bytes are stepped over, never copied. Its time is
linear in the file's size, and the number of fields is limited. The field numbers are those of onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), the encoding is that of
https://protobuf.dev/programming-guides/encoding/.
"""

import re
from collections import Counter
from collections.abc import Collection, Container
from dataclasses import dataclass

from parity_runtime.errors import FormatError
from parity_runtime.package.external_tensor import MOST_DIMS, ExternalTensor, OutsideError, external_tensor
from parity_runtime.package.operator_check import checked_operators
from parity_runtime.package.varint import read_varint
from parity_runtime.printable import shown

_STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}

# message -> field -> message
_CHILDREN = {
    "model": {7: "graph", 14: "entry", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
    "external": {},
    "entry": {},
    "value": {2: "type"},
    "type": {1: "tensor type"},
    "tensor type": {2: "shape"},
    "shape": {1: "dimension"},
    "dimension": {},
}
# message -> field -> what its bytes are
_TEXTS = {
    "node": {2: "output", 4: "name", 7: "domain"},
    "function": {1: "name", 10: "domain"},
    "entry": {1: "name", 2: "text"},
    "external": {1: "name", 2: "text"},
    "tensor": {1: "dims", 8: "name", 14: "data location"},
}
_NOTHING: dict[int, str] = {}
_DIMS, _DATA_TYPE, _DATA_LOCATION = 1, 2, 14  # of a TensorProto
_EXTERNAL = 1  # a data location
_DIMENSION_VALUE = 1
_NODE_OUTPUT = 2
_ORT_FORMAT = b"ORTM"  # at byte 4; onnxruntime would read a flatbuffer in place of the ModelProto

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIELD_NUMBERS = 2**29
_DEEPEST = 100  # protobuf's own limit
_MOST_FIELDS = 2**20  # one to two seconds; a graph of 100,000 nodes has about a million
_WIDEST = 2**62  # elements of a row, at most

# A run of fields that hold a number and mean nothing here; left out are the varints of field 1 (a dimension's size),
# field 2 (a tensor's data type) and field 14 (where its data lie). Attributes hold long lists of numbers, the trees of
# a forest say: a regular expression steps over them a hundred times faster.
_NUMBERS = re.compile(
    rb"(?s:[\x18\x20\x28\x30\x38\x40\x48\x50\x58\x60\x68\x78][\x80-\xff]{0,9}+[\x00-\x7f]"
    rb"|[\x0d\x15\x1d\x25\x2d\x35\x3d\x45\x4d\x55\x5d\x65\x6d\x75\x7d].{4}"
    rb"|[\x09\x11\x19\x21\x29\x31\x39\x41\x49\x51\x59\x61\x69\x71\x79].{8})*+"
)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What `scan_model` found.

    Attributes:
        metadata: the model's ``metadata_props``.
        widest_row: the largest number of elements that one row of any tensor has: the product of its fixed
            dimensions after the first; at least 1.
        external: the initializers whose data lie in weights.bin.
        operators: those outside the standard that it uses, ``com.microsoft::Gelu`` say.
    """

    metadata: dict[str, str]
    widest_row: int
    external: tuple[ExternalTensor, ...] = ()
    operators: frozenset[str] = frozenset()


def scan_model(
    model: bytes, where: str, *, external: Container[str] = (), allowed: Collection[str] | None = ()
) -> ModelFacts:
    """Read a serialized ModelProto's metadata and refuse what onnxruntime must not be given.

    Args:
        model: its bytes.
        where: its name, for the error.
        external: the names of initializers whose data may lie in weights.bin.
        allowed: operators outside the standard that may stand in it, ``com.microsoft::Gelu`` say; None where nobody
            could allow any.

    Raises:
        FormatError: not a ModelProto, one of more than a million parts, data outside the file, an operator outside
            the ONNX standard, or a function that a runtime would replace by a kernel of its own.
    """
    if model[4:8] == _ORT_FORMAT:
        raise FormatError(f"{where} is in onnxruntime's own format (.ort); give the ONNX model that it was made of")
    found = _Found(where, external)
    try:
        _walk(model, found)
        found.check_names()
    except OutsideError as error:
        raise FormatError(
            f"{where} keeps {error} outside the file, which would be read from wherever that file is opened; load the "
            "package that it stands in, make one of it (parity adopt), or save it as one file (onnx.load it where its "
            "data lie, and onnx.save it)"
        ) from None
    except (ValueError, IndexError) as error:
        raise FormatError(f"{where} is no ONNX model: {error}") from error
    if not found.graphs:
        raise FormatError(f"{where} is no ONNX model: it holds no graph")
    operators = checked_operators(where, found.operators, found.functions, allowed)
    return ModelFacts(found.metadata, found.widest, tuple(found.external), operators)


class _Message:
    """A message that is being walked through; ``texts`` are those of its fields that are read, ``size`` a number.

    Of a tensor ``dims`` and ``size``, its data type, count, and where its data lie: ``location``, and ``entries``; of a
    node whether an output is ``unnamed``.
    """

    __slots__ = (
        *("children", "depth", "dims", "end", "entries", "kind", "location", "parent", "read", "size", "texts"),
        "unnamed",
    )

    def __init__(self, kind: str, end: int, parent: "_Message | None") -> None:
        self.kind, self.end, self.parent = kind, end, parent
        self.children, self.read = _CHILDREN[kind], _TEXTS.get(kind, _NOTHING)
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.texts: dict[str, str] = {}
        self.size = self.location = 0
        self.unnamed = False
        if kind == "tensor":  # alone: there may be a million messages
            self.dims: list[int] = []
            self.entries: list[tuple[str, str]] = []
        if self.depth > _DEEPEST:
            raise ValueError(f"its messages are nested more than {_DEEPEST} deep")


class _Found:
    """What the walk has gathered."""

    def __init__(self, where: str, known: Container[str]) -> None:
        self.where = where
        self.metadata: dict[str, str] = {}
        self.external: list[ExternalTensor] = []
        self.initializers: Counter[str] = Counter()  # of the main graph
        self._known = known
        self.operators: set[tuple[str, str]] = set()  # those outside the standard
        self.functions: set[tuple[str, str]] = set()
        self.graphs, self.widest = 0, 1
        self._rank, self._row = 0, 1  # of the shape at hand

    def leave(self, message: _Message) -> None:
        """Take a message that was walked through."""
        texts = message.texts
        match message.kind:
            case "graph":
                self.graphs += 1
            case "node":
                self._leave_node(texts.get("domain", ""), texts.get("name", ""), message)
            case "function":
                self.functions.add((texts.get("domain", ""), texts.get("name", "")))
            case "entry":
                self.metadata[texts.get("name", "")] = texts.get("text", "")
            case "tensor" | "external":
                self._leave_tensor(message)
            case "dimension":
                self._rank += 1
                if self._rank > 1 and 0 < message.size < 2**31:
                    self._row = min(self._row * message.size, _WIDEST)
            case "value":
                self.widest = max(self.widest, self._row)
                self._rank, self._row = 0, 1

    def _leave_node(self, domain: str, name: str, node: _Message) -> None:
        if domain not in _STANDARD_DOMAINS:
            self.operators.add((domain, name))
        elif node.unnamed and name == "Split":  # onnxruntime 1.32 ends the process at it
            raise ValueError("one of its Split nodes leaves an output without a name; give it one")

    def _leave_tensor(self, message: _Message) -> None:
        name, around = message.texts.get("name", ""), message.parent
        if message.kind == "external" and around is not None:
            around.entries.append((name, message.texts.get("text", "")))
            return
        of_main = around is not None and around.kind == "graph" and around.depth == 1
        if of_main:
            self.initializers[name] += 1
        if not message.location and not message.entries:
            return
        if not of_main or message.location != _EXTERNAL:
            raise OutsideError("a tensor")
        self.external.append(external_tensor(name, message.size, message.dims, message.entries, self._known))

    def check_names(self) -> None:
        """Refuse a tensor that is handed over by a name which another one has as well."""
        repeated = [tensor.name for tensor in self.external if self.initializers[tensor.name] > 1]
        if repeated:
            raise ValueError(f"two of its tensors are called {shown(repeated[0])}")


def _walk(data: bytes, found: _Found) -> None:
    position, message = 0, _Message("model", len(data), None)
    for _ in range(_MOST_FIELDS):
        while position == message.end:
            found.leave(message)
            if message.parent is None:
                return
            message = message.parent
        key = data[position]
        if key & 7 != _BYTES or key > 0x7F:
            key, position = _step_over_numbers(data, position, message)
            if not key:
                continue
        else:
            position += 1
        size = data[position]
        position += 1
        if size > 0x7F:
            size, position = read_varint(data, position - 1)
        if size > message.end - position:
            raise ValueError("a field reaches beyond its message")
        child = message.children.get(key >> 3)
        if child is not None:
            message = _Message(child, position + size, message)
            continue
        if key >> 3 in message.read or key < 1 << 3:
            _take(message, key >> 3, data[position : position + size])
        position += size
    raise ValueError(f"it has more than {_MOST_FIELDS} parts")


def _step_over_numbers(data: bytes, position: int, message: _Message) -> tuple[int, int]:
    """Step over fields that hold numbers, one at least; or return the key of a field of bytes, and where it ends."""
    beyond = _NUMBERS.match(data, position, message.end).end()  # type: ignore[union-attr] # it matches nothing as well
    if beyond > position:
        return 0, beyond
    key, position = read_varint(data, position)
    number, wire = key >> 3, key & 7
    if not 0 < number < _FIELD_NUMBERS:  # other readers cut off the upper bits, and would find another field
        raise ValueError(f"a field has the number {number}")
    if wire == _BYTES:
        return key, position
    if wire == _VARINT:
        value, position = read_varint(data, position)
        _take_number(message, number, value)
    elif wire in (_FIXED64, _FIXED32):
        position += 8 if wire == _FIXED64 else 4
    else:
        raise ValueError(f"a field has the wire type {wire}")
    if position > message.end:
        raise ValueError("a field reaches beyond its message")
    return 0, position


def _take_number(message: _Message, number: int, value: int) -> None:
    if message.kind == "dimension" and number == _DIMENSION_VALUE:
        message.size = value
    elif message.kind == "tensor":
        if number == _DIMS:
            message.dims.append(value)
        elif number == _DATA_TYPE:
            message.size = value
        elif number == _DATA_LOCATION and value:
            message.location = value


def _take(message: _Message, number: int, value: bytes) -> None:
    """Take a text; of two the last one counts, as in every protobuf reader."""
    if number == 0:
        raise ValueError("a field has the number 0")
    if message.kind == "tensor" and number == _DIMS:  # in one field, as protobuf's readers take them too
        _take_dims(message, value)
        return
    if message.kind == "tensor" and number == _DATA_LOCATION:
        raise OutsideError("a tensor")
    if message.kind == "node" and not value:
        message.unnamed = message.unnamed or number == _NODE_OUTPUT
    message.texts[message.read[number]] = str(value, "utf-8")


def _take_dims(message: _Message, packed: bytes) -> None:
    position = 0
    while position < len(packed) and len(message.dims) <= MOST_DIMS:
        size, position = read_varint(packed, position)
        message.dims.append(size)
