"""The data of a tensor that a client sent, made an array: a list of JSON's, or bytes of the binary extension."""

from itertools import chain
from struct import error as StructError  # noqa: N812 -- it is a class
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.printable import shown
from parity_runtime.serving.datatypes import BYTES, NUMPY_DTYPES
from parity_runtime.serving.infer_request import RequestTensor, json_name
from parity_runtime.serving.request_error import RequestError

_NONE = type(None)
_CELLS: dict[str, set[type]] = {"f": {float, int}, "i": {int}, "u": {int}, "b": {bool}, "O": {str}}
"""The types that cells of JSON may have, by the kind of the datatype's dtype."""

_FEW = 64  # cells; up to here each is looked at
_LENGTH = 4  # bytes that say how long a text of the binary extension is, little-endian


def tensor_array(tensor: RequestTensor, missing: Any = None, *, keep_nulls: bool = False) -> NDArray[Any]:
    """Return a tensor's data as an array of its shape.

    Numbers of JSON are float64 where the datatype is one of floats and one of them does not fit: it is refused later,
    by whoever knows what the model takes.

    >>> tensor_array(RequestTensor("x", "FP32", (2,), [1, None])).tolist()
    [1.0, nan]

    Args:
        tensor: as a client sent it.
        missing: what stands for a null of JSON; among floats it is NaN. None where there is no such value, and a null
            is refused.
        keep_nulls: a null that is no float stays None, in an array of objects.

    Raises:
        RequestError: the data does not have the shape, or does not fit the datatype.
    """
    if isinstance(tensor.data, memoryview):
        array = _texts(tensor) if tensor.datatype == BYTES else _numbers(tensor)
    else:
        array = _cells(tensor, _flat(tensor), missing, keep_nulls=keep_nulls)
    return array.reshape(tensor.shape)


def _cells(tensor: RequestTensor, flat: list[Any], missing: Any, *, keep_nulls: bool) -> NDArray[Any]:
    dtype = NUMPY_DTYPES[tensor.datatype]
    if dtype.char == "f" and (packed := _packed(flat)) is not None:
        return packed
    floating = dtype.kind == "f"
    found = set(map(type, flat))
    strange = found - _CELLS[dtype.kind] - {_NONE}
    nulls = _NONE in found and not floating
    if strange or (nulls and missing is None and not keep_nulls):
        kind = min(map(json_name, strange)) if strange else "null"
        raise RequestError(f"the data of input {shown(tensor.name)} holds {kind}; it takes {tensor.datatype}")
    if nulls and not keep_nulls:
        flat = [missing if cell is None else cell for cell in flat]
    try:
        if nulls and keep_nulls:
            np.array([cell for cell in flat if cell is not None], dtype)  # refuses what does not fit
            return _objects(flat)
        return np.array(flat, np.float64 if floating else dtype)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"the data of input {shown(tensor.name)} does not fit {tensor.datatype}: {error}") from error


def _packed(flat: list[Any]) -> "NDArray[np.float32] | None":
    """Return numbers as float32, rounded to nearest; None where a cell is something else, or does not fit."""
    try:
        array = np.frombuffer(pack(f"<{len(flat)}f", *flat), "<f4")
    except (StructError, OverflowError):
        return None
    # A truth value packs as 0 or 1: only what has become one of them can have been one.
    if len(flat) > _FEW:
        places = np.flatnonzero((array == 0) | (array == 1))
        flat = flat if 4 * len(places) > len(flat) else [flat[place] for place in places.tolist()]
    return None if bool in set(map(type, flat)) else array


def _flat(tensor: RequestTensor) -> list[Any]:
    """Return the data as a flat list; a client may also nest it as the shape says."""
    data: list[Any] = tensor.data  # type: ignore[assignment]
    if data and isinstance(data[0], list):
        nested = len(data) == tensor.shape[0] if tensor.shape else False
        for size in tensor.shape[1:]:
            nested = nested and set(map(type, data)) == {list} and set(map(len, data)) == {size}
            if nested:
                data = list(chain.from_iterable(data))
        if not nested:
            raise RequestError(f"the data of input {shown(tensor.name)} does not have the shape {list(tensor.shape)}")
    if len(data) != tensor.size:
        raise RequestError(
            f"input {shown(tensor.name)} holds {len(data)} values; its shape {list(tensor.shape)} takes {tensor.size}"
        )
    return data


def _numbers(tensor: RequestTensor) -> NDArray[Any]:
    dtype = NUMPY_DTYPES[tensor.datatype]
    data: memoryview = tensor.data  # type: ignore[assignment]
    if len(data) != tensor.size * dtype.itemsize:
        raise RequestError(
            f"input {shown(tensor.name)} has {len(data)} bytes; its shape {list(tensor.shape)} takes "
            f"{tensor.size * dtype.itemsize} of {tensor.datatype}"
        )
    if dtype.kind == "b" and (np.frombuffer(data, np.uint8) > 1).any():
        raise RequestError(f"input {shown(tensor.name)} holds a byte other than 0 and 1; it takes BOOL")
    # The JSON in front of it may have any length: what is not aligned is copied.
    return np.require(np.frombuffer(data, dtype), requirements="A")


def _texts(tensor: RequestTensor) -> NDArray[Any]:
    """Return the texts, each of which stands behind its length in bytes."""
    data = bytes(tensor.data)
    texts, end = [], 0
    wrong = RequestError(
        f"the bytes of input {shown(tensor.name)} are not {tensor.size} texts of UTF-8, each behind its length in four "
        "bytes"
    )
    if tensor.size * _LENGTH > len(data):  # before anything is taken apart
        raise wrong
    try:
        for _ in range(tensor.size):
            start = end + _LENGTH
            length = int.from_bytes(data[end:start], "little")
            end = start + length
            if end > len(data):
                raise wrong
            texts.append(data[start:end].decode())
    except UnicodeDecodeError as error:
        raise wrong from error
    if end != len(data):
        raise wrong
    return _objects(texts)


def _objects(cells: list[Any]) -> NDArray[Any]:
    array = np.empty(len(cells), object)
    array[:] = cells
    return array
