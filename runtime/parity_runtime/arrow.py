"""Parquet and Arrow files in chunks, with the interface of a text table; needs the [tables] extra."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError, MissingExtraError

SUFFIXES = (".parquet", ".arrow", ".feather")


class ArrowChunk:
    """Some rows of an Arrow table.

    Attributes:
        where: the file's name, for errors.
        columns: the names of the columns.
        first_row: the number of the first of these rows in the file, from 1.
    """

    def __init__(self, where: str, batch: Any, first_row: int) -> None:
        self.where, self.columns, self.first_row = where, list(batch.schema.names), first_row
        self._batch = batch
        if len(set(self.columns)) < len(self.columns):
            doubled = next(name for name in self.columns if self.columns.count(name) > 1)
            raise InputError(f"{where} has the column {doubled!r} twice")

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def place(self, row: int) -> str:
        """Return where one of these rows stands: the file and the row in it."""
        return f"{self.where}, row {self.first_row + row}"

    def column(self, name: str) -> list[str]:
        """Return one column as text; a missing cell is empty.

        Raises:
            InputError: there is no such column.
        """
        return ["" if cell is None else str(cell) for cell in self._array(name).to_pylist()]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return one column as float64 ``[rows]``; a missing cell is NaN.

        Raises:
            InputError: there is no such column, or it does not hold numbers.
        """
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        array = self._array(name)
        try:
            numbers = array.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
            raise InputError(f"{self.place(0)}: {name} holds {array.type}, not numbers") from error
        return np.asarray(numbers, np.float64)

    def _array(self, name: str) -> Any:
        if name not in self.columns:
            raise InputError(f"{self.where} has no column {name!r}; it has {', '.join(self.columns)}")
        return self._batch.column(self.columns.index(name))


def arrow_chunks(name: str, size: int) -> Iterator[ArrowChunk]:
    """Read a Parquet, Arrow IPC or Feather file, at most ``size`` rows at a time; an empty one is given once.

    Raises:
        MissingExtraError: pyarrow is not installed.
        InputError: there is no such file, or it is not of that format.
    """
    try:
        import pyarrow  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f'{name} needs pyarrow, which is not installed; from a checkout of Parity: pip install ".[tables]"'
        ) from error
    first = 1
    try:
        for batch in _batches(name, size):
            yield ArrowChunk(name, batch, first)
            first += batch.num_rows
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{name} is no {Path(name).suffix} file: {str(error).partition(chr(10))[0]}") from error
    except OSError as error:
        raise InputError(f"cannot read the table {name}: {error.strerror or error}") from error


def _batches(name: str, size: int) -> Iterator[Any]:
    import pyarrow  # noqa: PLC0415
    from pyarrow import ipc, parquet  # noqa: PLC0415

    if name.endswith(".parquet"):
        with parquet.ParquetFile(name) as file:
            yield from file.iter_batches(size)
            if not file.metadata.num_rows:
                yield pyarrow.RecordBatch.from_pylist([], schema=file.schema_arrow)
        return
    with pyarrow.memory_map(name) as source, ipc.open_file(source) as reader:
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            for start in range(0, max(batch.num_rows, 1), size):
                yield batch.slice(start, size)
        if not reader.num_record_batches:
            yield pyarrow.RecordBatch.from_pylist([], schema=reader.schema)
