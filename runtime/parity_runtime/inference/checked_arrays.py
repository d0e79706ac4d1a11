"""Arrays and columns that callers hand in: of the dtype and shape that a graph takes, or refused with a sentence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract, batch_name
from parity_runtime.dimension_rule import check_sizes
from parity_runtime.errors import InputError, RowFault, first_line
from parity_runtime.feature import MISSING_CATEGORY, MISSING_TIMESTAMP, Feature
from parity_runtime.tables.cell_values import CellValues, cell_values, is_nothing, missing_cell
from parity_runtime.tables.chunk import nearest_column, shown
from parity_runtime.tensor_spec import TensorSpec

Arrays = dict[str, NDArray[Any]]

_PIECE = 2**16  # values
_JOINED = 2**10  # cells of text, whose joined text stays small


def checked_array(contract: ModelContract, spec: TensorSpec, value: Any) -> NDArray[Any]:
    """Return ``value`` as a C-contiguous array of the input's dtype and shape.

    Numbers are converted where their value survives: float64 is rounded to float32, integers become floats.
    What would change its meaning is refused: text, objects, complex numbers, a finite number that becomes
    infinite, a fraction where an integer belongs, an integer outside the dtype's range.

    Raises:
        InputError: the value cannot be converted, or has another shape.
    """
    array = as_array(f"input {spec.name!r}", value)
    if array.shape == (0,) and all(isinstance(size, int) for size in spec.shape[1:]):
        array = array.reshape(0, *map(int, spec.shape[1:]))  # an empty list has no columns to count
    if array.dtype != spec.numpy_dtype:
        array = _converted(spec, array, f"input {spec.name!r}", _names(contract, spec, array))
    if len(array.shape) != len(spec.shape) or any(
        isinstance(size, int) and size != found for size, found in zip(spec.shape, array.shape, strict=True)
    ):
        raise InputError(f"input {spec.name!r} has the shape {list(array.shape)}; it takes {spec}")
    return np.asarray(array, order="C")


def as_array(what: str, value: Any) -> NDArray[Any]:
    """Return a value as an array; ``what`` names it in an error.

    Raises:
        InputError: it is none, does not fit into memory, or is masked.
    """
    parts = (value, *value) if isinstance(value, list | tuple) else (value,)
    if any(isinstance(getattr(part, "mask", None), np.ndarray) for part in parts):
        raise InputError(
            f"{what} is a masked array, whose mask would be lost; fill it, with NaN where a cell is missing"
        )
    try:
        return np.asarray(value)
    except MemoryError as error:
        raise InputError(f"{what} does not fit into memory") from error
    except Exception as error:  # whatever a foreign object raises in its __array__
        raise InputError(f"{what} is not an array, or its rows differ in length ({first_line(error)})") from error


class Shaped(Protocol):
    """What has sizes: an array, a tensor on a device."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""


def dimensions(contract: ModelContract, arrays: Mapping[str, Shaped]) -> dict[str, int]:
    """Return the size of every named dimension in one call.

    Raises:
        InputError: two inputs give one name different sizes, or a size contradicts what the contract says of it.
    """
    sizes: dict[str, int] = {}
    for spec in contract.inputs:
        for name, size in zip(spec.shape, arrays[spec.name].shape, strict=True):
            if isinstance(name, str) and sizes.setdefault(name, size) != size:
                raise InputError(f"input {spec.name!r} has {name} = {size}, but another input has {sizes[name]}")
    if contract.dimensions and sizes.get(batch_name(contract) or "", 1):  # no rows are answered with none
        check_sizes(contract.dimension_rules, sizes)
    return sizes


def check_cells(contract: ModelContract, name: str, array: NDArray[Any]) -> None:
    """Refuse infinite cells, and missing ones (NaN) where the contract says so, in the input of that name.

    An input without features is taken as it is.

    Raises:
        InputError: names the row (from 1) and the feature of the first such cell.
    """
    if not contract.features or (array.dtype.kind == "f" and all_finite(array)):
        return
    features = [feature for feature in contract.features if feature.input == name]
    if not features:
        return
    if array.dtype.kind != "f":
        _refuse_missing(features, array)
        return
    refused = np.isinf(array)
    for feature in features:
        if feature.missing == "refuse":
            refused[..., feature.index] |= np.isnan(array[..., feature.index])
    if refused.any():
        names = {feature.index: feature.name for feature in features}
        raise InputError.of_rows(_cell_fault(array, place, names) for place in _first_cells(refused))


def _first_cells(refused: NDArray[np.bool_]) -> Iterator[tuple[int, ...]]:
    """Yield the place of the first refused cell of each row that has one."""
    shape = refused.shape[1:]
    cells = refused.reshape(len(refused), -1)
    rows = np.flatnonzero(cells.any(axis=1))
    for row, cell in zip(rows.tolist(), cells[rows].argmax(axis=1).tolist(), strict=True):
        yield row, *(int(index) for index in np.unravel_index(cell, shape))


def _cell_fault(array: NDArray[Any], place: tuple[int, ...], names: Mapping[int, str]) -> RowFault:
    named = names.get(place[-1], f"column {place[-1]}")
    infinite = f"{named} is {array[place]}; this model takes finite numbers there"
    return place[0] + 1, missing_cell(named) if np.isnan(array[place]) else infinite, named


def _refuse_missing(features: Sequence[Feature], array: NDArray[Any]) -> None:
    """Refuse a missing text or timestamp where the contract says so; names the row (from 1) and the feature."""
    for feature in features:
        if feature.missing == "refuse" and (feature.is_text or feature.kind == "datetime"):
            missing = array[..., feature.index] == (MISSING_CATEGORY if feature.is_text else MISSING_TIMESTAMP)
            if missing.any():
                problem, name = missing_cell(feature.name), feature.name
                raise InputError.of_rows((place[0] + 1, problem, name) for place in _first_cells(missing))


def all_finite(array: NDArray[Any]) -> bool:
    """Whether a C-contiguous float array holds neither NaN nor infinity.

    Looking for a zero byte in the mask costs a third of ``.all()`` on a few rows; large arrays go in pieces, so
    that the mask stays in the cache.
    """
    if array.size <= _PIECE:
        return 0 not in np.isfinite(array).tobytes()
    flat = array.reshape(-1)
    return all(0 not in np.isfinite(flat[start : start + _PIECE]).tobytes() for start in range(0, flat.size, _PIECE))


def all_text(cells: list[Any]) -> bool:
    """Whether all cells are ``str``: nothing else joins, which is seen sooner than each cell's type."""
    try:
        for start in range(0, len(cells), _JOINED):
            "".join(cells[start : start + _JOINED])
    except TypeError:
        return False
    return True


def column_names(rows: Any) -> Sequence[Any] | None:
    """Return the names of a mapping's, a data frame's or a structured array's columns; None for anything else."""
    if isinstance(rows, Mapping):
        return list(rows)
    names = getattr(rows, "column_names", None)  # pyarrow
    if names is None:
        names = getattr(rows, "columns", None)  # pandas, polars
    if names is None:
        names = getattr(getattr(rows, "dtype", None), "names", None)  # a structured array
    return None if names is None else list(names)


def number_column(contract: ModelContract, spec: TensorSpec, name: str, column: Any) -> NDArray[Any]:
    """Return a column of numbers in the input's dtype, ``[rows]``, NaN where a cell is missing.

    Raises:
        InputError: a cell is no number, or one that the dtype cannot hold; names the row, from 1.
    """
    what = f"the column {name!r}"
    array = unspelled(as_array(what, column), column)
    if array.ndim != 1:
        raise InputError(f"{what} has the shape {list(array.shape)}; it takes one number a row")
    array = number_cells(contract, array, name) if spec.dtype.startswith("float") else array
    return array if array.dtype == spec.numpy_dtype else _converted(spec, array, what, [name])


def unspelled(array: NDArray[Any], value: Any) -> NDArray[Any]:
    """Return a list's array with its own objects: numpy makes text of the numbers that stand beside text."""
    return np.array(value, object) if array.dtype.kind == "U" and isinstance(value, list | tuple) else array


def number_cells(contract: ModelContract, array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return a column with NaN where a cell is missing.

    Raises:
        InputError: names the first cell of a column of objects that is neither a number nor missing.
    """
    if array.dtype.kind not in "OUT" and contract.missing_values is None:
        return array
    values = cell_values(contract.missing_values)
    if array.dtype.kind in "OUT":
        array = _numbers(values, array.tolist(), name)
    if values.missing_numbers and array.dtype.kind in "iuf":
        array = np.where(np.isin(array, values.missing_numbers), np.nan, array)
    return array


def _numbers(values: CellValues, cells: list[Any], name: str) -> NDArray[np.float64]:
    try:
        return np.array([_cell(values, cell) for cell in cells], np.float64)
    except ValueError:
        raise InputError.of_rows(_no_numbers(values, cells, name)) from None


def _no_numbers(values: CellValues, cells: list[Any], name: str) -> Iterator[RowFault]:
    for row, cell in enumerate(cells, 1):
        try:
            _cell(values, cell)
        except ValueError as error:
            yield row, f"{name} is {error}; it takes numbers", name


def _cell(values: CellValues, cell: Any) -> float:
    """Return a cell as a number; raises ValueError with what it is instead."""
    if is_nothing(cell):
        return float("nan")
    if isinstance(cell, str):
        if values.is_missing(cell, in_numbers=True):
            return float("nan")
        raise ValueError(f"{shown(cell)}, which is text")
    no_number = isinstance(cell, bool | np.bool_ | np.ndarray) or np.iscomplexobj(cell)
    if no_number or not hasattr(cell, "__float__"):
        raise ValueError(f"a {type(cell).__name__}")
    try:
        return float(cell)
    except OverflowError:  # an integer beyond float64
        return float("inf")


def column_of(rows: Any, name: str, found: Sequence[Any]) -> Any:
    """Return a column by its name, or the only one that has that name with white space around it.

    Args:
        rows: that have columns.
        name: of the column.
        found: the names of them all.

    Raises:
        InputError: it is not there, or twice.
    """
    if name not in found:
        spaced = [other for other in found if isinstance(other, str) and other.strip() == name]
        name = spaced[0] if len(spaced) == 1 else name
    if found.count(name) != 1:
        problem = "is there more than once" if name in found else "is missing"
        listed = ", ".join(map(str, found)) or "none"
        near = "" if name in found else nearest_column(name, list(map(str, found)))
        raise InputError(f"the column {name!r} {problem}; found {listed}{near}", column=name)
    try:
        return rows[name]
    except Exception as error:  # whatever a foreign object raises (a polars LazyFrame has no columns to take)
        raise InputError(f"the column {name!r} cannot be taken: {first_line(error)}") from error


def _names(contract: ModelContract, spec: TensorSpec, array: NDArray[Any]) -> list[str]:
    """Return the columns of a table's rows in their order; none for an input that is no table, or not of its width."""
    places = {feature.index: feature.name for feature in contract.features if feature.input == spec.name}
    if not places or array.ndim != 2 or array.shape[1] != spec.shape[-1]:
        return []
    return [places.get(place, f"column {place}") for place in range(array.shape[1])]


def _converted(spec: TensorSpec, array: NDArray[Any], what: str, names: Sequence[str]) -> NDArray[Any]:
    """Return an array in the input's dtype.

    Args:
        spec: of the input.
        array: of any dtype: the input, or one of its columns.
        what: it is called in an error.
        names: of its columns, which an error names with the row; empty where it is no table.

    Raises:
        InputError: it holds something else than numbers, or a number that the dtype cannot hold.
    """
    wanted = spec.numpy_dtype
    if array.size == 0 and array.dtype.kind != "c":
        return array.astype(wanted)
    if array.dtype.kind not in "biuf" or (wanted.kind == "b") != (array.dtype.kind == "b"):
        raise InputError(f"{what} holds {array.dtype}; it takes {spec.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(wanted)
    if wanted.kind in "iu":
        _refuse_unheld(array, converted != array, names, f"a number that {spec.dtype} cannot hold", what)
    if wanted.kind == "f" and np.isinf(converted).any():
        infinite = np.isinf(converted) & ~np.isinf(array)
        _refuse_unheld(array, infinite, names, f"a finite number that is infinite in {spec.dtype}", what)
    return converted


def _refuse_unheld(
    array: NDArray[Any], refused: NDArray[np.bool_], names: Sequence[str], problem: str, what: str
) -> None:
    """Refuse the first number that a dtype cannot hold; by its row, from 1, and its column where it is in a table."""
    if not refused.any():
        return
    if not names:
        place = tuple(int(index) for index in np.argwhere(refused)[0])
        raise InputError(f"{what} holds {array[place]} at {list(place)}, {problem}")
    raise InputError.of_rows(
        (place[0] + 1, f"{name} is {array[place]}, {problem}", name)
        for place in _first_cells(refused)
        for name in [names[place[1] if len(place) > 1 else 0]]
    )
