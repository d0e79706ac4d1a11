"""The columns that a model takes, out of a table."""

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.tables.cell_values import missing_cell
from parity_runtime.tables.chunk import Chunk, Refusal, Refused, shown


def read_features(contract: ModelContract, chunk: Chunk) -> tuple[NDArray[np.float64], Refused]:
    """Return the columns that the model takes, and the rows that it cannot answer.

    Returns:
        float64 ``[rows, features]`` in the graph's order, zeros in a row that is refused; and what is wrong with
        those rows.

    Raises:
        InputError: a column is missing, or the model takes no rows of a table.
    """
    if not contract.features:
        raise InputError(f"{contract.name} takes {', '.join(map(str, contract.inputs))}, not rows of a table")
    names = [feature.name for feature in contract.columns]
    matrix, refused = chunk.read(names)
    for row, column in _unacceptable(contract, matrix).items():
        if row not in refused:
            name = names[column]
            beyond = f"{name} is {shown(chunk.cell(row, name))}; this model takes numbers that float32 holds"
            refused[row] = Refusal(missing_cell(name) if np.isnan(matrix[row, column]) else beyond, name)
    matrix[list(refused)] = 0.0
    return matrix, refused


def table_features(contract: ModelContract, chunk: Chunk) -> NDArray[np.float64]:
    """Return the columns that the model takes, float64 ``[rows, features]``, every cell acceptable to it.

    Raises:
        InputError: a column is missing, or a cell is refused (the row counts from 1, without the header).
    """
    matrix, refused = read_features(contract, chunk)
    chunk.refuse(refused)
    return matrix


def _unacceptable(contract: ModelContract, matrix: NDArray[np.float64]) -> dict[int, int]:
    """Return the first column of each row that holds what the model does not take."""
    with np.errstate(over="ignore", invalid="ignore"):
        refused = np.isinf(matrix.astype(np.float32))
    for column, feature in enumerate(contract.columns):
        if feature.missing == "refuse":
            refused[:, column] |= np.isnan(matrix[:, column])
    rows, columns = np.nonzero(refused)
    return {int(row): int(column) for row, column in zip(rows[::-1], columns[::-1], strict=True)}
