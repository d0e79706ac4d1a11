"""What callers hand in, made into the arrays that a graph takes, or refused with a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity_runtime.contract import ModelContract, is_encoded
from parity_runtime.errors import InputError
from parity_runtime.inference.checked_arrays import (
    Arrays,
    all_finite,
    as_array,
    check_cells,
    checked_array,
    column_names,
    column_of,
    dimensions,
    number_cells,
    number_column,
    unspelled,
)
from parity_runtime.inference.column_lengths import check_lengths
from parity_runtime.inference.table_rows import input_by_kind, reads_kinds, rows_by_kind

__all__ = ["Arrays", "Rows", "all_finite", "check_names", "dimensions", "named_inputs", "table_inputs"]

Rows = ArrayLike | Mapping[str, ArrayLike]
"""Of a table, as callers hand them in: by their place, or columns by name."""


def table_inputs(contract: ModelContract, rows: Any) -> Arrays:
    """Return the graph's inputs for rows of a table, text and timestamps read as `rows_by_kind` does.

    Args:
        contract: of a model over a table, or of one with one input.
        rows: ``[batch, ...]`` in the graph's order, or columns by feature name, each ``[batch]``: a mapping, a
            data frame (pandas, polars, pyarrow) or a structured array. NaN is a missing cell; in columns, lists and
            arrays of objects None, an empty text and the contract's words for it (`CellValues`), numbers among
            them, are as well. An array of numbers is taken as it is.

    Raises:
        InputError: the model has several inputs, a column is missing, or the rows do not fit it.
    """
    if reads_kinds(contract, rows):
        return rows_by_kind(contract, rows)
    if len(contract.inputs) != 1:
        names = ", ".join(spec.name for spec in contract.inputs)
        raise InputError(f"{contract.name} takes several inputs ({names}); use run() with a mapping of them")
    spec = contract.inputs[0]
    columns = column_names(rows)
    array = checked_array(
        contract, spec, _matrix(contract, rows) if columns is None else _stack_columns(contract, rows, columns)
    )
    check_cells(contract, spec.name, array)
    return {spec.name: array}


def named_inputs(contract: ModelContract, arrays: Mapping[str, ArrayLike]) -> Arrays:
    """Return the graph's inputs, each checked against the contract, named dimensions against one another.

    Raises:
        InputError: an input is missing, unknown, or does not fit.
    """
    check_names(contract, arrays, "run()")
    specs = {spec.name: spec for spec in contract.inputs}
    if len(specs) == 1 and not is_encoded(contract) and contract.inputs[0].dtype != "string":
        return table_inputs(contract, *arrays.values())
    checked = {name: input_by_kind(contract, spec, arrays[name]) for name, spec in specs.items()}
    dimensions(contract, checked)
    for name, array in checked.items():
        check_cells(contract, name, array)
    return checked


def check_names(contract: ModelContract, inputs: Mapping[str, Any], method: str) -> None:
    """Refuse inputs that are not by name, or not those of the contract; ``method`` takes them.

    Raises:
        InputError: an input is missing or unknown.
    """
    names = [spec.name for spec in contract.inputs]
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"{method} takes the inputs by name, a mapping of {', '.join(names)}; found a {type(inputs).__name__}"
        )
    for name in inputs:
        if name not in names:
            raise InputError(f"{contract.name} has no input {name!r}; it takes {', '.join(names)}")
    for name in names:
        if name not in inputs:
            raise InputError(f"the input {name!r} is missing; {contract.name} takes {', '.join(names)}")


def _stack_columns(contract: ModelContract, rows: Any, found: Sequence[Any]) -> NDArray[Any]:
    if not contract.features:
        raise InputError(f"{contract.name} has no named features; give an array")
    spec = contract.inputs[0]
    arrays = {
        feature.name: number_column(contract, spec, feature.name, column_of(rows, feature.name, found))
        for feature in contract.columns
    }
    check_lengths(arrays)
    return np.stack(list(arrays.values()), axis=-1)


def _matrix(contract: ModelContract, rows: Any) -> Any:
    """Return rows with NaN where a cell is missing, as in columns; an array of numbers as it is."""
    spec = contract.inputs[0]
    array = unspelled(as_array(f"input {spec.name!r}", rows), rows)
    is_told = isinstance(rows, list | tuple) and contract.missing_values is not None
    if not (is_told or array.dtype.kind == "O"):
        return array
    if array.ndim != 2 or array.shape[1] != len(contract.columns) or not spec.dtype.startswith("float"):
        return array
    columns = [number_cells(contract, array[:, feature.index], feature.name) for feature in contract.columns]
    return np.stack(columns, axis=-1)
