"""Answers as a structured array in an .npy file: one field for each column."""

from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.scoring.prediction_columns import PredictionColumn
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.writer import Layout, Writer
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.npy_file import ArrayChunk


class NpyWriter(Writer[NDArray[Any]]):
    """Writes rows behind a header, whose number of rows is filled in at the end.

    numpy leaves room in a header for that number to grow.
    """

    def __init__(self, file: BinaryIO, layout: Layout, head: Chunk) -> None:
        super().__init__(file, layout)
        if not isinstance(head, ArrayChunk) or not file.seekable():
            raise InputError("predictions are .npy only if the table is, and only in a file; name the predictions .csv")
        self._dtype: np.dtype[Any] | None = None
        self._rows = 0

    def encode(self, scored: Scored) -> NDArray[Any]:
        """Return the rows as a structured array."""
        if scored.unpredicted.any():
            raise InputError(f"an array has no empty cells; use {argument('errors', 'skip')}, or write .csv")
        chunk: Any = scored.chunk  # an `ArrayChunk`, as all chunks of a table
        predictions = self.layout.chosen(scored.predictions)
        columns = {name: chunk.array[name] for name in self.layout.table}
        columns |= {answer.name: _values(answer) for answer in predictions}
        dtype = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
        rows = np.empty(len(chunk), dtype)
        for name, column in columns.items():
            rows[name] = column
        return rows

    def write(self, piece: NDArray[Any]) -> None:
        """Write encoded rows."""
        if self._dtype is None:
            self._dtype = piece.dtype
            self._header()
        self._rows += len(piece)
        self.file.write(piece.tobytes())

    def close(self) -> None:
        """Write the number of rows."""
        self.file.seek(0)
        self._header()

    def _header(self) -> None:
        descr = npy.dtype_to_descr(self._dtype or np.dtype([]))
        facts = {"descr": descr, "fortran_order": False, "shape": (self._rows,)}
        try:
            npy.write_array_header_2_0(self.file, facts)
        except UnicodeEncodeError as error:
            raise InputError("an .npy file has no place for names beyond Latin-1; write .csv") from error


def _values(answer: PredictionColumn) -> NDArray[Any]:
    return np.asarray(answer.classes)[answer.values] if answer.classes else answer.values
