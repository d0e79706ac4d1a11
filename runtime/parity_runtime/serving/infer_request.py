"""The body of an inference: its JSON, and what stands behind it in binary, taken apart and not yet converted."""

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

import orjson

from parity_runtime.printable import shown
from parity_runtime.serving.datatypes import NUMPY_DTYPES
from parity_runtime.serving.request_error import RequestError

_LARGEST_SIZE = 2**31
_MOST_DIMENSIONS = 16
_MOST_TENSORS = 2**14
MOST_CONTAINERS = 2**17
"""Lists and objects of a body: a parser that makes millions of them stands still for seconds, and everyone with it."""
_NOT_OFFERED = ("shared_memory_region", "classification")
"""Extensions of Triton's that change what a tensor means: ignored, they would be answered wrongly."""

SEE = "/openapi.json shows an example"
"""Where a client finds a request that the server takes."""

_JSON_NAMES = {
    dict: "an object", list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number",
    type(None): "null",
}  # fmt: skip

_ENCODED = ("base64", "pd_json")
"""Of MLServer's codecs: taken as text, such a tensor would be another text."""


@dataclass(frozen=True, slots=True)
class RequestTensor:
    """An input as a client sent it.

    Attributes:
        name: of the input, or of a column.
        datatype: a key of `NUMPY_DTYPES`.
        shape: its sizes.
        data: a list, flat or nested as the shape says; or the bytes of the binary extension.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: "list[Any] | memoryview"

    @property
    def size(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client asks.

    Attributes:
        id: what the answer repeats; None where there is none.
        tensors: the inputs.
        outputs: whether each output that is wanted comes in binary, by name; None for all outputs.
        binary: whether outputs come in binary where nothing else is said.
    """

    id: str | None
    tensors: tuple[RequestTensor, ...]
    outputs: dict[str, bool] | None
    binary: bool


def parse_request(
    body: bytes, header_length: str | None = None, most_containers: int = MOST_CONTAINERS
) -> InferRequest:
    """Take apart the body of an inference.

    >>> parse_request(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [2]}]}').tensors
    (RequestTensor(name='x', datatype='FP32', shape=(1,), data=[2]),)

    Args:
        body: JSON, and behind it the tensors of the binary extension.
        header_length: the header ``Inference-Header-Content-Length``: how many bytes the JSON has; None if all.
        most_containers: how many lists and objects it may hold.

    Raises:
        RequestError: the body is not what the protocol says.
    """
    head, rest = _split(body, header_length)
    # A body has no more of them than bytes.
    if len(head) > most_containers and sum(body.count(one, 0, len(head)) for one in (b"[", b"{")) > most_containers:
        raise RequestError(f"the JSON holds more than {most_containers} lists and objects; send data flat", 413)
    try:
        value = orjson.loads(head)
    except ValueError as error:
        raise RequestError(f"the body is not read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError(f"the body is {json_name(type(value))}; it takes an object with 'inputs'; {SEE}")
    parameters = _parameters(value, "the request", "")
    binary = _flag(parameters, "binary_data_output", "the request")
    outputs = None if value.get("outputs") is None else _outputs(value, binary)
    return InferRequest(_optional(value, "id", str, "the request"), _inputs(value, rest), outputs, binary)


def _split(body: bytes, header_length: str | None) -> tuple[memoryview, memoryview]:
    whole = memoryview(body)
    if header_length is None:
        return whole, whole[len(whole) :]
    length = int(header_length) if header_length.isascii() and header_length.isdecimal() else -1
    if not 0 <= length <= len(body):
        raise RequestError(
            f"Inference-Header-Content-Length is {shown(header_length)}, not a number of bytes within the body of "
            f"{len(body)}"
        )
    return whole[:length], whole[length:]


def _inputs(value: dict[str, Any], rest: memoryview) -> tuple[RequestTensor, ...]:
    tensors, start = [], 0
    for item in _tensors(value, "inputs"):
        tensor, end = _input(item, rest, start)
        tensors.append(tensor)
        start = end
    if start != len(rest):
        raise RequestError(f"{len(rest) - start} bytes follow the JSON that no input's binary_data_size counts")
    counts = Counter(tensor.name for tensor in tensors) if len(tensors) > 1 else {}
    for name, count in counts.items():
        if count > 1:
            raise RequestError(f"input {shown(name)} is there {count} times")
    return tuple(tensors)


def _input(item: Any, rest: memoryview, start: int) -> tuple[RequestTensor, int]:
    name = _name(item)
    parameters = _parameters(item, "the tensor ", name)
    datatype, shape = item.get("datatype"), item.get("shape")
    if not isinstance(datatype, str) or datatype not in NUMPY_DTYPES:
        raise RequestError(
            f"input {shown(name)} has {_told('datatype', datatype)}; known are {', '.join(NUMPY_DTYPES)}"
        )
    # Before any product of them is taken: a long list of large sizes would hold up the process for seconds.
    fits = isinstance(shape, list) and len(shape) <= _MOST_DIMENSIONS
    if not fits or not all(type(size) is int and 0 <= size <= _LARGEST_SIZE for size in shape):
        raise RequestError(
            f"input {shown(name)} has {_told('shape', shape)}; it takes a list of at most {_MOST_DIMENSIONS} sizes, "
            f"each from 0 to {_LARGEST_SIZE}"
        )
    size, data = parameters.get("binary_data_size"), item.get("data")
    if size is not None:
        if data is not None:
            raise RequestError(f"input {shown(name)} has data in its JSON and binary_data_size; it takes one of them")
        data, start = _binary(name, size, rest, start)
    elif not isinstance(data, list):
        raise RequestError(f"input {shown(name)} has {_told('data', data)}; it takes a list")
    return RequestTensor(name, datatype, tuple(shape), data), start


def _binary(name: str, size: Any, rest: memoryview, start: int) -> tuple[memoryview, int]:
    if type(size) is not int or size < 0 or start + size > len(rest):
        raise RequestError(
            f"the binary_data_size of input {shown(name)} is {shown(size)}; {len(rest) - start} bytes follow "
            "the JSON (Inference-Header-Content-Length says where it ends)"
        )
    return rest[start : start + size], start + size


def _outputs(value: dict[str, Any], binary: bool) -> dict[str, bool]:
    wanted: dict[str, bool] = {}
    for item in _tensors(value, "outputs"):
        name = _name(item)
        if name in wanted:
            raise RequestError(f"the output {shown(name)} is requested more than once")
        wanted[name] = _flag(_parameters(item, "the output ", name), "binary_data", "an output", binary)
    return wanted


def _tensors(value: dict[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list) or not found:
        raise RequestError(f"the request has {_told(key, found)}; it takes a list of at least one tensor; {SEE}")
    if len(found) > _MOST_TENSORS:
        raise RequestError(f"{key!r} lists {len(found)} tensors, more than {_MOST_TENSORS}", 413)
    return found


def _told(key: str, found: Any) -> str:
    """Return what a client wrote under a key; JSON's null reads as nothing."""
    return f"no {key!r}" if found is None else f"the {key} {shown(found)}"


def _name(item: Any) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise RequestError(f"{shown(item)} is not a tensor: it takes an object with a 'name'; {SEE}")
    name: str = item["name"]
    return name


def _parameters(value: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = value.get("parameters")
    if not found and (found is None or isinstance(found, dict)):
        return {}
    what = f"{kind}{shown(name)}" if name else kind
    _optional(value, "parameters", dict, what)
    for key in _NOT_OFFERED:
        if key in found:
            raise RequestError(f"{what} asks for {key}, which this server does not offer")
    encoded = found.get("content_type")
    if encoded in _ENCODED:
        raise RequestError(f"{what} has the content_type {encoded}, which is not read here; send text as it is")
    return found


def _flag(parameters: dict[str, Any], key: str, what: str, default: bool = False) -> bool:
    found = parameters.get(key, default)
    if not isinstance(found, bool):
        raise RequestError(f"{key!r} of {what} is {shown(found)}, neither true nor false")
    return found


def _optional(value: dict[str, Any], key: str, kind: type, what: str) -> Any:
    found = value.get(key)
    if found is not None and not isinstance(found, kind):
        raise RequestError(f"{key!r} of {what} is {json_name(type(found))}; it takes {json_name(kind)}")
    return found


def json_name(kind: type) -> str:
    """Return what JSON calls a type of Python.

    >>> json_name(dict), json_name(int)
    ('an object', 'a number')
    """
    return _JSON_NAMES.get(kind, kind.__name__)
