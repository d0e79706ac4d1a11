"""A table whose rows come in batches and can be read once: those held out are kept as they stand."""

import heapq
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.table_file import TableFile
from parity_training.data.data_frame import with_plain_texts

NAME = "the stream of batches"

Wanted = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""Says which rows are kept, by their numbers from 1."""


@dataclass(frozen=True)
class KeptRows(TableFile):
    """Rows of batches that are kept as they stand, in Arrow streams of files without a name."""

    wanted: Wanted = lambda places: np.ones(len(places), np.bool_)
    folder: Path | None = None
    _streams: list["_Stream"] = field(default_factory=list, repr=False)

    def add(self, batch: Any, first: int) -> None:
        """Keep those of the rows that are wanted; the first has this number.

        Raises:
            InputError: the disk is full.
        """
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        places = np.arange(first, first + batch.num_rows)
        mask = self.wanted(places)
        if not mask.any():
            return
        try:
            stream = next((one for one in self._streams if one.schema.equals(batch.schema)), None)
            if stream is None:
                self._streams.append(stream := _Stream(batch.schema, self.folder))
            stream.add(batch.filter(pyarrow.array(mask)), places[mask])
        except OSError as error:
            where = self.folder or tempfile.gettempdir()
            raise InputError(
                f"held-out rows cannot be kept in {where} ({error.strerror or error}); set TMPDIR to a folder with room"
            ) from error

    def _chunks(self, size: int | None) -> Iterator[Chunk]:  # noqa: ARG002 -- they are as small as they were read
        return heapq.merge(*(stream.chunks() for stream in self._streams), key=lambda chunk: chunk.first_row)


class _Stream:
    """Rows of one schema."""

    def __init__(self, schema: Any, folder: Path | None) -> None:
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        self.schema = schema
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 -- see the next line
        weakref.finalize(self, self._file.close)
        self._writer = pyarrow.ipc.new_stream(self._file, schema)
        self._places: list[NDArray[np.int64]] = []

    def add(self, batch: Any, places: NDArray[np.int64]) -> None:
        self._writer.write_batch(batch)
        self._places.append(places)

    def chunks(self) -> Iterator[Chunk]:
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        self._writer.close()
        self._file.seek(0)
        with pyarrow.ipc.open_stream(self._file) as stream:
            for batch, places in zip(stream, self._places, strict=True):
                chunk = ArrowChunk(NAME, batch, int(places[0]))
                chunk.row_numbers = places
                yield chunk


@dataclass
class _Batches:
    """Batches that have been read or not."""

    left: Iterator[Any]
    is_begun: bool = False


@dataclass(frozen=True)
class BatchTable(TableFile):
    """Rows that come in batches, ``pyarrow.Table`` or ``pyarrow.RecordBatch``.

    Attributes:
        kept: those rows that are kept as they stand when they are read.
    """

    kept: KeptRows = field(default_factory=lambda: KeptRows(NAME, "arrow"))
    _batches: _Batches = field(default_factory=lambda: _Batches(iter(())), repr=False)

    @classmethod
    def of(cls, batches: Iterable[Any]) -> "BatchTable":
        """Return the table of some batches."""
        return cls(NAME, "arrow", _batches=_Batches(iter(batches)))

    def _chunks(self, size: int | None) -> Iterator[Chunk]:
        if self._batches.is_begun:
            raise InputError(f"{NAME} has been read, and can be read once; make it again with batches_from")
        self._batches.is_begun = True
        first, last = 1, None
        for last in self._batches.left:
            for batch in with_plain_texts(_as_table(last)).to_batches(size):
                self.kept.add(batch, first)
                yield ArrowChunk(self.name, batch, first)
                first += batch.num_rows
        if first == 1:
            yield _no_rows(last)


def _as_table(batch: Any) -> Any:
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    return pyarrow.Table.from_batches([batch]) if isinstance(batch, pyarrow.RecordBatch) else batch


def _no_rows(batch: Any) -> Chunk:
    """Return the chunk of a batch without rows, for its columns."""
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    if batch is None:
        raise InputError(f"{NAME} holds no batches")
    return ArrowChunk(NAME, pyarrow.RecordBatch.from_pylist([], schema=_as_table(batch).schema), 1)
