"""Parquet and Arrow files; needs the [tables] extra."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError, MissingExtraError
from parity_runtime.tables.chunk import Chunk, Refused, refuse_doubled
from parity_runtime.tables.float_text import float32_text


class ArrowChunk(Chunk):
    """Some rows of an Arrow table.

    Args:
        where: the file's name.
        batch: a ``pyarrow.RecordBatch``.
        first_row: the number of the first in the file.
    """

    def __init__(self, where: str, batch: Any, first_row: int) -> None:
        self.where, self.batch, self.first_row = where, batch, first_row
        self.columns = list(batch.schema.names)
        refuse_doubled(where, self.columns)

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def column(self, name: str) -> list[str]:
        """Return one column as text; a missing cell is empty."""
        array = self.batch.column(self.index(name))
        spell = _float32 if str(array.type) == "float" else str
        return ["" if cell is None else spell(cell) for cell in array.to_pylist()]

    def read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        """Return columns as numbers; a column of another type is refused as a whole."""
        matrix = np.empty((len(self), len(names)))
        for place, name in enumerate(names):
            matrix[:, place] = self._numbers(name)
        return matrix, {}

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return these rows without the others."""
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        return type(self)(self.where, self.batch.filter(pyarrow.array(rows)), self.first_row)

    def _numbers(self, name: str) -> Any:
        import pyarrow  # noqa: PLC0415

        array = self.batch.column(self.index(name))
        kind = array.type.value_type if pyarrow.types.is_dictionary(array.type) else array.type
        numeric = (pyarrow.types.is_primitive, pyarrow.types.is_decimal, pyarrow.types.is_null)
        if not any(check(kind) for check in numeric):  # a cast would read text
            raise InputError(f"{self.where}: {name} holds {array.type}, not numbers")
        try:
            return array.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
            raise InputError(f"{self.where}: {name} holds {array.type}, not numbers") from error


def _float32(value: float) -> str:
    return float32_text(np.float32(value))


def arrow_chunks(name: str, size: int | None) -> Iterator[ArrowChunk]:
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
        for batch in _whole(name) if size is None else _batches(name, size):
            yield ArrowChunk(name, batch, first)
            first += batch.num_rows
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{name} is no {Path(name).suffix} file: {str(error).partition(chr(10))[0]}") from error
    except OSError as error:
        raise InputError(f"cannot read the table {name}: {error.strerror or error}") from error


def _whole(name: str) -> Iterator[Any]:
    import pyarrow  # noqa: PLC0415

    table = pyarrow.Table.from_batches(list(_batches(name, 2**20))).combine_chunks()
    yield table.to_batches()[0] if len(table) else pyarrow.RecordBatch.from_pylist([], schema=table.schema)


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
