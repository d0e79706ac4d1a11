"""numpy's arrays as pyarrow's, and back, over the same memory.

pyarrow's own ``array``, ``scalar`` and ``to_numpy`` import pandas where that is installed, which takes as long as the
work on some hundred thousand rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def arrow_array(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> Any:
    """Return numbers or truth values as a ``pyarrow.Array`` of their type.

    Args:
        values: ``[rows]``, of a dtype that Arrow has.
        missing: which of them are null; None for none.
    """
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    kind = pyarrow.from_numpy_dtype(values.dtype)
    data = _bits(values) if values.dtype == np.bool_ else pyarrow.py_buffer(np.ascontiguousarray(values))
    valid = None if missing is None or not missing.any() else _bits(~missing)
    return pyarrow.Array.from_buffers(kind, len(values), [valid, data])


def arrow_texts(texts: Sequence[bytes], kind: Any) -> Any:
    """Return texts as an array of ``kind``, ``pyarrow.string()`` or ``pyarrow.binary()``."""
    import pyarrow  # noqa: PLC0415

    bounds = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    buffers = [None, pyarrow.py_buffer(bounds), pyarrow.py_buffer(b"".join(texts))]
    return pyarrow.Array.from_buffers(kind, len(texts), buffers)


def float64_values(array: Any) -> NDArray[np.float64]:
    """Return a float64 ``pyarrow.Array`` as numpy's, NaN for null."""
    numbers: NDArray[np.float64] = _values(array, np.float64)
    return np.where(null_rows(array), np.nan, numbers) if array.null_count else numbers


def int64_values(array: Any) -> NDArray[np.int64]:
    """Return an int64 ``pyarrow.Array`` as numpy's, anything for null."""
    numbers: NDArray[np.int64] = _values(array, np.int64)
    return numbers


def null_rows(array: Any) -> NDArray[np.bool_]:
    """Return which rows of a ``pyarrow.Array`` are null."""
    found: NDArray[np.bool_] = np.from_dlpack(array.is_null().cast("uint8")).astype(np.bool_)
    return found


def _values(array: Any, dtype: type[np.generic]) -> NDArray[Any]:
    if not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype)[array.offset : array.offset + len(array)]


def _bits(flags: NDArray[np.bool_]) -> Any:
    import pyarrow  # noqa: PLC0415

    return pyarrow.py_buffer(np.packbits(flags, bitorder="little"))
