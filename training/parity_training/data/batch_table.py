"""A table whose rows come in batches and can be read once: those held out are kept as they stand."""

import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.table_file import TableFile
from parity_training.data.data_frame import with_plain_texts

NAME = "the batches"


@dataclass
class _KeptRows:
    """Rows in an Arrow stream of a file without a name."""

    wanted: Callable[[NDArray[np.int64]], NDArray[np.bool_]] = lambda places: np.ones(len(places), np.bool_)
    places: list[NDArray[np.int64]] = field(default_factory=list)
    file: Any = None
    stream: Any = None

    def add(self, batch: Any, first: int) -> None:
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        places = np.arange(first, first + batch.num_rows)
        mask = self.wanted(places)
        if self.stream is None:
            self.file = tempfile.TemporaryFile()  # noqa: SIM115 -- see the next line
            weakref.finalize(self, self.file.close)
            self.stream = pyarrow.ipc.new_stream(self.file, batch.schema)
        if mask.any():
            self.stream.write_batch(batch.filter(pyarrow.array(mask)))
            self.places.append(places[mask])

    def chunks(self) -> Iterator[Chunk]:
        import pyarrow  # noqa: PLC0415

        if self.stream is None:
            return
        self.stream.close()
        self.file.seek(0)
        with pyarrow.ipc.open_stream(self.file) as stream:
            for batch, places in zip(stream, self.places, strict=True):
                chunk = ArrowChunk(NAME, batch, int(places[0]))
                chunk.row_numbers = places
                yield chunk


@dataclass(frozen=True)
class BatchTable(TableFile):
    """Rows that come in batches.

    Attributes:
        batches: ``pyarrow.Table`` or ``pyarrow.RecordBatch``, read once.
    """

    batches: Iterator[Any] = field(default_factory=lambda: iter(()))
    _kept: _KeptRows = field(default_factory=_KeptRows, repr=False)

    @classmethod
    def of(cls, batches: Iterable[Any]) -> "BatchTable":
        """Return the table of some batches."""
        return cls(NAME, "arrow", batches=iter(batches))

    def keep_rows(self, wanted: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> None:
        """Say which rows are kept as they stand when they are read, by their numbers from 1; else all are."""
        self._kept.wanted = wanted

    def _chunks(self, size: int | None) -> Iterator[Chunk]:
        """Give all rows; when they have been read, those that were kept."""
        if self._kept.stream is not None:
            yield from self._kept.chunks()
            return
        first, schema = 1, None
        for table in self.batches:
            found = _with_schema(with_plain_texts(table), schema)
            schema = found.schema
            for batch in found.to_batches(size):
                self._kept.add(batch, first)
                yield ArrowChunk(self.name, batch, first)
                first += batch.num_rows
        if schema is None:
            raise InputError(f"{NAME} hold no rows to train on")


def _with_schema(table: Any, schema: Any) -> Any:
    """Return a table with the columns and the types of the first one."""
    import pyarrow  # noqa: PLC0415

    if isinstance(table, pyarrow.RecordBatch):
        table = pyarrow.Table.from_batches([table])
    if schema is None or table.schema.equals(schema):
        return table
    try:
        return table.select(schema.names).cast(schema)
    except (pyarrow.ArrowException, KeyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{NAME} do not have the same columns: {reason}") from error
