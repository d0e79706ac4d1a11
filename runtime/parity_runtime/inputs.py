"""What callers hand in, made into the arrays that a graph takes, or refused with a sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.tensor_spec import TensorSpec

Arrays = dict[str, NDArray[Any]]


def table_inputs(contract: ModelContract, rows: ArrayLike | Mapping[str, ArrayLike]) -> Arrays:
    """Return the graph's input for rows of a table.

    Args:
        contract: of a model with one input.
        rows: ``[batch, ...]`` in the graph's order, or columns by feature name, each ``[batch]``.

    Raises:
        InputError: the model has several inputs, a column is missing, or `checked_array` refuses the rows.
    """
    if len(contract.inputs) != 1:
        names = ", ".join(spec.name for spec in contract.inputs)
        raise InputError(f"{contract.name} takes several inputs ({names}); use run() with a mapping of them")
    spec = contract.inputs[0]
    matrix = _stack_columns(contract, rows) if isinstance(rows, Mapping) else rows
    array = checked_array(spec, matrix)
    check_cells(contract, array)
    return {spec.name: array}


def named_inputs(contract: ModelContract, arrays: Mapping[str, ArrayLike]) -> Arrays:
    """Return the graph's inputs, each checked against the contract, named dimensions against one another.

    Raises:
        InputError: an input is missing, unknown, or does not fit.
    """
    specs = {spec.name: spec for spec in contract.inputs}
    for name in arrays:
        if name not in specs:
            raise InputError(f"{contract.name} has no input {name!r}; it takes {', '.join(specs)}")
    for name in specs:
        if name not in arrays:
            raise InputError(f"the input {name!r} is missing; {contract.name} takes {', '.join(specs)}")
    checked = {name: checked_array(spec, arrays[name]) for name, spec in specs.items()}
    dimensions(contract, checked)
    for array in checked.values():
        check_cells(contract, array)
    return checked


def checked_array(spec: TensorSpec, value: ArrayLike) -> NDArray[Any]:
    """Return ``value`` as a C-contiguous array of the input's dtype and shape.

    Numbers are converted where their value survives: float64 is rounded to float32, integers become floats.
    What would change its meaning is refused: text, objects, complex numbers, a finite number that becomes
    infinite, a fraction where an integer belongs, an integer outside the dtype's range.

    Raises:
        InputError: the value cannot be converted, or has another shape.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"input {spec.name!r}: the rows differ in length; it takes {spec}") from error
    if array.dtype != spec.dtype:
        array = _converted(spec, array)
    if len(array.shape) != len(spec.shape) or any(
        isinstance(size, int) and size != found for size, found in zip(spec.shape, array.shape, strict=True)
    ):
        raise InputError(f"input {spec.name!r} has the shape {list(array.shape)}; it takes {spec}")
    return np.ascontiguousarray(array)


def dimensions(contract: ModelContract, arrays: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Return the size of every named dimension in one call.

    Raises:
        InputError: two inputs give one name different sizes.
    """
    sizes: dict[str, int] = {}
    for spec in contract.inputs:
        for name, size in zip(spec.shape, arrays[spec.name].shape, strict=True):
            if isinstance(name, str) and sizes.setdefault(name, size) != size:
                raise InputError(f"input {spec.name!r} has {name} = {size}, but another input has {sizes[name]}")
    return sizes


def check_cells(contract: ModelContract, array: NDArray[Any]) -> None:
    """Refuse infinite cells, and missing ones (NaN) where the contract says so; only for tables.

    Raises:
        InputError: names the row (from 0) and the feature of the first such cell.
    """
    if not contract.features or array.dtype.kind != "f" or np.isfinite(array).all():
        return
    refused = np.isinf(array)
    for feature in contract.features:
        if feature.missing == "refuse":
            refused[:, feature.index] |= np.isnan(array[:, feature.index])
    if refused.any():
        row, column = (int(index) for index in np.argwhere(refused)[0])
        name = next(feature.name for feature in contract.features if feature.index == column)
        raise InputError(f"row {row}: {name} is {array[row, column]}; this model takes finite numbers there")


def _stack_columns(contract: ModelContract, columns: Mapping[str, ArrayLike]) -> NDArray[Any]:
    if not contract.features:
        raise InputError(f"{contract.name} has no named features; give an array")
    ordered = sorted(contract.features, key=lambda feature: feature.index)
    missing = [feature.name for feature in ordered if feature.name not in columns]
    if missing:
        raise InputError(f"the column {missing[0]!r} is missing; found {', '.join(map(str, columns)) or 'none'}")
    try:
        return np.stack([np.asarray(columns[feature.name]) for feature in ordered], axis=-1)
    except ValueError as error:
        raise InputError("the columns differ in length") from error


def _converted(spec: TensorSpec, array: NDArray[Any]) -> NDArray[Any]:
    wanted = np.dtype(spec.dtype)
    if array.size == 0 and array.dtype.kind == "f":
        return array.astype(wanted)
    if array.dtype.kind not in "biuf" or (wanted.kind == "b") != (array.dtype.kind == "b"):
        raise InputError(f"input {spec.name!r} holds {array.dtype}; it takes {spec.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(wanted)
    if wanted.kind in "iu" and not np.array_equal(converted, array):
        raise InputError(f"input {spec.name!r} holds numbers that {spec.dtype} cannot hold")
    if wanted.kind == "f" and np.isinf(converted).any() and not np.array_equal(np.isinf(converted), np.isinf(array)):
        raise InputError(f"input {spec.name!r} holds finite numbers that are infinite in {spec.dtype}")
    return converted
