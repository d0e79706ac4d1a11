"""Answers as CSV, from any table; the cells of a CSV table keep their own bytes."""

from collections.abc import Sequence
from typing import BinaryIO, TypeGuard

import numpy as np

from parity_runtime.scoring.formula_injection import neutralize_formulas
from parity_runtime.scoring.prediction_columns import PredictionColumn
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.writer import Layout, Text, Writer
from parity_runtime.tables.arrow_lines import Choices, Column, Floats, arrow_lines, worth_joining
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_runtime.tables.csv_file import csv_line
from parity_runtime.tables.float_text import Cells, interleaved, joined


class CsvWriter(Writer[list[Text]]):
    """Writes CSV, with the delimiter, the decimal sign and the line ends of a CSV table.

    Args:
        file: where to.
        layout: which columns.
        head: rows of the table.
        spreadsheet_safe: write an apostrophe before what a spreadsheet would run.
    """

    def __init__(self, file: BinaryIO, layout: Layout, head: Chunk, *, spreadsheet_safe: bool = False) -> None:
        super().__init__(file, layout)
        self._safe = spreadsheet_safe
        self._delimiter, self._decimal, self._newline = ",", ".", b"\n"
        if isinstance(head, CsvChunk):
            self._delimiter, self._newline = head.header.delimiter, head.header.newline
            self._decimal = head.values.decimal
        table = head.header.line if self._keeps(head) else self._line(layout.table)
        names = [names for names in (table, self._line(layout.predictions)) if names]
        self._header = self._delimiter.encode().join(names) + self._newline

    def begin(self) -> None:
        """Write the names of the columns."""
        self.file.write(self._header)

    def encode(self, scored: Scored) -> list[Text]:
        """Return the rows' lines."""
        chunk = scored.chunk
        if not len(chunk):
            return []
        columns = [self._column(answer) for answer in self.layout.chosen(scored.predictions)]
        if self._keeps(chunk) and not scored.unpredicted.any() and self._is_joined(chunk, columns):
            # The newline behind a row is the one that stands before the next row in the block.
            return [arrow_lines(chunk.block, chunk.ends, columns, self._delimiter.encode()), b"\n"]
        return [interleaved(self._records(scored), self._endings(scored, columns))]

    def _is_joined(self, chunk: CsvChunk, columns: list[Column]) -> bool:
        """Whether pyarrow puts the lines together, which end as the block's, and writes no decimal commas."""
        plain = self._newline == b"\n" and self._decimal == "."
        return plain and worth_joining(chunk.block, len(chunk), columns)

    def write(self, piece: list[Text]) -> None:
        """Write encoded rows."""
        self.file.writelines(piece)

    def _endings(self, scored: Scored, columns: list[Column]) -> list[bytes]:
        between = self._delimiter.encode()
        before = [between] * len(columns)
        if columns and not self.layout.table:
            before[0] = b""
        parts = [part for cut, column in zip(before, columns, strict=True) for part in (cut, self._cells(column))]
        endings = joined([*parts, self._newline], len(scored.chunk))
        for row in np.flatnonzero(scored.unpredicted):
            endings[row] = (b"".join(before) if len(before) + len(self.layout.table) > 1 else b'""') + self._newline
        return endings

    def _records(self, scored: Scored) -> list[bytes]:
        chunk = scored.chunk
        if self._keeps(chunk):
            return chunk.completed() if scored.unpredicted.any() else chunk.records
        if not self.layout.table:
            return [b""] * len(chunk)
        return [self._line(row) for row in chunk.texts(self.layout.table)]

    def _keeps(self, chunk: Chunk) -> TypeGuard[CsvChunk]:
        """Whether the rows are written as they stand in the file."""
        return isinstance(chunk, CsvChunk) and self.layout.table == chunk.columns and not self._safe

    def _column(self, answer: PredictionColumn) -> Column:
        if answer.values.dtype == np.float32:
            return Floats(answer.values)
        texts = [self._line([str(label)]) for label in answer.classes or ("false", "true")]
        return Choices(answer.values.astype(np.intp), texts)

    def _cells(self, column: Column) -> Cells:
        cells = column.cells()
        if self._decimal == "." or isinstance(column, Choices):
            return cells
        cells = np.where(cells == ord("."), np.uint8(ord(self._decimal)), cells)
        if self._decimal != self._delimiter:
            return cells
        # A comma that delimits cells as well: the number is quoted, as the table's own are.
        quote = np.full((len(cells), 1), ord('"'), np.uint8)
        return np.concatenate([quote, cells, quote], axis=1)

    def _line(self, cells: Sequence[str]) -> bytes:
        return csv_line([neutralize_formulas(cell) for cell in cells] if self._safe else cells, self._delimiter)
