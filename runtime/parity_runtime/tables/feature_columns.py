"""The columns that a model takes, out of a table: the arrays of its graph's inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.feature import MISSING_CATEGORY, MISSING_TIMESTAMP, Feature
from parity_runtime.tables.cell_values import missing_cell
from parity_runtime.tables.chunk import Chunk, Refusal, Refused, shown


def read_inputs(contract: ModelContract, chunk: Chunk) -> tuple[dict[str, NDArray[Any]], Refused]:
    """Return the arrays that the graph takes, and the rows that it cannot take.

    Returns:
        By the input's name ``[rows, columns]`` in the graph's order: numbers and truth values float64 (NaN where a cell
        is missing), text as objects of ``str`` (empty where missing), timestamps int64 seconds
        (`parity_runtime.feature.MISSING_TIMESTAMP`). A refused row holds zeros, empty text and missing timestamps.
        And what is wrong with those rows.

    Raises:
        InputError: a column is missing, or the model takes no rows of a table.
    """
    check_takes_rows(contract)
    texts_or_dates = [feature.name for feature in contract.columns if feature.kind not in ("numeric", "boolean")]
    refused = dict(chunk.unreadable(texts_or_dates)) if texts_or_dates else Refused()
    arrays: dict[str, NDArray[Any]] = {}
    for spec in contract.inputs:
        arrays[spec.name], odd = _read_input(contract.features_of(spec.name), chunk)
        refused = odd | refused
    blank_rows(arrays, refused)
    return arrays, refused


def blank_rows(arrays: dict[str, NDArray[Any]], refused: Refused) -> None:
    """Put zeros, empty text and missing timestamps where a row is refused: the graph runs it all the same."""
    for array in arrays.values() if refused else ():
        array[list(refused)] = _FILL[array.dtype.kind]


def chunk_inputs(contract: ModelContract, chunk: Chunk) -> dict[str, NDArray[Any]]:
    """Return the arrays that the graph takes, as `read_inputs` does, every cell acceptable to it.

    Raises:
        InputError: a column is missing, or a cell is refused (the row counts from 1, without the header).
    """
    arrays, refused = read_inputs(contract, chunk)
    chunk.refuse(refused)
    return arrays


def is_missing_cell(refusal: Refusal) -> bool:
    """Whether a row is refused for a missing cell that the model does not fill."""
    return refusal.column is not None and refusal.problem == missing_cell(refusal.column)


def check_takes_rows(contract: ModelContract) -> None:
    """Refuse a model of which some input is no columns of a table.

    Raises:
        InputError: names the inputs.
    """
    named = {feature.input for feature in contract.features}
    if not named or any(spec.name not in named for spec in contract.inputs):
        given = ", ".join(f"{spec.name!r}: ..." for spec in contract.inputs)
        raise InputError(
            f"{contract.name} takes {', '.join(map(str, contract.inputs))}, not rows of a table; give it arrays in "
            f"Python: Predictor(package).run({{{given}}})"
        )


_FILL: dict[str, Any] = {"f": 0.0, "O": MISSING_CATEGORY, "i": MISSING_TIMESTAMP}


def _read_input(features: list[Feature], chunk: Chunk) -> tuple[NDArray[Any], Refused]:
    """Return one input's array, and the rows that are refused; the first column's fault counts."""
    if features[0].is_text:
        texts = chunk.category_columns([(feature.name, feature.kind) for feature in features])
        return np.stack(texts, axis=1), _first_fault(list(map(_missing, features, texts)))
    if features[0].kind == "datetime":
        read = [chunk.timestamps(feature.name, feature.format) for feature in features]
        seconds = np.stack([column for column, _ in read], axis=1)
        missing = [_missing(feature, column) for feature, (column, _) in zip(features, read, strict=True)]
        return seconds, _first_fault([odd for _, odd in read] + missing)
    return _read_numbers(features, chunk)


def _missing(feature: Feature, cells: NDArray[Any]) -> Refused:
    """Return the rows of a column of text or timestamps that takes no missing cell."""
    if feature.missing == "impute":
        return {}
    nothing = MISSING_CATEGORY if feature.is_text else MISSING_TIMESTAMP
    return dict.fromkeys(np.flatnonzero(cells == nothing).tolist(), Refusal(missing_cell(feature.name), feature.name))


def _read_numbers(features: list[Feature], chunk: Chunk) -> tuple[NDArray[np.float64], Refused]:
    numbers = [place for place, feature in enumerate(features) if feature.kind != "boolean"]
    names = [features[place].name for place in numbers]
    matrix, refused = chunk.read(names) if names else (np.empty((len(chunk), 0)), Refused())
    if len(numbers) < len(features):
        values, faults = np.empty((len(chunk), len(features))), [refused]
        values[:, numbers] = matrix
        for place, feature in enumerate(features):
            if feature.kind == "boolean":
                values[:, place], odd = chunk.booleans(feature.name)
                faults.append(odd)
        matrix, refused = values, _first_fault(faults)
        refused = chunk.unreadable([feature.name for feature in features]) | refused
    for row, column in _unacceptable(features, matrix).items():
        if row not in refused:
            name = features[column].name
            beyond = f"{name} is {shown(chunk.cell(row, name))}; this model takes numbers that float32 holds"
            refused[row] = Refusal(missing_cell(name) if np.isnan(matrix[row, column]) else beyond, name)
    return matrix, refused


def read_cells(feature: Feature, chunk: Chunk) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return one column's cells, each for itself, whatever else is wrong with its row.

    Returns:
        ``[rows]`` as in `read_inputs`, but that a missing cell is there also where the model has no answer to it; and
        which cells could be read.

    Raises:
        InputError: there is no such column.
    """
    cells: NDArray[Any]
    if feature.is_text:
        cells, odd = chunk.categories(feature.name, feature.kind), Refused()
    elif feature.kind == "datetime":
        cells, odd = chunk.timestamps(feature.name, feature.format)
    elif feature.kind == "boolean":
        cells, odd = chunk.booleans(feature.name)
    else:
        matrix, odd = chunk.read([feature.name])
        cells = matrix[:, 0]
    readable = np.ones(len(chunk), np.bool_)
    readable[list(odd | chunk.unreadable([feature.name]))] = False
    return cells, readable


def _first_fault(faults: list[Refused]) -> Refused:
    found = Refused()
    for odd in reversed(faults):
        found |= odd
    return found


def _unacceptable(features: list[Feature], matrix: NDArray[np.float64]) -> dict[int, int]:
    """Return the first column of each row that holds what the model does not take."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = matrix.astype(np.float32)
        if np.isfinite(narrow).all():  # as nearly always, and in a fraction of the time
            return {}
        refused = np.isinf(narrow)
    for column, feature in enumerate(features):
        if feature.missing == "refuse":
            refused[:, column] |= np.isnan(matrix[:, column])
    rows, columns = np.nonzero(refused)
    return {int(row): int(column) for row, column in zip(rows[::-1], columns[::-1], strict=True)}
