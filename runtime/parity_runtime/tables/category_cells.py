"""What a cell is as a category: the text that the graph looks up; and as a truth value: 1 or 0."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.feature import MISSING_CATEGORY, ColumnKind
from parity_runtime.tables.cell_values import CellValues, is_decimal, is_nothing

Texts = NDArray[np.object_]
"""Cells as text, each a ``str``."""

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
"""What JSON and Python may hold and UTF-8 may not: it becomes the replacement character, as JavaScript writes it."""

_MOST_DIGITS = 4300  # Python's own limit, beyond which it refuses to write an integer

_TRUTH = {"true": 1.0, "false": 0.0}


def category_texts(cells: Sequence[str], kind: ColumnKind, values: CellValues) -> Texts:
    """Return cells of text as categories, objects ``[rows]``, each a ``str``; a missing one is empty.

    Args:
        cells: as they stand in the table.
        kind: ``categorical``: text as it stands; ``code``: an integer's shortest decimal (``3`` for ``3.0``), and
            anything else as its own text, which is then unknown to the model.
        values: which cells are missing.
    """
    changed = {cell: text for cell in set(cells) if (text := _category(cell, kind, values)) != cell}
    return object_array([changed.get(cell, cell) for cell in cells] if changed else cells)


def value_texts(cells: Sequence[Any], kind: ColumnKind, values: CellValues) -> Texts:
    """Return cells of any type as categories, objects ``[rows]``; text is taken as by `category_texts`.

    Raises:
        TypeError: one is neither text nor a number, a truth value or missing; its text names the type.
    """
    if {*map(type, cells)} <= {str}:
        return category_texts(cells, kind, values)
    return category_texts([cell if type(cell) is str else value_text(cell) for cell in cells], kind, values)


def value_text(value: Any) -> str:
    """Return a typed cell as text: ``true`` and ``false``, an integer's decimal, a whole number without ``.0``.

    Raises:
        TypeError: it is of another type, which its text names.
    """
    if isinstance(value, str):
        return str(value)
    if is_nothing(value):
        return MISSING_CATEGORY
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return str(int(value)) if value.is_integer() else str(value)
    if is_decimal(value):
        return str(int(value)) if _is_whole(value) else str(value)
    raise TypeError(type(value).__name__)


def _is_whole(value: Any) -> bool:
    """Whether a Decimal is an integer whose digits Python writes; 1E+999999 has too many."""
    return bool(value.is_finite() and value.adjusted() < _MOST_DIGITS and value == value.to_integral_value())


def truth_values(cells: Sequence[str], values: CellValues) -> tuple[NDArray[np.float64], list[int]]:
    """Return cells of text as 1 (true) and 0 (false) in any case, NaN where missing; and the rows that are neither."""
    known = {cell: _truth(cell, values) for cell in set(cells)}
    numbers = np.array([known[cell] for cell in cells], np.float64)
    return _checked_truth(numbers)


def truth_numbers(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[int]]:
    """Return numbers as truth values, NaN where missing; and the rows that are neither 0 nor 1."""
    return _checked_truth(np.where(np.isnan(numbers) | np.isin(numbers, (0.0, 1.0)), numbers, np.inf))


def no_truth(name: str, cell: str) -> str:
    """Return what is said of a cell that is no truth value."""
    return f"{name} is {cell}, neither true nor false (nor 1 or 0)"


def object_array(cells: Iterable[Any]) -> Texts:
    """Return cells as an array of objects, ``[rows]``."""
    found = list(cells)
    array = np.empty(len(found), object)
    array[:] = found
    return array


def _category(cell: str, kind: ColumnKind, values: CellValues) -> str:
    if values.is_missing(cell, in_numbers=kind == "code"):
        return MISSING_CATEGORY
    if kind != "code":
        return cell if cell.isascii() else _LONE_SURROGATES.sub("\ufffd", cell)
    found = _integer(values.decimal).fullmatch(cell.strip())
    if found is None:
        return cell if cell.isascii() else _LONE_SURROGATES.sub("\ufffd", cell)
    code = "0" if found[1] == "-0" else found[1]
    missing = values.missing_numbers and len(code) < 20 and float(code) in values.missing_numbers
    return MISSING_CATEGORY if missing else code


@cache
def _integer(decimal: str) -> re.Pattern[str]:
    return re.compile(rf"(-?(?:0|[1-9][0-9]*))(?:{re.escape(decimal)}0*)?", re.ASCII)


def truth(cell: Any, values: CellValues) -> float:
    """Return a cell of any type as 1, 0 or NaN; infinite where it is no truth value."""
    if isinstance(cell, str):
        return _truth(cell, values)
    if is_nothing(cell):
        return float("nan")
    is_known = (isinstance(cell, bool | np.bool_ | int | float | np.number) or is_decimal(cell)) and cell in (0, 1)
    return float(cell) if is_known else float("inf")


def _truth(cell: str, values: CellValues) -> float:
    found = _TRUTH.get(cell.strip().lower())
    if found is not None:
        return found
    try:
        number = values.number(cell)
    except ValueError:
        return float("inf")
    return number if number in (0.0, 1.0) or number != number else float("inf")  # noqa: PLR0124 -- NaN


def _checked_truth(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[int]]:
    odd = np.isinf(numbers)
    return np.where(odd, np.nan, numbers), np.flatnonzero(odd).tolist()
