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
_DIMS, _DATA_TYPE, _DATA_LOCATION = 1, 2, 14  # of a TensorProto
_EXTERNAL = 1  # a data location
_DIMENSION_VALUE = 1
_NODE_OUTPUT = 2
_ELEMENT_TYPE = 1  # of a TypeProto.Tensor
_NUMBERS_OF = {
    "dimension": (_DIMENSION_VALUE,),
    "tensor": (_DIMS, _DATA_TYPE, _DATA_LOCATION),
    "tensor type": (_ELEMENT_TYPE,),  # every tensor has it, and nothing is made of it
}
"""The fields whose numbers are read one by one."""

_ORT_FORMAT = b"ORTM"  # at byte 4; onnxruntime would read a flatbuffer in place of the ModelProto

_BEYOND = "a field reaches beyond its message"

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
        raise FormatError(f"{where} is in onnxruntime's own format (.ort); give the ONNX model that it was made from")
    found = _Found(where, external)
    try:
        _walk(model, found)
        found.check_names()
    except OutsideError as error:
        raise FormatError(
            f"{where} keeps {error} outside the file, which would be read from wherever that file is opened; load the "
            "package that it is in, make a package of it (parity adopt), or save it as one file (onnx.load it where "
            "its data are, and onnx.save it)"
        ) from None
    except (ValueError, IndexError) as error:
        raise FormatError(f"{where} is not an ONNX model: {error}") from error
    if not found.graphs:
        raise FormatError(f"{where} is not an ONNX model: it holds no graph")
    operators = checked_operators(where, found.operators, found.functions, allowed)
    return ModelFacts(found.metadata, found.widest, tuple(found.external), operators)


class _Message:
    """What is kept of a message that is being walked through: ``texts``, those of its fields that are read.

    Of a tensor ``dims`` and ``dtype``, and where its data lie: ``location``, and ``entries``; of a node whether an
    output is ``unnamed``.
    """

    __slots__ = ("dims", "dtype", "entries", "location", "texts", "unnamed")

    def __init__(self, *, of_tensor: bool) -> None:
        self.texts: dict[str, str] = {}
        self.unnamed = False
        if of_tensor:  # alone: there may be a million messages
            self.dtype = self.location = 0
            self.dims: list[int] = []
            self.entries: list[tuple[str, str]] = []


class _Kind:
    """A kind of message, and its fields by their keys: of bytes a field's number times 8 and 2, of a number and 0.

    Attributes:
        name: as `_CHILDREN` has it.
        children: the kinds of the messages that are its fields of bytes.
        texts: the names of its fields of bytes that are read.
        numbers: the keys of its fields of `_NUMBERS_OF`; each takes one byte.
        keeps: whether a `_Message` is made of it.
    """

    __slots__ = ("children", "keeps", "name", "numbers", "texts")

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: dict[int, _Kind] = {}
        self.texts = {number << 3 | _BYTES: text for number, text in _TEXTS.get(name, {}).items()}
        self.numbers = frozenset(number << 3 | _VARINT for number in _NUMBERS_OF.get(name, ()))
        self.keeps = bool(self.texts)


def _linked() -> dict[str, _Kind]:
    kinds = {name: _Kind(name) for name in _CHILDREN}
    for name, children in _CHILDREN.items():
        kinds[name].children = {number << 3 | _BYTES: kinds[child] for number, child in children.items()}
    return kinds


_KINDS = _linked()
_TENSOR, _DIMENSION = _KINDS["tensor"], _KINDS["dimension"]
_NOTHING_KEPT = _Message(of_tensor=False)  # what stands in the place of one that is not kept; nothing is written to it

_Place = tuple[int, _Kind, _Message]
"""A message: where it ends, its kind, what is kept of it."""


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
        self.size = 0  # of the dimension at hand
        self.leave = {
            "graph": self._leave_graph,
            "node": self._leave_node,
            "function": self._leave_function,
            "entry": self._leave_entry,
            "tensor": self._leave_tensor,
            "external": self._leave_external,
            "dimension": self._leave_dimension,
            "value": self._leave_value,
        }
        """By kind, what is done with a message that was walked through; nothing with any other."""

    def _leave_graph(self, _graph: _Message, _outer: list[_Place]) -> None:
        self.graphs += 1

    def _leave_node(self, node: _Message, _outer: list[_Place]) -> None:
        domain, name = node.texts.get("domain", ""), node.texts.get("name", "")
        if domain not in _STANDARD_DOMAINS:
            self.operators.add((domain, name))
        elif node.unnamed and name == "Split":  # onnxruntime 1.32 ends the process at it
            raise ValueError("one of its Split nodes leaves an output without a name; give it one")

    def _leave_function(self, function: _Message, _outer: list[_Place]) -> None:
        self.functions.add((function.texts.get("domain", ""), function.texts.get("name", "")))

    def _leave_entry(self, entry: _Message, _outer: list[_Place]) -> None:
        self.metadata[entry.texts.get("name", "")] = entry.texts.get("text", "")

    def _leave_dimension(self, _dimension: _Message, _outer: list[_Place]) -> None:
        self._rank += 1
        if self._rank > 1 and 0 < self.size < 2**31:
            self._row = min(self._row * self.size, _WIDEST)
        self.size = 0

    def _leave_value(self, _value: _Message, _outer: list[_Place]) -> None:
        self.widest = max(self.widest, self._row)
        self._rank, self._row = 0, 1

    def _leave_external(self, entry: _Message, outer: list[_Place]) -> None:
        outer[-1][2].entries.append((entry.texts.get("name", ""), entry.texts.get("text", "")))

    def _leave_tensor(self, tensor: _Message, outer: list[_Place]) -> None:
        name = tensor.texts.get("name", "")
        of_main = len(outer) == 2 and outer[1][1].name == "graph"
        if of_main:
            self.initializers[name] += 1
        if not tensor.location and not tensor.entries:
            return
        if not of_main or tensor.location != _EXTERNAL:
            raise OutsideError("a tensor")
        self.external.append(external_tensor(name, tensor.dtype, tensor.dims, tensor.entries, self._known))

    def check_names(self) -> None:
        """Refuse a tensor that is handed over by a name which another one has as well."""
        repeated = [tensor.name for tensor in self.external if self.initializers[tensor.name] > 1]
        if repeated:
            raise ValueError(f"two of its tensors are called {shown(repeated[0])}")


def _walk(data: bytes, found: _Found) -> None:  # noqa: C901, PLR0912 -- each call in this loop is felt at every start
    position, end, kind, message = 0, len(data), _KINDS["model"], _NOTHING_KEPT
    outer: list[_Place] = []  # the messages around the one at hand, outermost first
    leave_of = found.leave.get
    for _ in range(_MOST_FIELDS):
        while position == end:
            if (leave := leave_of(kind.name)) is not None:
                leave(message, outer)
            if not outer:
                return
            end, kind, message = outer.pop()
        key = data[position]
        if key & 7 == _BYTES and key <= 0x7F:
            position += 1
        elif key in kind.numbers:
            value, position = read_varint(data, position + 1)
            if position > end:
                raise ValueError(_BEYOND)
            _take_number(found, kind, message, key >> 3, value)
            continue
        else:
            key, position = _step_over_numbers(data, position, end, (found, kind, message))
            if not key:
                continue
        size = data[position]
        position += 1
        if size > 0x7F:
            size, position = read_varint(data, position - 1)
        if size > end - position:
            raise ValueError(_BEYOND)
        child = kind.children.get(key)
        if child is not None:
            outer.append((end, kind, message))
            if len(outer) > _DEEPEST:
                raise ValueError(f"its messages are nested more than {_DEEPEST} deep")
            end, kind = position + size, child
            message = _Message(of_tensor=child is _TENSOR) if child.keeps else _NOTHING_KEPT
            continue
        if key in kind.texts or key < 1 << 3:
            _take(kind, message, key, data[position : position + size])
        position += size
    raise ValueError(f"it has more than {_MOST_FIELDS} parts")


def _step_over_numbers(data: bytes, position: int, end: int, place: tuple[_Found, _Kind, _Message]) -> tuple[int, int]:
    """Step over fields that hold numbers, one at least; or return the key of a field of bytes, and where it ends."""
    beyond = _NUMBERS.match(data, position, end).end()  # type: ignore[union-attr] # it matches nothing as well
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
        _take_number(*place, number, value)
    elif wire in (_FIXED64, _FIXED32):
        position += 8 if wire == _FIXED64 else 4
    else:
        raise ValueError(f"a field has the wire type {wire}")
    if position > end:
        raise ValueError(_BEYOND)
    return 0, position


def _take_number(found: _Found, kind: _Kind, message: _Message, number: int, value: int) -> None:
    if kind is _DIMENSION and number == _DIMENSION_VALUE:
        found.size = value
    elif kind is _TENSOR:
        if number == _DIMS:
            message.dims.append(value)
        elif number == _DATA_TYPE:
            message.dtype = value
        elif number == _DATA_LOCATION and value:
            message.location = value


def _take(kind: _Kind, message: _Message, key: int, value: bytes) -> None:
    """Take a text; of two the last one counts, as in every protobuf reader."""
    number = key >> 3
    if number == 0:
        raise ValueError("a field has the number 0")
    if kind is _TENSOR and number == _DIMS:  # in one field, as protobuf's readers take them too
        _take_dims(message, value)
        return
    if kind is _TENSOR and number == _DATA_LOCATION:
        raise OutsideError("a tensor")
    if not value and number == _NODE_OUTPUT and kind.name == "node":
        message.unnamed = True
    message.texts[kind.texts[key]] = str(value, "utf-8")


def _take_dims(message: _Message, packed: bytes) -> None:
    position = 0
    while position < len(packed) and len(message.dims) <= MOST_DIMS:
        size, position = read_varint(packed, position)
        message.dims.append(size)
