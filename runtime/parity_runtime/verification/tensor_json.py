"""Arrays in JSON, exact: every float is the shortest decimal of its double, so any language reads the same bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import FormatError
from parity_runtime.tensor_spec import DTYPES


def array_to_json(array: NDArray[Any]) -> dict[str, Any]:
    """Return ``{"dtype", "shape", "data"}``, the data flat in row-major order; all values must be finite."""
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": array.reshape(-1).tolist()}


def _same(found: NDArray[Any], converted: NDArray[Any]) -> bool:
    """Whether finite numbers stayed what they were; a float may have been rounded."""
    exact = converted.dtype.kind != "f"
    return bool(np.isfinite(converted).all() and (not exact or (converted == found).all()))


def array_from_json(value: Any, where: str) -> NDArray[Any]:
    """Read what `array_to_json` wrote.

    Raises:
        FormatError: a key is missing, the dtype unknown, or the data does not fill the shape.
    """
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data": list(data)} if dtype in DTYPES:
            try:
                found = np.asarray(data)
                converted = found.astype(dtype)
                sizes_known = all(type(size) is int and size >= 0 for size in shape)
                if sizes_known and (not data or (found.dtype.kind in "biuf" and _same(found, converted))):
                    return converted.reshape(shape)
            except (ValueError, TypeError, OverflowError):
                pass
            raise FormatError(f"{where}: the data does not fit {dtype}{shape}")
    raise FormatError(f"{where}: a tensor is written as {{dtype, shape, data}}")
