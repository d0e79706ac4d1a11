"""Rows of CSV: their bytes as they stand in the file, read into cells or numbers where that is wanted."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import argument, either
from parity_runtime.feature import ColumnKind
from parity_runtime.tables.cell_values import plain_number
from parity_runtime.tables.chunk import Refusal, Refused, shown
from parity_runtime.tables.plain_numbers import Layout, plain_numbers, regular
from parity_runtime.tables.plain_texts import plain_texts
from parity_runtime.tables.text_chunk import TextChunk

if TYPE_CHECKING:
    from parity_runtime.tables.cell_patterns import Pattern


@dataclass(frozen=True)
class CsvHeader:
    r"""What stands before the rows.

    Attributes:
        where: the file's name.
        columns: the names.
        line: the header as it stands in the file, without its line end.
        delimiter: what separates cells, one character.
        newline: what ends the header's line: ``\n`` or ``\r\n``.
    """

    where: str
    columns: list[str]
    line: bytes
    delimiter: str = ","
    newline: bytes = b"\n"


class CsvChunk(TextChunk):
    """Some rows of a CSV file.

    Args:
        header: of the file.
        rows: as in `TextChunk`.
        first_row: the number of the first in the file.
        cells: the rows' cells where they are known; None where no cell is quoted, and they are read when needed.
    """

    def __init__(
        self, header: CsvHeader, rows: bytes | list[bytes], first_row: int = 1, cells: list[list[str]] | None = None
    ) -> None:
        super().__init__(rows)
        self.header, self.first_row = header, first_row
        self.where, self.columns = header.where, header.columns
        self.quoted = cells is not None
        if cells is not None:
            self.cells = cells

    @cached_property
    def cells(self) -> list[list[str]]:
        """The cells of each row."""
        return [record.decode().split(self.header.delimiter) for record in self.records]

    @cached_property
    def malformed(self) -> Refused:
        """The rows that have more or fewer cells than the header."""
        width = len(self.columns)
        if not self.quoted and len(self) and regular(self.block, width, self.header.delimiter):
            return {}
        return {
            row: Refusal(f"{len(cells)} cells, but the header names {width} columns")
            for row, cells in enumerate(self.cells)
            if len(cells) != width
        }

    @cached_property
    def missing_words(self) -> frozenset[str]:
        """The words for a missing cell that stand in any of the columns."""
        return self.values.tokens & {cell.strip() for cells in self.cells for cell in cells}

    def column(self, name: str) -> list[str]:
        """Return one column's cells."""
        index = self.index(name)
        self.refuse(self.malformed)
        return [cells[index] for cells in self.cells]

    def texts(self, names: Sequence[str]) -> list[Sequence[str]]:
        """Return the cells of each row; empty where a row has too few."""
        indices = [self.index(name) for name in names]
        width = len(self.columns)
        full = [cells if len(cells) >= width else [*cells, *[""] * (width - len(cells))] for cells in self.cells]
        return [[cells[index] for index in indices] for cells in full]

    def unreadable(self, names: Sequence[str]) -> Refused:  # noqa: ARG002 -- the whole row is none
        """Return the rows that have more or fewer cells than the header."""
        return self.malformed

    def category_columns(self, kinds: Sequence[tuple[str, ColumnKind]]) -> list[NDArray[np.object_]]:
        """Return columns as categories; all of them in one pass, where the rows are plain."""
        found = self._plain_texts([self.index(name) for name, _ in kinds])
        if found is None:
            return super().category_columns(kinds)
        from parity_runtime.tables.arrow_cells import arrow_categories  # noqa: PLC0415 -- where pyarrow is there

        return [arrow_categories(array, kind, self.values) for array, (_, kind) in zip(found, kinds, strict=True)]

    def _plain_texts(self, indices: list[int]) -> list[Any] | None:
        """Return columns as pyarrow's arrays of text; None where the rows have to be split."""
        if self.quoted or "cells" in self.__dict__ or self.malformed:
            return None
        layout = Layout(len(self.columns), self.header.delimiter, self.values)
        return plain_texts(self.block, len(self), indices, layout)

    def _cells(self, name: str) -> list[str]:
        index, malformed = self.index(name), self.malformed
        found = self._plain_texts([index])
        if found is not None:
            cells: list[str] = found[0].cast(found[0].type.value_type).to_pylist()
            return cells
        if not malformed:
            return [cells[index] for cells in self.cells]
        return ["" if row in malformed else cells[index] for row, cells in enumerate(self.cells)]

    def completed(self) -> list[bytes]:
        """Return the records, empty cells added to those that have too few."""
        records, between = list(self.records), self.header.delimiter.encode()
        for row in self.malformed:
            records[row] += between * (len(self.columns) - len(self.cells[row]))
        return records

    def cell(self, row: int, name: str) -> str:
        """Return one cell as text."""
        return self.cells[row][self.index(name)]

    def _read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        indices = [self.index(name) for name in names]
        if not self.quoted and len(self) and self.values.is_plain:
            layout = Layout(len(self.columns), self.header.delimiter, self.values)
            matrix = plain_numbers(self.block, len(self), indices, layout)
            if matrix is not None:
                return matrix, self._check(matrix, names, indices)
        return self._read_cells(names, indices)

    def _keep(self, rows: NDArray[np.bool_]) -> Self:
        kept = list(compress(self.records, rows))
        return type(self)(self.header, kept, self.first_row, list(compress(self.cells, rows)) if self.quoted else None)

    def _check(self, matrix: NDArray[np.float64], names: Sequence[str], indices: list[int]) -> Refused:
        """Return the rows with a NaN that is no missing cell: the fast readers spell it in more ways than we do."""
        unknown = np.isnan(matrix)
        if not unknown.any():
            return {}
        odd = np.zeros(len(self), np.bool_)
        for row in np.flatnonzero(unknown.any(axis=1)):
            cells = self.records[row].decode().split(self.header.delimiter)
            places = np.flatnonzero(unknown[row])
            odd[row] = not all(self.values.is_missing(cells[indices[place]], in_numbers=True) for place in places)
        if not odd.any():
            return {}
        rows = np.flatnonzero(odd)
        refused = self.keep(odd)._read_cells(names, indices)[1]
        return {int(rows[row]): reason for row, reason in refused.items()}

    def _read_cells(self, names: Sequence[str], indices: list[int]) -> tuple[NDArray[np.float64], Refused]:
        refused = dict(self.malformed)
        spelled: dict[str, tuple[dict[int, str], Pattern | None]] = {}
        matrix = np.full((len(self), len(names)), np.nan)
        cells = [[""] * len(self.columns) if row in refused else row_cells for row, row_cells in enumerate(self.cells)]
        for place, (name, index) in enumerate(zip(names, indices, strict=True)):
            column = [row_cells[index] for row_cells in cells]
            try:
                matrix[:, place] = np.fromiter(map(self.values.number, column), np.float64, len(column))
            except ValueError:
                spelled[name] = self._read_column(matrix[:, place], column)
        _refuse_spelled(spelled, refused)
        return matrix, refused

    def _read_column(self, out: NDArray[np.float64], column: list[str]) -> tuple[dict[int, str], "Pattern | None"]:
        """Write a column's numbers to ``out``; return the cells that are none, by row, and how those are spelled."""
        from parity_runtime.tables.cell_patterns import spelling  # noqa: PLC0415 -- few tables need it

        odd = {}
        for row, cell in enumerate(column):
            try:
                out[row] = self.values.number(cell)
            except ValueError:
                odd[row] = cell
        has_decimals = any(self.values.decimal in column[row] for row in np.flatnonzero(~np.isnan(out)))
        return odd, spelling(odd.values(), self.values, has_decimals=has_decimals)

    def hint(self, name: str) -> str:
        """Return whether another delimiter, or a missing header, may be why a name is no column."""
        for delimiter, spelled in ((",", "','"), (";", "';'"), ("\t", "tab"), ("|", "'|'")):
            if delimiter != self.header.delimiter and name in self.header.line.decode().split(delimiter):
                way_out = either(f"delimiter={delimiter!r}", f"--delimiter {spelled}")
                return f" (is it separated otherwise? {way_out})"
        if not _looks_like_data(self.columns):
            return ""
        return f" (is its header missing? name its columns with {argument('header')})"


def _refuse_spelled(spelled: Mapping[str, tuple[dict[int, str], "Pattern | None"]], refused: Refused) -> None:
    """Refuse the rows of cells that are no numbers; the way out reads all columns at once."""
    if not spelled:
        return
    from parity_runtime.tables.cell_patterns import reading_all  # noqa: PLC0415 -- few tables need it

    together = reading_all([found for _, found in spelled.values() if found is not None])
    for name, (odd, found) in spelled.items():
        for row, cell in odd.items():
            why = "not a number"
            if found and cell in found.cells:
                way_out = together if found.options and together else found.way_out
                why = f"{found.what}; {way_out}"
            refused.setdefault(row, Refusal(f"{name} is {shown(cell)}, {why}", name))


def _looks_like_data(columns: Sequence[str]) -> bool:
    """Whether the first line is rather a row than names: some cell has decimals, or half of them are numbers."""
    numbers = []
    for column in columns:
        with suppress(ValueError):
            numbers.append(plain_number(column))
    return 2 * len(numbers) >= len(columns) or any(number != number // 1 for number in numbers)
