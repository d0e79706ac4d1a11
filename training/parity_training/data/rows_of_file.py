"""Rows of a table as they stand in its file: read again, since their text would be larger than all that is learned."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.tables.cell_values import CellValues
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_runtime.tables.table_file import TableFile
from parity_training.data.batch_table import BatchTable, KeptRows
from parity_training.data.data_frame import FrameTable
from parity_training.data.native_kind import native_kind
from parity_training.data.table_in_parts import TableInParts

_CHUNK_ROWS = 4096
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")  # of JSON; no UTF-8 has them, and the readers take them so
_ROW_NAMES = ("row", "row_number", "input_row")

State = tuple[tuple[int, int], ...]
"""Size and time of each file's last change."""


@dataclass(frozen=True)
class RowsOfFile:
    """The rows of a table, and which of them were taken.

    Attributes:
        file: the table.
        numbers: of each row that was taken, its number in the file, from 1: int64 ``[rows]``; None where all were.
        numeric: the columns of numbers, which may be spelled otherwise than they are read: with a decimal comma, say.
        codes: the columns of integers that name something.
        state: of the file when it was read.
    """

    file: TableFile
    numbers: NDArray[np.int64] | None
    numeric: tuple[str, ...]
    codes: tuple[str, ...]
    state: State

    def read(self, rows: NDArray[np.int64]) -> Iterator[list[str]]:
        """Give the names of the columns, then the cells of some rows: first its number in the file, then as it stands.

        Numbers that an option reads are written as plain ones, so that the rows can be read without it.

        Args:
            rows: of those that were taken, from 0, ascending.

        Raises:
            InputError: the file has changed since.
        """
        if table_state(self.file) != self.state:
            raise InputError(f"{self.file.name} changed while it was trained on; give the command again")
        wanted, found = rows + 1 if self.numbers is None else self.numbers[rows], 0
        names: list[str] = []
        silent = replace(self.file, tell=lambda _: None)  # what was found out of the file has been told
        for chunk in silent.chunks(_CHUNK_ROWS):
            if not names:
                names = _columns(chunk)
                yield [row_name(chunk.columns), *names]
            mask = _wanted(row_numbers(chunk), wanted)
            if mask.any():
                yield from self._cells(chunk, mask, names)
            found += int(mask.sum())
        if found < len(wanted):
            raise InputError(f"{self.file.name} became shorter while it was read; give the command again")

    def _cells(self, chunk: Chunk, mask: NDArray[np.bool_], names: Sequence[str]) -> Iterator[list[str]]:
        kept = chunk.keep(mask)
        columns = [self._column(kept, name) for name in names]
        for number, *cells in zip(row_numbers(chunk)[mask].tolist(), *columns, strict=True):
            yield [str(number), *cells]

    def _column(self, chunk: Chunk, name: str) -> list[str]:
        if name not in chunk.columns:  # of a table in several files: a column that this one lacks, and no feature
            return [""] * len(chunk)
        if isinstance(chunk, CsvChunk) and is_spelled(chunk.values):
            if name in self.numeric:
                return _plain(chunk.numbers([name])[:, 0].tolist())
            if name in self.codes:
                codes: list[str] = chunk.categories(name, "code").tolist()
                return codes
        cells = [cell if cell.isascii() else _LONE_SURROGATES.sub("\ufffd", cell) for cell in chunk.column(name)]
        return ["" if cell == "nan" else cell for cell in cells] if native_kind(chunk, name) == "number" else cells


def row_numbers(chunk: Chunk) -> NDArray[np.int64]:
    """Return the number of each row of a chunk in its table, be it in several files, int64 ``[rows]``."""
    if chunk.row_numbers is not None:
        return chunk.row_numbers + chunk.rows_before
    first = chunk.first_row + chunk.rows_before
    return np.arange(first, first + len(chunk))


def _wanted(numbers: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of some ascending numbers are among others, ascending as well, bool ``[numbers]``."""
    first, last = np.searchsorted(wanted, [numbers[0], numbers[-1] + 1]) if len(numbers) else (0, 0)
    return np.isin(numbers, wanted[first:last], assume_unique=True)


def is_spelled(values: CellValues) -> bool:
    """Whether numbers are read in another spelling than the plain one."""
    return not values.is_plain or values.decimal != "."


def table_state(file: TableFile) -> State:
    """Return what tells whether a table has changed; Arrow's rows, which stand in memory, never do.

    Raises:
        InputError: a file cannot be read twice, or not at all.
    """
    parts = file.parts if isinstance(file, TableInParts) else (file,)
    return tuple(_file_state(part.name) for part in parts if not isinstance(part, FrameTable | BatchTable | KeptRows))


def _file_state(name: str) -> tuple[int, int]:
    """Return what tells whether a file has changed.

    Raises:
        InputError: it cannot be read twice, or not at all.
    """
    if name == "-":
        raise InputError("training reads a table twice; give a file, not stdin")
    try:
        found = os.stat(Path(name))  # noqa: PTH116 -- both figures of one moment
    except OSError as error:
        raise InputError(f"cannot read the table {name}: {error.strerror}") from error
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        raise InputError(f"training reads a table twice; {name} is a pipe, "
                         "save it as a file")  # fmt: skip
    return found.st_size, found.st_mtime_ns


def row_name(columns: Sequence[str]) -> str:
    """Return a name for the column of row numbers that no column has."""
    longer = (f"{'_' * more}row" for more in range(1, len(columns) + 2))
    return next(name for name in (*_ROW_NAMES, *longer) if name not in columns)


def _columns(chunk: Chunk) -> list[str]:
    """Return the columns that a table can hold: a spreadsheet's empty ones and lists are left out."""
    names = [name for place, name in enumerate(chunk.columns) if name or not place]
    first = chunk.keep(np.arange(len(chunk)) < 1)
    return [name for name in names if _is_text(first, name)]


def _is_text(chunk: Chunk, name: str) -> bool:
    try:
        chunk.column(name)
    except InputError:
        return False
    return True


def _plain(numbers: Sequence[float]) -> list[str]:
    return ["" if value != value else repr(value) for value in numbers]  # noqa: PLR0124 -- NaN
