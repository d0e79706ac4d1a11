"""A column of CSV in which some cell is no number: what it holds, over all of its rows."""

from collections import Counter
from collections.abc import Iterable

from parity_runtime.arguments import argument
from parity_runtime.tables.cell_patterns import Options, spelling
from parity_runtime.tables.cell_values import PLAIN, CellValues
from parity_runtime.tables.chunk import Chunk, shown
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_training.data.column_problem import ColumnProblemError

_SHOWN = 5


def odd_column(chunks: Iterable[Chunk], name: str, before: int, words: Counter[str]) -> ColumnProblemError | None:
    """Return the error that a feature is, some cells of which are no numbers; None where most are text.

    Args:
        chunks: from the first such cell on.
        name: the column.
        before: how many numbers stood before.
        words: the words for a missing cell that were met in features.
    """
    column = _OddColumn(name, before)
    for chunk in chunks:
        if not isinstance(chunk, CsvChunk):
            return None
        column.add(chunk)
    return column.error({*words} | column.words)


class _OddColumn:
    def __init__(self, name: str, numbers: int) -> None:
        self.name, self.numbers = name, numbers
        self.odd: Counter[str] = Counter()
        self.first: dict[str, tuple[str, int]] = {}
        self.words: set[str] = set()
        self.has_decimals = False
        self.values: CellValues = PLAIN

    def add(self, chunk: CsvChunk) -> None:
        """Take the cells of a chunk, and the words for a missing cell in any of its columns."""
        self.values = chunk.values
        self.words |= {cell.strip() for cells in chunk.cells for cell in cells} & chunk.values.tokens
        for row, cell in enumerate(chunk.column(self.name)):
            try:
                chunk.values.number(cell)
            except ValueError:
                self.odd[cell] += 1
                if cell not in self.first:
                    self.first[cell] = (chunk.where, chunk.row_number(row))
            else:
                if not chunk.values.is_missing(cell, in_numbers=True):
                    self.has_decimals |= chunk.values.decimal in cell
                    self.numbers += 1

    def error(self, words: set[str]) -> ColumnProblemError | None:
        found = spelling(self.odd.elements(), self.values, has_decimals=self.has_decimals)
        if found:
            reading = found.options or {"drop_columns": (self.name,)}
            return self._error(found.cells[0], f"{found.what}; {found.way_out}", reading)
        if self.odd.total() >= self.numbers:
            return None
        cell, *others = self.odd
        rest = self.odd.total() - self.odd[cell]
        more = f", and {rest} more cells are none ({', '.join(map(shown, others[:_SHOWN]))})" * bool(others)
        missing = tuple(sorted({*words, *self.odd}))
        few = len(self.odd) <= _SHOWN
        hint = f"give {argument('missing_values', missing)} if it is a missing cell, " if few else ""
        drop = argument("drop_columns", (self.name,))
        text = argument("categorical", (self.name,))
        what = f"no number among {self.numbers}{more}; correct it, {hint}take the column as text with {text}, "
        options: Options = {"missing_values": missing} if few else {"drop_columns": (self.name,)}
        return self._error(cell, f"{what}or leave it out with {drop}", options)

    def _error(self, cell: str, what: str, options: Options) -> ColumnProblemError:
        path, row = self.first[cell]
        return ColumnProblemError(
            f"{self.name} is {shown(cell)}, {what}", path=path, row=row, column=self.name, options=options
        )
