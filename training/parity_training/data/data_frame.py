"""A data frame of pandas, polars or pyarrow as a table; needs the [tables] extra."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parity_runtime import InputError, MissingExtraError
from parity_runtime.printable import shown
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.table_file import TableFile

NAME = "the data frame"


@dataclass(frozen=True)
class FrameTable(TableFile):
    """The rows of a data frame, which are read as those of its Parquet file.

    Attributes:
        frame: a ``pyarrow.Table``.
    """

    frame: Any = None

    def _chunks(self, size: int | None) -> Iterator[Chunk]:
        first, whole = 1, self.frame.combine_chunks() if size is None else self.frame
        for batch in whole.to_batches(size) or [_no_rows(self.frame)]:
            yield ArrowChunk(self.name, batch, first)
            first += batch.num_rows


def _no_rows(table: Any) -> Any:
    import pyarrow  # noqa: PLC0415

    return pyarrow.RecordBatch.from_pylist([], schema=table.schema)


def with_plain_texts(table: Any) -> Any:
    """Return a table whose text is Arrow's ``large_string``, as in Parquet: not all that is read takes views."""
    import pyarrow  # noqa: PLC0415

    types = pyarrow.types
    for place, column in enumerate(table.schema):
        if types.is_string_view(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(pyarrow.large_string()))
    return table


def is_frame(value: Any) -> bool:
    """Whether something is a table of pandas, polars or pyarrow, and not an iterable of such."""
    return hasattr(value, "columns") and hasattr(value, "shape")


def arrow_table(frame: Any) -> Any:
    """Return a data frame as a ``pyarrow.Table``.

    Raises:
        InputError: it is none, or cannot be one.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            'a data frame needs pyarrow, which is not installed; from a checkout of Parity: pip install ".[tables]"'
        ) from error
    try:
        if isinstance(frame, pyarrow.Table):
            return with_plain_texts(frame)
        if isinstance(frame, pyarrow.RecordBatch):
            return pyarrow.Table.from_batches([frame])
        library = type(frame).__module__.partition(".")[0]
        if library == "pandas" and hasattr(frame, "columns"):
            return pyarrow.Table.from_pandas(frame)  # with its index, as its Parquet file has it
        if library == "polars" and hasattr(frame, "to_arrow") and hasattr(frame, "columns"):
            return frame.to_arrow(compat_level=sys.modules[library].CompatLevel.oldest())
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{NAME} cannot be taken as a table: {reason}; let each column hold cells of one type"
        ) from error
    raise InputError(f"a table is a file's name or a data frame of pandas, polars or pyarrow, not {shown(frame)}")
