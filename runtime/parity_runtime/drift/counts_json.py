"""Counts of a table's rows as JSON: a job in parts keeps those of each part, and merges them at its end."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.errors import FormatError
from parity_runtime.printable import shown

if TYPE_CHECKING:
    from parity_runtime.drift.table_counts import TableCounts

_FIGURES = ("missing", "unknown", "outside")


def counts_to_json(counts: "TableCounts") -> dict[str, Any]:
    """Return the JSON form, which names no bin: whoever reads it has the same model and profile."""
    return {
        "rows": counts.rows,
        "columns": {name: _column(column) for name, column in counts.columns.items()},
        **{name: values.tolist() for name, values in _classes(counts).items()},
        **{name: None if values is None else _column(values) for name, values in _values(counts).items()},
    }


def merge_counts_json(counts: "TableCounts", value: Any, where: str) -> None:
    """Take the rows of counts that `counts_to_json` wrote.

    Raises:
        FormatError: they are none, or of another model or profile.
    """
    match value:
        case {"rows": int(rows), "columns": dict(columns)} if list(columns) == list(counts.columns):
            counts.rows += rows
        case _:
            raise FormatError(f"{where} is {shown(value)}, not counts of this model's columns")
    for name, column in counts.columns.items():
        _merge(column, columns[name], f"{where}: {name}")
    for name, classes in _classes(counts).items():
        classes[:] += _numbers(value.get(name), len(classes), f"{where}: {name}")
    for name, values in _values(counts).items():
        if values is not None:
            _merge(values, value.get(name), f"{where}: {name}")


def _classes(counts: "TableCounts") -> Mapping[str, NDArray[np.int64]]:
    return {"predicted": counts.predicted, "true": counts.true}


def _values(counts: "TableCounts") -> Mapping[str, ColumnCounts | None]:
    return {"predicted_values": counts.predicted_values, "true_values": counts.true_values}


def _column(counts: ColumnCounts) -> dict[str, Any]:
    return {"bins": counts.bins.tolist(), **{name: getattr(counts, name) for name in _FIGURES}}


def _merge(counts: ColumnCounts, value: Any, where: str) -> None:
    found = value if isinstance(value, dict) else {}
    figures = _numbers([found.get(name) for name in _FIGURES], len(_FIGURES), where).tolist()
    bins = _numbers(found.get("bins"), len(counts.bins), where)
    counts.merge(ColumnCounts(counts.feature, counts.edges, bins, *figures))


def _numbers(value: Any, size: int, where: str) -> NDArray[np.int64]:
    plain = isinstance(value, list) and all(type(count) is int and 0 <= count < 2**53 for count in value)
    if not plain or len(value) != size:
        raise FormatError(f"{where} is {shown(value)}, not {size} numbers of rows")
    return np.array(value, np.int64)
