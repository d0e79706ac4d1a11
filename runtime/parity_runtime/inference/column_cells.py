"""One column of a caller's rows, from whatever library, as the cells of its kind."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError, RowFault
from parity_runtime.feature import Feature
from parity_runtime.inference.checked_arrays import as_array
from parity_runtime.tables.arrow_cells import arrow_booleans, arrow_categories, arrow_timestamps
from parity_runtime.tables.category_cells import Texts, no_truth, truth, truth_numbers, value_text, value_texts
from parity_runtime.tables.cell_values import CellValues, is_nothing
from parity_runtime.tables.chunk import shown
from parity_runtime.tables.timestamp_cells import Seconds, no_date, timestamp_array, timestamp_values

_NUMBERS = "iuf"

Read = TypeVar("Read")


def category_column(feature: Feature, column: Any, values: CellValues) -> Texts:
    """Return a column of text as categories, objects ``[rows]``, each a ``str``, empty where missing.

    Args:
        feature: ``categorical`` or ``code``.
        column: a list, an array, a series of pandas or polars, or an array of pyarrow's: of text, numbers and truth
            values; None, NaN, NA and the words of ``values`` are missing.
        values: which texts are missing.

    Raises:
        InputError: a cell is something else, as bytes are; the first such row is named, from 1.
    """
    if _is_arrow(column):
        return _of_arrow(feature, column, "text", lambda array: arrow_categories(array, feature.kind, values))
    array = _array(feature, column)
    if array.dtype.kind not in f"bOUT{_NUMBERS}":
        raise InputError(f"{feature.name} holds {array.dtype}; it takes text", column=feature.name)
    cells = list(array) if array.dtype.kind == "f" else array.tolist()
    try:
        return value_texts(cells, feature.kind, values)
    except TypeError:
        raise InputError.of_rows(_no_texts(feature, cells)) from None


def _no_texts(feature: Feature, cells: list[Any]) -> Iterator[RowFault]:
    for row, cell in enumerate(cells, 1):
        if not _has_text(cell):
            way_out = "; decode it to text first" if isinstance(cell, bytes) else "; it takes text or a whole number"
            yield row, f"{feature.name} is {_typed(cell)}{way_out}", feature.name


def timestamp_column(feature: Feature, column: Any, values: CellValues) -> Seconds:
    """Return a column of timestamps as seconds since 1970, UTC, int64 ``[rows]``.

    Args:
        feature: ``datetime``.
        column: as in `category_column`: of datetime64, ``datetime`` and ``date`` objects, or of text in the feature's
            format.
        values: which texts are missing.

    Raises:
        InputError: a cell is no date (a number says neither its unit nor its zone); names the row, from 1.
    """
    if _is_arrow(column):
        seconds, odd = _of_arrow(
            feature, column, "dates", lambda array: arrow_timestamps(array, feature.format, values)
        )
        cells: Any = column
    else:
        array = _array(feature, _without_zone(column))
        nothing = array.dtype.kind == "f" and bool(np.isnan(array).all())
        if array.dtype.kind not in "MOUT" and not nothing:
            way_out = "give seconds as datetime64: array.astype('datetime64[s]')"
            raise InputError(f"{feature.name} holds {array.dtype}; it takes dates; {way_out}", column=feature.name)
        cells = array if array.dtype.kind == "M" else array.tolist()
        seconds, odd = (
            timestamp_array(array) if array.dtype.kind == "M" else timestamp_values(cells, feature.format, values)
        )
    if odd:
        raise InputError.of_rows((row + 1, _no_date(feature, cells[row]), feature.name) for row in odd)
    return seconds


def boolean_column(feature: Feature, column: Any, values: CellValues) -> NDArray[np.float64]:
    """Return a column of truth values as 1, 0 and NaN, float64 ``[rows]``.

    Args:
        feature: ``boolean``.
        column: as in `category_column`: of truth values, of 0 and 1, or of the texts true and false in any case.
        values: which texts are missing.

    Raises:
        InputError: a cell is neither; names the row, from 1.
    """
    if _is_arrow(column):
        numbers, odd = _of_arrow(feature, column, "truth values", lambda array: arrow_booleans(array, values))
        cells: Any = column
    else:
        array = _array(feature, column)
        if array.dtype.kind not in f"bOUT{_NUMBERS}":
            raise InputError(f"{feature.name} holds {array.dtype}; it takes truth values", column=feature.name)
        cells = array.tolist()
        plain = array.dtype.kind not in "OUT"
        numbers, odd = truth_numbers(array.astype(np.float64) if plain else _truths(cells, values))
    if odd:
        raise InputError.of_rows((row + 1, no_truth(feature.name, shown(str(cells[row]))), feature.name) for row in odd)
    return numbers


def _no_date(feature: Feature, cell: Any) -> str:
    return no_date(feature.name, shown(cell) if isinstance(cell, str) else _typed(cell), feature.format)


def _truths(cells: list[Any], values: CellValues) -> NDArray[np.float64]:
    """Return cells of any type as 1, 0 and NaN, and infinite what is neither."""
    return np.array([truth(cell, values) for cell in cells], np.float64)


def _is_arrow(column: Any) -> bool:
    return _library(column) == "pyarrow"


def _library(column: Any) -> str:
    return type(column).__module__.partition(".")[0]


def _of_arrow(feature: Feature, column: Any, wanted: str, read: Callable[[Any], Read]) -> Read:
    array = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    try:
        return read(array)
    except TypeError as error:
        raise InputError(f"{feature.name} holds {array.type}; it takes {wanted}", column=feature.name) from error


def _array(feature: Feature, column: Any) -> NDArray[Any]:
    """Return a column as an array; a list as one of objects, as numpy would make text of numbers beside text."""
    what = f"the column {feature.name!r}"
    if _library(column) == "polars" and column.dtype.is_integer() and column.null_count():
        column = column.to_list()  # numpy would get floats, which do not hold every integer
    array = as_array(what, np.array(column, object) if isinstance(column, list | tuple) else column)
    if array.ndim != 1:
        raise InputError(f"{what} has the shape {list(array.shape)}; it takes one cell a row", column=feature.name)
    return array


def _without_zone(column: Any) -> Any:
    """Return pandas' timestamps with a zone as datetime64 in UTC; anything else as it is."""
    is_zoned = _library(column) == "pandas" and getattr(column.dtype, "tz", None) is not None
    return np.asarray(getattr(column, "dt", column).tz_convert(None)) if is_zoned else column


def _has_text(cell: Any) -> bool:
    try:
        value_text(cell)
    except TypeError:
        return False
    return True


def _typed(cell: Any) -> str:
    return "missing" if is_nothing(cell) else f"{shown(str(cell))[1:-1]} ({type(cell).__name__})"
