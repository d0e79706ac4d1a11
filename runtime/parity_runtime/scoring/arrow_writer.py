"""Answers as Parquet or Arrow, from either; needs the [tables] extra."""

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError
from parity_runtime.scoring.prediction_columns import PredictionColumn
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.writer import Layout, Writer
from parity_runtime.tables.arrow_arrays import arrow_array, arrow_texts
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.chunk import Chunk

_GROUP_ROWS = 2**19  # of a row group: many small ones make a Parquet file large and slow


class ArrowWriter(Writer[Any]):
    """Writes record batches; a Parquet file's row groups hold half a million rows."""

    def __init__(self, file: BinaryIO, layout: Layout, head: Chunk, *, parquet: bool) -> None:
        super().__init__(file, layout)
        if not isinstance(head, ArrowChunk):
            raise InputError("predictions are Parquet or Arrow only if the table is; name the predictions .csv")
        self._parquet = parquet
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._rows = 0

    def encode(self, scored: Scored) -> Any:
        """Return the rows as a ``pyarrow.RecordBatch``."""
        chunk: Any = scored.chunk  # an `ArrowChunk`, as all chunks of a table
        batch = chunk.batch.select(self.layout.table)
        batch = batch if self._parquet else _decoded(batch)
        return with_predictions(batch, self.layout.chosen(scored.predictions), scored.unpredicted)

    def write(self, piece: Any) -> None:
        """Write encoded rows, a group at a time."""
        if self._writer is None:
            self._writer = self._opened(piece.schema)
        self._waiting.append(piece)
        self._rows += piece.num_rows
        if self._rows >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write the rows that wait, and the file's end."""
        self._flush()
        self._writer.close()

    def _opened(self, schema: Any) -> Any:
        from pyarrow import ipc, parquet  # noqa: PLC0415 -- of the [tables] extra

        return parquet.ParquetWriter(self.file, schema) if self._parquet else ipc.new_file(self.file, schema)

    def _flush(self) -> None:
        import pyarrow  # noqa: PLC0415

        if self._waiting:
            self._writer.write_table(pyarrow.Table.from_batches(self._waiting))
        self._waiting, self._rows = [], 0


def _decoded(batch: Any) -> Any:
    """Return a batch without dictionaries: an Arrow file holds one for each column, and batches may have others."""
    import pyarrow  # noqa: PLC0415

    for index, field in enumerate(batch.schema):
        if pyarrow.types.is_dictionary(field.type):
            batch = batch.set_column(index, field.name, batch.column(index).cast(field.type.value_type))
    return batch


def with_predictions(batch: Any, predictions: Sequence[PredictionColumn], unpredicted: NDArray[np.bool_]) -> Any:
    """Return a ``pyarrow.RecordBatch`` with the answers as columns, null where a row has none."""
    for answer in predictions:
        batch = batch.append_column(answer.name, _column(answer, unpredicted))
    return batch


def _column(answer: PredictionColumn, unpredicted: NDArray[np.bool_]) -> Any:
    import pyarrow  # noqa: PLC0415

    values = arrow_array(answer.values, unpredicted)
    if not answer.classes:
        return values
    if all(isinstance(label, str) for label in answer.classes):
        classes = arrow_texts([str(label).encode() for label in answer.classes], pyarrow.string())
    else:
        classes = arrow_array(np.array(answer.classes, np.int64))
    return classes.take(values)
