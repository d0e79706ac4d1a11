"""Rows of a table with columns of several kinds, as the arrays of the graph's inputs."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract, is_encoded
from parity_runtime.errors import InputError, RowFault
from parity_runtime.feature import Feature
from parity_runtime.inference.checked_arrays import (
    Arrays,
    all_text,
    as_array,
    check_cells,
    checked_array,
    column_names,
    column_of,
    dimensions,
    number_column,
)
from parity_runtime.inference.column_cells import boolean_column, category_column, timestamp_column
from parity_runtime.inference.column_lengths import check_lengths
from parity_runtime.printable import shown
from parity_runtime.tables.cell_values import CellValues, cell_values
from parity_runtime.tables.feature_columns import check_takes_rows
from parity_runtime.tables.timestamp_cells import timestamp_values
from parity_runtime.tensor_spec import TensorSpec


def reads_kinds(contract: ModelContract, rows: Any) -> bool:
    """Whether rows have cells that are read by their column's kind; an array of numbers is taken for what it is."""
    if is_encoded(contract):
        return True
    numbers = isinstance(rows, np.ndarray) and rows.dtype.kind in "iuf"
    return not numbers and any(feature.kind == "boolean" for feature in contract.features)


def rows_by_kind(contract: ModelContract, rows: Any) -> Arrays:
    """Return the graph's inputs for rows of a table, each cell read by its column's kind.

    Args:
        contract: of a model over a table.
        rows: columns by name (a mapping, a data frame of pandas, polars or pyarrow, a structured array), or rows of
            cells in the order of `ModelContract.row_features`: a list of lists, or an array.

    Raises:
        InputError: a column is missing, or a cell is none of its kind; names the row, from 1, and the column.
    """
    check_takes_rows(contract)
    columns = _columns(contract, rows)
    values = cell_values(contract.missing_values)
    cells = {
        spec.name: {
            feature.name: _read(contract, spec, feature, columns[feature.name], values)
            for feature in contract.features_of(spec.name)
        }
        for spec in contract.inputs
    }
    check_lengths({name: cell for of_input in cells.values() for name, cell in of_input.items()})
    arrays = {name: np.ascontiguousarray(np.stack(list(of_input.values()), axis=1)) for name, of_input in cells.items()}
    dimensions(contract, arrays)
    for name, array in arrays.items():
        check_cells(contract, name, array)
    return arrays


def input_by_kind(contract: ModelContract, spec: TensorSpec, value: Any) -> NDArray[Any]:
    """Return one input of the graph as it was handed over by name: text as it is, timestamps as seconds or datetime64.

    Raises:
        InputError: it does not fit the contract, or holds something else than text, seconds or timestamps.
    """
    if spec.dtype == "string":
        return _texts(contract, spec, value)
    features = contract.features_of(spec.name)
    array = as_array(f"input {spec.name!r}", value)
    if features and features[0].kind == "datetime" and array.dtype.kind in "MO":
        seconds, odd = timestamp_values(list(array.reshape(-1)), features[0].format, CellValues())
        if odd:
            raise InputError(
                f"input {spec.name!r} holds {shown(str(array.reshape(-1)[odd[0]]))}, which is not a timestamp"
            )
        value = seconds.reshape(array.shape)
    return checked_array(contract, spec, value)


def _texts(contract: ModelContract, spec: TensorSpec, value: Any) -> NDArray[Any]:
    """Return an input of text; onnxruntime would take None and 1.0 for the texts "None" and "1.0"."""
    array = as_array(f"input {spec.name!r}", np.array(value, object) if isinstance(value, list | tuple) else value)
    if array.dtype.kind in "UT":
        array = array.astype(object)
    flat = array.reshape(-1).tolist() if array.dtype.kind == "O" else None
    if flat is None and array.size:
        raise InputError(f"input {spec.name!r} holds {array.dtype}; it takes text")
    if flat and not all_text(flat):
        raise InputError.of_rows(_no_texts(spec, flat, array.shape[-1] if array.ndim > 1 else 1))
    return checked_array(contract, spec, array)


def _no_texts(spec: TensorSpec, cells: list[Any], width: int) -> Iterator[RowFault]:
    for place, cell in enumerate(cells):
        if not isinstance(cell, str):
            way_out = 'a missing text is "" there' if cell is None else "it takes text"
            yield place // width + 1, f"input {spec.name!r} holds a {type(cell).__name__}; {way_out}", None


def _columns(contract: ModelContract, rows: Any) -> Mapping[str, Any]:
    """Return the features' columns by name."""
    found = column_names(rows)
    if found is not None:
        return {feature.name: column_of(rows, feature.name, found) for feature in contract.features}
    names = [feature.name for feature in contract.row_features]
    array = as_array("the rows", np.array(rows, object) if isinstance(rows, list | tuple) else rows)
    if array.shape == (0,):
        array = array.reshape(0, len(names))
    if array.ndim != 2 or array.shape[1] != len(names):
        raise InputError(f"the rows have the shape {list(array.shape)}; each takes {', '.join(names)}")
    return {name: array[:, place] for place, name in enumerate(names)}


def _read(contract: ModelContract, spec: TensorSpec, feature: Feature, column: Any, values: CellValues) -> NDArray[Any]:
    if feature.is_text:
        return category_column(feature, column, values)
    if feature.kind == "datetime":
        return timestamp_column(feature, column, values)
    if feature.kind == "boolean":
        return boolean_column(feature, column, values).astype(spec.dtype)
    return number_column(contract, spec, feature.name, column)
