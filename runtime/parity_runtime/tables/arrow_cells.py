"""Cells of Arrow's columns as categories, timestamps and truth values; pyarrow does the work, of the [tables] extra."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.feature import MISSING_CATEGORY, MISSING_TIMESTAMP, ColumnKind
from parity_runtime.tables.arrow_arrays import float64_values, int64_values, null_rows
from parity_runtime.tables.category_cells import (
    Texts,
    category_texts,
    object_array,
    truth_numbers,
    truth_values,
    value_text,
)
from parity_runtime.tables.cell_values import CellValues
from parity_runtime.tables.timestamp_cells import Seconds, timestamp_texts, within_years

_A_DAY = 86400
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def arrow_categories(array: Any, kind: ColumnKind, values: CellValues) -> Texts:
    """Return a ``pyarrow.Array`` as categories, objects ``[rows]``, each a ``str``; equal cells share one.

    Raises:
        TypeError: its cells have no text: lists, structures, bytes.
    """
    import pyarrow  # noqa: PLC0415

    encoded = array if pyarrow.types.is_dictionary(array.type) else _encoded(array)
    texts = category_texts(_texts(encoded.dictionary), kind, values)
    known = np.append(texts, object_array([MISSING_CATEGORY]))
    places = encoded.indices.cast(pyarrow.int64()).fill_null(len(texts))
    cells: Texts = known[int64_values(places)]
    return cells


def arrow_timestamps(array: Any, form: str | None, values: CellValues) -> tuple[Seconds, list[int]]:
    """Return a ``pyarrow.Array`` of timestamps, dates or text as seconds, and the rows that are no date.

    Raises:
        TypeError: it holds neither.
    """
    import pyarrow  # noqa: PLC0415

    array, types = _decoded(array), pyarrow.types
    if _is_text(array.type) or types.is_null(array.type):
        return timestamp_texts(_texts(array), form, values)
    if types.is_date32(array.type):
        return within_years(_integers(array, pyarrow.int32(), lambda days: days * _A_DAY))
    if types.is_date64(array.type):
        return within_years(_integers(array, pyarrow.int64(), lambda milliseconds: milliseconds // 1000))
    if types.is_timestamp(array.type):
        unit = _PER_SECOND[array.type.unit]
        return within_years(_integers(array, pyarrow.int64(), lambda units: units // unit))
    raise TypeError(str(array.type))


def arrow_booleans(array: Any, values: CellValues) -> tuple[NDArray[np.float64], list[int]]:
    """Return a ``pyarrow.Array`` of truth values, numbers or text as 1 and 0, and the rows that are neither.

    Raises:
        TypeError: it holds none of these.
    """
    import pyarrow  # noqa: PLC0415

    array, types = _decoded(array), pyarrow.types
    if _is_text(array.type) or types.is_null(array.type):
        return truth_values(_texts(array), values)
    if types.is_boolean(array.type):
        array = array.cast(pyarrow.int8())
    elif types.is_decimal(array.type):
        array = array.cast(pyarrow.string())
    elif not (types.is_integer(array.type) or types.is_floating(array.type)):
        raise TypeError(str(array.type))
    return truth_numbers(float64_values(array.cast(pyarrow.float64(), safe=False)))


def _encoded(array: Any) -> Any:
    import pyarrow  # noqa: PLC0415

    if pyarrow.types.is_string_view(array.type):  # which not every pyarrow encodes
        array = pyarrow.array(array.to_pylist(), pyarrow.string())
    try:
        return array.dictionary_encode()
    except pyarrow.ArrowException as error:
        raise TypeError(str(array.type)) from error


def _decoded(array: Any) -> Any:
    import pyarrow  # noqa: PLC0415

    return array.cast(array.type.value_type) if pyarrow.types.is_dictionary(array.type) else array


def _integers(array: Any, kind: Any, to_seconds: Any) -> Seconds:
    """Return an array's numbers, of that type of Arrow's, as seconds; missing ones as such."""
    import pyarrow  # noqa: PLC0415

    numbers = int64_values(array.cast(kind).fill_null(0).cast(pyarrow.int64()))
    return np.where(null_rows(array), MISSING_TIMESTAMP, to_seconds(numbers))


def _is_text(kind: Any) -> bool:
    import pyarrow  # noqa: PLC0415

    types = pyarrow.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _texts(array: Any) -> list[str]:
    """Return the cells of an array as text, empty where there is none.

    Raises:
        TypeError: its cells have no text.
    """
    import pyarrow  # noqa: PLC0415

    types = pyarrow.types
    if types.is_boolean(array.type):
        return _spelled(array.to_pylist(), lambda cell: "true" if cell else "false")
    if types.is_floating(array.type):
        dtype = {16: np.float16, 32: np.float32}.get(array.type.bit_width, np.float64)
        return _spelled(array.to_pylist(), lambda cell: value_text(dtype(cell)))
    if types.is_decimal(array.type):
        return _spelled(array.to_pylist(), value_text)
    if types.is_binary(array.type) or types.is_large_binary(array.type) or types.is_fixed_size_binary(array.type):
        raise TypeError(str(array.type))
    try:
        return _spelled(array.cast(pyarrow.string()).to_pylist(), str)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise TypeError(str(array.type)) from error


def _spelled(cells: list[Any], spell: Any) -> list[str]:
    return [MISSING_CATEGORY if cell is None else spell(cell) for cell in cells]
