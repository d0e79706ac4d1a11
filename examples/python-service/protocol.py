"""Tensors of the Open Inference Protocol (version 2, REST) to and from arrays; nothing here knows of a server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import TensorSpec

DATATYPES = {
    "float32": "FP32",
    "float64": "FP64",
    "float16": "FP16",
    "int64": "INT64",
    "int32": "INT32",
    "int16": "INT16",
    "int8": "INT8",
    "uint8": "UINT8",
    "bool": "BOOL",
    "string": "BYTES",
}
"""The protocol's datatypes, by numpy's names; BYTES is text, in UTF-8."""

BYTES = DATATYPES["string"]

Arrays = dict[str, NDArray[Any]]


_KINDS: dict[str, set[type]] = {"bool": {bool}, "string": {str}}
_LARGEST_SIZE = 2**31
_LONGEST_TEXT = 300  # what a client sent is quoted; its whole body shall not come back


class RequestError(Exception):
    """A request cannot be answered; its text goes to the client.

    Attributes:
        status: the HTTP status: 4xx, or 500 where the model is at fault.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text[:_LONGEST_TEXT])
        self.status = status


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client asks.

    Attributes:
        id: what the answer repeats; None where there is none.
        inputs: by name.
        outputs: the names that are wanted; None for all.
    """

    id: str | None
    inputs: Arrays
    outputs: list[str] | None


def parse_request(
    body: bytes, specs: Mapping[str, TensorSpec], missing: Mapping[str, Any] | None = None
) -> InferRequest:
    """Read the body of an inference.

    Args:
        body: JSON.
        specs: the model's inputs by name.
        missing: what the graph takes for a missing cell (null), by the input's name; NaN where it takes floats.

    Raises:
        RequestError: the body is not what the protocol says, or a tensor is not what the model takes.
    """
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError("the body is no JSON object")
    _optional(value, "parameters", dict, "the request")
    inputs = dict(_parse_input(item, specs, missing or {}) for item in _tensors(value, "inputs"))
    if len(inputs) != len(value["inputs"]):
        raise RequestError("an input is there more than once")
    identity: str | None = _optional(value, "id", str, "the request")
    wanted = [_name(item) for item in _tensors(value, "outputs")] if value.get("outputs") is not None else None
    return InferRequest(identity, inputs, wanted)


def tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    """Describe a tensor: its dynamic dimensions are -1."""
    shape = [size if isinstance(size, int) else -1 for size in spec.shape]
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}


def tensor_json(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Return an output tensor, its data flat. What is not finite becomes null: JSON has no word for it."""
    data = array.reshape(-1).tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        data = [number if np.isfinite(number) else None for number in data]
    datatype = DATATYPES.get(str(array.dtype), BYTES)
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": data}


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON, in which a missing cell is null")


def _tensors(value: dict[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list) or not found:
        raise RequestError(f"{key!r} is no list of tensors")
    return found


def _name(item: Any) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise RequestError("a tensor has no name")
    name: str = item["name"]
    _optional(item, "parameters", dict, f"the tensor {name!r}")
    return name


def _optional(value: dict[str, Any], key: str, kind: type, what: str) -> Any:
    found = value.get(key)
    if found is not None and not isinstance(found, kind):
        raise RequestError(f"{key!r} of {what} is a {type(found).__name__}, not a {kind.__name__}")
    return found


def _parse_input(item: Any, specs: Mapping[str, TensorSpec], missing: Mapping[str, Any]) -> tuple[str, NDArray[Any]]:
    name = _name(item)
    spec = specs.get(name)
    if spec is None:
        raise RequestError(f"there is no input {name!r}; the model takes {', '.join(specs)}")
    wanted = DATATYPES[spec.dtype]
    if item.get("datatype") != wanted:
        raise RequestError(f"input {name!r} has the datatype {item.get('datatype')!r}; it takes {wanted}")
    shape, data = item.get("shape"), item.get("data")
    # Before any product of them is taken: a long list of large sizes would hold up the process for seconds.
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size <= _LARGEST_SIZE for size in shape[:16]):
        raise RequestError(f"the shape of input {name!r} is no list of sizes")
    if len(shape) != len(spec.shape):
        raise RequestError(f"input {name!r} has {len(shape)} dimensions; it takes {spec}")
    if not isinstance(data, list):
        raise RequestError(f"the data of input {name!r} is no list")
    flat = _flat(name, shape, data)
    return name, _array(
        spec, shape, [missing[name] if cell is None else cell for cell in flat] if name in missing else flat
    )


def _flat(name: str, shape: list[int], data: list[Any]) -> list[Any]:
    """Return the data as a flat list; a client may also nest it as the shape says."""
    if data and isinstance(data[0], list):
        for size in shape[1:]:
            if any(not isinstance(part, list) or len(part) != size for part in data):
                raise RequestError(f"the data of input {name!r} does not have the shape {shape}")
            data = list(chain.from_iterable(data))
    if len(data) != prod(shape):
        raise RequestError(f"input {name!r} holds {len(data)} values; its shape {shape} takes {prod(shape)}")
    return data


def _array(spec: TensorSpec, shape: list[int], data: list[Any]) -> NDArray[Any]:
    """Return an array; numbers are not rounded yet, so that the predictor can refuse what does not fit.

    A null among floats is a missing cell, NaN; the predictor refuses it where the contract says so.
    """
    floating = spec.dtype.startswith("float")
    kinds = {float, int, type(None)} if floating else _KINDS.get(spec.dtype, {int})
    strange = set(map(type, data)) - kinds
    if strange:
        found = min(kind.__name__ for kind in strange)
        raise RequestError(f"the data of input {spec.name!r} holds a {found}; it takes {spec.dtype}")
    try:
        return np.array(data, np.float64 if floating else spec.numpy_dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"the data of input {spec.name!r} does not fit {spec.dtype}: {error}") from error
