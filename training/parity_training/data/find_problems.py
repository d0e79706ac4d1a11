"""Which columns cannot be read as their kind, told by a table's first rows: all of them in one pass."""

from collections.abc import Iterable, Iterator, Sequence

from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_training.data.choose_columns import ChosenColumns
from parity_training.data.column_problem import ColumnProblemError
from parity_training.data.non_numeric_column import OddColumn
from parity_training.data.read_cells import CellReader


def find_problems(
    chosen: ChosenColumns, names: Sequence[str], head: Iterable[Chunk], rest: Iterator[Chunk]
) -> list[ColumnProblemError]:
    """Return what keeps columns from being read.

    Args:
        chosen: the columns and their kinds.
        names: those that are doubtful.
        head: the table's first rows.
        rest: the others, which are only read where there is one column to speak of.
    """
    doubts = [_Doubt(chosen, name) for name in names]
    for chunk in head:
        split = _split(chunk) if len(doubts) > 1 else chunk
        for doubt in doubts:
            doubt.add(split)
    if len(doubts) == 1 and doubts[0].problem is not None:
        for chunk in rest:
            doubts[0].add(chunk)
    return [found for doubt in doubts if (found := doubt.error()) is not None]


def _split(chunk: Chunk) -> Chunk:
    """Return rows of CSV split into cells: to read each column for itself takes the whole rows each time else."""
    if not isinstance(chunk, CsvChunk) or chunk.quoted:
        return chunk
    split = CsvChunk(chunk.header, chunk.records, chunk.first_row, chunk.cells)
    split.values, split.row_numbers = chunk.values, chunk.row_numbers
    return split


class _Doubt:
    def __init__(self, chosen: ChosenColumns, name: str) -> None:
        self.name, self.is_numeric = name, chosen.kinds[name].kind == "numeric"
        self.cells = CellReader(chosen.only(name))
        self.problem: ColumnProblemError | None = None
        self.odd: OddColumn | None = None

    def add(self, chunk: Chunk) -> None:
        if self.problem is None:
            self._read(chunk)
        elif self.odd is not None:
            self.odd.add(chunk)

    def _read(self, chunk: Chunk) -> None:
        try:
            self.cells.read(chunk, None)
        except ColumnProblemError as problem:
            self.problem = problem
            if self.is_numeric:
                self.odd = OddColumn(self.name, self.cells.known[self.name])
                self.odd.add(chunk)

    def error(self) -> ColumnProblemError | None:
        return (self.odd.error({*self.cells.words}) if self.odd is not None else None) or self.problem
