"""Cells of any table as text, spelled as a category is, and what they mean."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.cell_values import CellValues
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.json_lines import JsonChunk
from parity_runtime.tables.npy_file import ArrayChunk

_BOOLEANS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
_WHOLE = re.compile(r"(?P<sign>-?)(?P<digits>0|[1-9]\d*)(?:\.0*)?", re.ASCII)


def category_cells(chunk: Chunk, name: str) -> list[str]:
    """Return a column's cells as categories are written: text as it stands, ``true`` and ``false``, ``3`` for 3.0.

    Raises:
        InputError: there is no such column, or its cells are no text.
    """
    cells = chunk.column(name)
    if isinstance(chunk, JsonChunk):
        return [_json_text(value.get(name), cell) for value, cell in zip(chunk.objects, cells, strict=True)]
    if isinstance(chunk, ArrayChunk) and chunk.array.dtype[chunk.index(name)].kind == "b":
        return [cell.lower() for cell in cells]
    if native_kind(chunk, name) == "number":
        return ["" if cell == "nan" else integer_text(cell) or cell for cell in cells]
    return cells


def _json_text(value: Any, cell: str) -> str:
    return (integer_text(cell) or cell) if isinstance(value, float) else cell


def integer_text(cell: str) -> str | None:
    """Return an integer's shortest decimal, without ``.0``; None for any other text, ``007`` among them."""
    found = _WHOLE.fullmatch(cell.strip())
    if found is not None:
        return "0" if found["digits"] == "0" else f"{found['sign']}{found['digits']}"
    if "e" not in cell and "E" not in cell:
        return None
    try:
        number = Decimal(cell.strip())
    except ArithmeticError:
        return None
    return str(int(number)) if number == number.to_integral_value() and number.adjusted() < 20 else None


def native_kind(chunk: Chunk, name: str) -> str | None:
    """Return what a format with types says of a column: number, boolean, datetime, text, other; None where it is mute."""
    if isinstance(chunk, ArrowChunk):
        return _arrow_kind(chunk.batch.column(chunk.index(name)).type)
    if isinstance(chunk, ArrayChunk):
        column = chunk.array.dtype[chunk.index(name)]
        kinds = {"i": "number", "u": "number", "f": "number", "b": "boolean", "M": "datetime", "U": "text", "S": "text"}
        return kinds.get(column.kind, "other") if not column.shape else "other"
    return None


def _arrow_kind(kind: Any) -> str | None:
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    types = pyarrow.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_null(kind):
        return None
    checks: list[tuple[str, tuple[Callable[[Any], bool], ...]]] = [
        ("number", (types.is_integer, types.is_floating, types.is_decimal)),
        ("boolean", (types.is_boolean,)),
        ("datetime", (types.is_timestamp, types.is_date)),
        ("text", (types.is_string, types.is_large_string)),
    ]
    return next((name for name, tests in checks if any(test(kind) for test in tests)), "other")


class BooleanCells(dict[str, float]):
    """The number of each cell of a column of booleans: 1, 0, or NaN where it is missing.

    Args:
        values: how cells are read.
    """

    def __init__(self, values: CellValues) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, cell: str) -> float:
        text = cell.strip().lower()
        if text in _BOOLEANS:
            self[cell] = _BOOLEANS[text]
        elif self._values.is_missing(cell):
            self[cell] = float("nan")
        else:
            raise ValueError(cell)
        return self[cell]
