"""Rows that somebody typed: their cells, as text."""

from collections.abc import Sequence
from itertools import compress
from typing import Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.tables.cell_values import CellValues
from parity_runtime.tables.chunk import Chunk, Refusal, Refused, shown


class TypedRows(Chunk):
    """Rows of cells in memory.

    Args:
        where: what they were given as, for errors.
        columns: the names of the columns.
        cells: text, ``[rows][columns]``.
        values: how they are to be understood.
    """

    def __init__(self, where: str, columns: list[str], cells: list[list[str]], values: CellValues) -> None:
        self.where, self.columns, self.cells, self.values = where, columns, cells, values
        self.first_row = 1

    def __len__(self) -> int:
        return len(self.cells)

    def column(self, name: str) -> list[str]:
        """Return one column's cells."""
        index = self.index(name)
        return [row[index] for row in self.cells]

    def _read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        matrix, refused = np.full((len(self), len(names)), np.nan), Refused()
        for place, name in enumerate(names):
            read_numbers(self, name, matrix[:, place], refused)
        return matrix, refused

    def _keep(self, rows: NDArray[np.bool_]) -> Self:
        return type(self)(self.where, self.columns, list(compress(self.cells, rows)), self.values)


def read_numbers(chunk: Chunk, name: str, numbers: NDArray[np.float64], refused: Refused) -> None:
    """Read a column of text into ``numbers``, float64 ``[rows]``; add the rows that hold no number to ``refused``."""
    for row, cell in enumerate(chunk.column(name)):
        try:
            numbers[row] = chunk.values.number(cell)
        except ValueError:
            refused.setdefault(row, Refusal(f"{name} is {shown(cell)}, not a number", name))
