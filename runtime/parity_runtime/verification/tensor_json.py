"""Arrays in JSON, exact, in any language.

A float32 is the shortest decimal that is read as it, a float64 its own; text is a string; an integer beyond 2**53,
which a reader of doubles would round, is the string of its decimal.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import FormatError
from parity_runtime.tensor_spec import DTYPES

_EXACT = 2**53
"""Up to here every integer is a double as well, which is what JavaScript reads a JSON number as."""


def array_to_json(array: NDArray[Any]) -> dict[str, Any]:
    """Return ``{"dtype", "shape", "data"}``, the data flat in row-major order; all numbers must be finite."""
    dtype = "string" if array.dtype.kind in "OU" else str(array.dtype)
    data = _shortest(array.reshape(-1)).tolist()
    if array.dtype.kind in "iu":
        data = [number if abs(number) <= _EXACT else str(number) for number in data]
    return {"dtype": dtype, "shape": list(array.shape), "data": data}


def _shortest(array: NDArray[Any]) -> NDArray[Any]:
    """Return float32 numbers as the float64 whose text is shortest: half of what the exact ones are spelled with."""
    if array.dtype != np.float32:
        return array
    short = array.astype("U").astype(np.float64)
    return np.where(short.astype(np.float32) == array, short, array.astype(np.float64))


def array_from_json(value: Any, where: str) -> NDArray[Any]:
    """Read what `array_to_json` wrote.

    Raises:
        FormatError: a key is missing, the dtype unknown, or the data does not fill the shape.
    """
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data": list(data)} if dtype in DTYPES:
            try:
                if all(type(size) is int and size >= 0 for size in shape):
                    return _read(dtype, data).reshape(shape)
            except (ValueError, TypeError, OverflowError):
                pass
            raise FormatError(f"{where}: the data does not fit {dtype}{shape}")
    raise FormatError(f"{where}: a tensor is written as {{dtype, shape, data}}")


def _read(dtype: str, data: list[Any]) -> NDArray[Any]:
    """Return flat data as an array.

    Raises:
        ValueError: it is of another type, or changes in that dtype.
    """
    if dtype == "string":
        if not all(isinstance(cell, str) for cell in data):
            raise ValueError(data)
        return np.array(data, object)
    if np.dtype(dtype).kind in "iu":
        data = [_integer(cell) if isinstance(cell, str) else cell for cell in data]
    found = np.asarray(data)
    with np.errstate(invalid="ignore", over="ignore"):
        converted = found.astype(dtype)
    if data and not (found.dtype.kind in "biuf" and _same(found, converted)):
        raise ValueError(data)
    return converted


def _integer(text: str) -> int:
    number = int(text)
    if str(number) != text:  # int() takes more: white space, underscores, other scripts' digits
        raise ValueError(text)
    return number


def _same(found: NDArray[Any], converted: NDArray[Any]) -> bool:
    """Whether finite numbers stayed what they were; a float may have been rounded."""
    exact = converted.dtype.kind != "f"
    return bool(np.isfinite(converted).all() and (not exact or (converted == found).all()))
