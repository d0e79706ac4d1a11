"""Parquet and Arrow files; needs the [tables] extra."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError, MissingExtraError
from parity_runtime.feature import ColumnKind
from parity_runtime.files.open_file import open_regular
from parity_runtime.tables.arrow_arrays import arrow_array, float64_values
from parity_runtime.tables.arrow_cells import arrow_booleans, arrow_categories, arrow_timestamps
from parity_runtime.tables.category_cells import no_truth
from parity_runtime.tables.chunk import Chunk, Refusal, Refused, refuse_doubled, shown
from parity_runtime.tables.float_text import float32_text
from parity_runtime.tables.timestamp_cells import no_date


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
        """Return one column as text; a missing cell is empty.

        Raises:
            InputError: there is no such column, or its cells are no text: lists, say.
        """
        return self._texts(name, self.batch.column(self.index(name)))

    def cell(self, row: int, name: str) -> str:
        """Return one cell as text."""
        return self._texts(name, self.batch.column(self.index(name)).slice(row, 1))[0]

    def _texts(self, name: str, array: Any) -> list[str]:
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        spell = {"float": _float32, "double": repr}.get(str(array.type))
        try:
            cells = (array if spell else array.cast(pyarrow.string())).to_pylist()
        except (pyarrow.ArrowException, UnicodeDecodeError) as error:
            raise InputError(f"{self.where}: {name} holds {array.type}, which CSV has no cells for") from error
        return ["" if cell is None else spell(cell) if spell else cell for cell in cells]

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Return which cells are missing: null, NaN, and in a column of text the words for it."""
        try:
            return np.isnan(self.read([name])[0][:, 0])
        except InputError:  # no numbers
            return super().missing(name)

    def categories(self, name: str, kind: ColumnKind = "categorical") -> NDArray[np.object_]:
        """Return one column as categories; whatever it holds that has a text."""
        array = self.batch.column(self.index(name))
        try:
            return arrow_categories(array, kind, self.values)
        except TypeError as error:
            raise InputError(f"{self.where}: {name} holds {array.type}, not text", column=name) from error

    def timestamps(self, name: str, form: str | None = None) -> tuple[NDArray[np.int64], Refused]:
        """Return one column as seconds: of timestamps, of dates, or of text."""
        array = self.batch.column(self.index(name))
        try:
            seconds, odd = arrow_timestamps(array, form, self.values)
        except TypeError as error:
            raise InputError(f"{self.where}: {name} holds {array.type}, not dates", column=name) from error
        return seconds, {row: Refusal(no_date(name, shown(self.cell(row, name)), form), name) for row in odd}

    def booleans(self, name: str) -> tuple[NDArray[np.float64], Refused]:
        """Return one column as 1 and 0: of truth values, of numbers, or of text."""
        array = self.batch.column(self.index(name))
        try:
            numbers, odd = arrow_booleans(array, self.values)
        except TypeError as error:
            raise InputError(f"{self.where}: {name} holds {array.type}, not truth values", column=name) from error
        return numbers, {row: Refusal(no_truth(name, shown(self.cell(row, name))), name) for row in odd}

    def _read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        matrix = np.empty((len(self), len(names)))
        for place, name in enumerate(names):
            matrix[:, place] = self._numbers(name)
        return matrix, {}

    def _keep(self, rows: NDArray[np.bool_]) -> Self:
        return type(self)(self.where, self.batch.filter(arrow_array(rows)), self.first_row)

    def _numbers(self, name: str) -> Any:
        import pyarrow  # noqa: PLC0415

        array, types = self.batch.column(self.index(name)), pyarrow.types
        try:
            array = array.cast(array.type.value_type) if types.is_dictionary(array.type) else array
            if types.is_decimal(array.type):
                array = array.cast(pyarrow.string())  # a cast to float64 would not round to the nearest
            elif types.is_string(array.type) or types.is_large_string(array.type):
                return self._nothing(name)
            elif not (types.is_integer(array.type) or types.is_floating(array.type) or types.is_null(array.type)):
                raise self._no_numbers(name)
            return float64_values(array.cast(pyarrow.float64(), safe=False))
        except pyarrow.ArrowException as error:
            raise self._no_numbers(name) from error

    def _nothing(self, name: str) -> NDArray[np.float64]:
        """Return a column of text in which every cell is missing."""
        odd = [cell for cell in self.column(name) if not self.values.is_missing(cell, in_numbers=True)]
        if odd:
            from parity_runtime.tables.cell_patterns import spelling  # noqa: PLC0415 -- few tables need it

            found = spelling(odd, self.values)
            raise self._no_numbers(name, f": {shown(found.cells[0])} is {found.what}, as text" if found else "")
        return np.full(len(self), np.nan)

    def _no_numbers(self, name: str, why: str = "") -> InputError:
        kind = self.batch.column(self.index(name)).type
        return InputError(f"{self.where}: {name} holds {kind}, not numbers{why}", column=name)


def _float32(value: float) -> str:
    return float32_text(np.float32(value))


def arrow_chunks(name: str, size: int | None, *, parquet: bool) -> Iterator[ArrowChunk]:
    """Read a Parquet, Arrow IPC or Feather file, at most ``size`` rows at a time; an empty one is given once.

    Raises:
        MissingExtraError: pyarrow is not installed.
        InputError: there is no such file, or it is not of that format.
    """
    first = 1
    with _explained(name, parquet):
        for batch in _whole(name, parquet) if size is None else _batches(name, size, parquet):
            yield ArrowChunk(name, batch, first)
            first += batch.num_rows


def arrow_head(name: str, *, parquet: bool) -> ArrowChunk:
    """Return the columns of a file as a chunk without rows; its rows are not read.

    Raises:
        MissingExtraError: pyarrow is not installed.
        InputError: there is no such file, or it is not of that format.
    """
    with _explained(name, parquet):
        import pyarrow  # noqa: PLC0415
        from pyarrow import ipc  # noqa: PLC0415
        from pyarrow import parquet as pq  # noqa: PLC0415

        if parquet:
            schema = pq.read_schema(name)
        else:
            with pyarrow.memory_map(name) as source, ipc.open_file(source) as reader:
                schema = reader.schema
        return ArrowChunk(name, pyarrow.RecordBatch.from_pylist([], schema=schema), 1)


@contextmanager
def _explained(name: str, is_parquet: bool) -> Iterator[None]:
    """Turn errors of pyarrow, and that it is absent, into ours."""
    try:
        import pyarrow  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f'{name} needs pyarrow, which is not installed; from a checkout of Parity: pip install ".[tables]"'
        ) from error
    try:
        open_regular(Path(name)).close()  # pyarrow would wait for a pipe
        yield
    except pyarrow.ArrowException as error:
        raise InputError(
            f"{name} is not a {'Parquet' if is_parquet else 'Arrow'} file: {str(error).partition(chr(10))[0]}"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read the table {name}: {error.strerror or error}") from error


def _whole(name: str, is_parquet: bool) -> Iterator[Any]:
    import pyarrow  # noqa: PLC0415

    table = pyarrow.Table.from_batches(list(_batches(name, 2**20, is_parquet))).combine_chunks()
    if len(batches := table.to_batches()) > 1:
        raise InputError(f"{name} is too large for one batch, and rows of this model influence one another")
    yield batches[0] if batches else pyarrow.RecordBatch.from_pylist([], schema=table.schema)


def _batches(name: str, size: int, is_parquet: bool) -> Iterator[Any]:
    import pyarrow  # noqa: PLC0415
    from pyarrow import ipc, parquet  # noqa: PLC0415

    if is_parquet:
        with parquet.ParquetFile(name, pre_buffer=False) as file:
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
