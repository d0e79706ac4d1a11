"""What a serialized ONNX model says of itself, read without the onnx library and without loading any tensor.

A ModelProto is protocol-buffer messages within messages. The walk goes through those that can hold a tensor or
an operator, over memory views: a tensor's bytes are stepped over, never copied. The field numbers are those of
onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), the encoding is that of
https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from parity_runtime.errors import FormatError

_STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}

# message -> field -> message
_CHILDREN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a TensorProto

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_FIELD_NUMBERS = 2**29
_DEEPEST = 100  # protobuf's own limit
_MOST_FIELDS = 2**23  # some ten seconds; a graph of 100,000 nodes has about a million

Field = tuple[int, int | memoryview]  # its number, and its value: an integer, or bytes


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What `scan_model` found.

    Attributes:
        metadata: the model's ``metadata_props``.
        widest_row: the largest number of elements that one row of any tensor has: the product of its fixed
            dimensions after the first; at least 1.
    """

    metadata: dict[str, str]
    widest_row: int


def scan_model(model: bytes, where: str) -> ModelFacts:
    """Read a serialized ModelProto's metadata and refuse what a package must not hold.

    Raises:
        FormatError: not a ModelProto, data outside the file, or an operator outside the ONNX standard.
    """
    try:
        return _scan(memoryview(model), where)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise FormatError(f"{where} is no ONNX model: {error}") from error


def _scan(model: memoryview, where: str) -> ModelFacts:
    found = _Found()
    walks = [_Message("model", model)]  # one a level of nesting, so that a wide model takes no memory
    for _ in range(_MOST_FIELDS):
        try:
            number, value = next(walks[-1].fields)
        except StopIteration:
            found.leave(walks.pop())
            if not walks:
                break
            continue
        message = walks[-1]
        if message.kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
            raise FormatError(f"{where} keeps a tensor outside the file; a package holds all its data itself")
        if not isinstance(value, memoryview):
            continue
        child = _CHILDREN[message.kind].get(number)
        if child is None:
            found.take(message, number, value)
        elif len(walks) > _DEEPEST:
            raise ValueError(f"its messages are nested more than {_DEEPEST} deep")
        else:
            walks.append(_Message(child, value))
    else:
        raise ValueError(f"it has more than {_MOST_FIELDS} parts")
    if not found.graphs:
        raise ValueError("it holds no graph")
    custom = {operator for operator in found.operators - found.functions if operator[0] not in _STANDARD_DOMAINS}
    if custom:
        domain, name = min(custom)
        raise FormatError(f"{where} uses the operator {name} of {domain!r}; only those of the ONNX standard are run")
    return ModelFacts(found.metadata, found.widest)


class _Message:
    """A message that is being walked through; ``name`` and ``domain`` are a node's or a function's."""

    def __init__(self, kind: str, data: memoryview) -> None:
        self.kind, self.fields = kind, _fields(data)
        self.name = self.domain = ""


class _Found:
    """What the walk has gathered."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.operators: set[tuple[str, str]] = set()
        self.functions: set[tuple[str, str]] = set()
        self.graphs, self.widest = 0, 1

    def take(self, message: _Message, number: int, value: memoryview) -> None:
        match message.kind, number:
            case "model", 14:  # metadata_props
                self.metadata |= _entry(value)
            case "graph", 11 | 12 | 13:  # input, output, value_info
                self.widest = max(self.widest, _row_elements(value))
            case ("node", 4) | ("function", 1):  # op_type, name; the last one counts, as in every protobuf reader
                message.name = str(value, "utf-8")
            case ("node", 7) | ("function", 10):  # domain
                message.domain = str(value, "utf-8")

    def leave(self, message: _Message) -> None:
        self.graphs += message.kind == "graph"
        if message.kind == "node":
            self.operators.add((message.domain, message.name))
        elif message.kind == "function":
            self.functions.add((message.domain, message.name))


def _fields(message: memoryview) -> Iterator[Field]:
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if not 0 < number < _FIELD_NUMBERS:  # other readers cut off the upper bits, and would find another field
            raise ValueError(f"a field has the number {number}")
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(message, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"a field has the wire type {wire}")
        if size > end - position:
            raise ValueError("a field reaches beyond its message")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    for _ in range(_LONGEST_VARINT):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a number has more than 10 bytes")


def _entry(message: memoryview) -> dict[str, str]:
    """Read a StringStringEntryProto."""
    found = {number: str(value, "utf-8") for number, value in _fields(message) if isinstance(value, memoryview)}
    return {found.get(1, ""): found.get(2, "")}


def _row_elements(value_info: memoryview) -> int:
    """Return the product of the fixed dimensions after the first: ValueInfoProto.type.tensor_type.shape.dim."""
    shapes = [value_info]
    for number in (2, 1, 2):
        shapes = [value for shape in shapes for found, value in _fields(shape)
                  if found == number and isinstance(value, memoryview)]  # fmt: skip
    dimensions = [value for shape in shapes for _, value in _fields(shape) if isinstance(value, memoryview)]
    sizes = [size for dimension in dimensions[1:] for number, size in _fields(dimension) if number == 1]
    return prod(size for size in sizes if isinstance(size, int) and 0 < size < 2**31)
