"""Arrays in .npy files as rows of a table: a matrix in the model's order, or a structured array of columns."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError
from parity_runtime.feature import ColumnKind
from parity_runtime.files.open_file import open_regular
from parity_runtime.tables.category_cells import value_texts
from parity_runtime.tables.chunk import Chunk, Refusal, Refused, listed, shown
from parity_runtime.tables.float_text import float32_text
from parity_runtime.tables.timestamp_cells import no_date, timestamp_array


class ArrayChunk(Chunk):
    """Some rows of an array.

    Args:
        where: the file's name.
        array: structured, ``[rows]``.
        first_row: the number of the first in the file.
    """

    def __init__(self, where: str, array: NDArray[Any], first_row: int) -> None:
        self.where, self.array, self.first_row = where, array, first_row
        self.columns = list(array.dtype.names or ())

    def __len__(self) -> int:
        return len(self.array)

    @property
    def file_bytes(self) -> int:
        """The bytes of the rows in their file."""
        return self.array.nbytes

    def column(self, name: str) -> list[str]:
        """Return one column as text."""
        self.index(name)
        return [_text(value) for value in self.array[name]]

    def cell(self, row: int, name: str) -> str:
        """Return one cell as text."""
        self.index(name)
        return _text(self.array[name][row])

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Return which cells are missing: NaN in a column of numbers, an empty cell or a word for it in one of text."""
        if self.array.dtype[self.index(name)].kind not in "iuf":
            return super().missing(name)
        return np.isnan(self.read([name])[0][:, 0])

    def categories(self, name: str, kind: ColumnKind = "categorical") -> NDArray[np.object_]:
        """Return one column as categories: numbers in their shortest decimal."""
        column = self.array[self.columns[self.index(name)]]
        if column.dtype.kind not in "biufU" or column.ndim != 1:
            return super().categories(name, kind)
        return value_texts(list(column) if column.dtype.kind == "f" else column.tolist(), kind, self.values)

    def timestamps(self, name: str, form: str | None = None) -> tuple[NDArray[np.int64], Refused]:
        """Return one column as seconds: of text, or of numpy's datetime64."""
        column = self.array[self.columns[self.index(name)]]
        if column.dtype.kind != "M":
            return super().timestamps(name, form)
        seconds, odd = timestamp_array(column)
        return seconds, {row: Refusal(no_date(name, shown(self.cell(row, name)), form), name) for row in odd}

    def _read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        matrix = np.empty((len(self), len(names)))
        for place, name in enumerate(names):
            self.index(name)
            column = self.array[name]
            if column.dtype.kind not in "iuf" or column.ndim != 1:
                raise InputError(f"{self.where}: {name} holds {column.dtype}, not numbers", column=name)
            with np.errstate(over="ignore", invalid="ignore"):
                matrix[:, place] = column
        return matrix, {}

    def _keep(self, rows: NDArray[np.bool_]) -> Self:
        return type(self)(self.where, self.array[rows], self.first_row)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return float32_text(value) if isinstance(value, np.float32) else str(value.tolist())


def npy_chunks(name: str, size: int | None, columns: Sequence[str]) -> Iterator[ArrayChunk]:
    """Read a .npy file, at most ``size`` rows at a time.

    Args:
        name: the file.
        size: rows; None reads all at once.
        columns: the names of a plain matrix's columns, in their order.

    Raises:
        InputError: there is no such file, it is no .npy file, or its columns are others.
    """
    array = _mapped(name)
    rows = _structured(name, array, columns)
    step = max(size or len(rows), 1)
    for start in range(0, max(len(rows), 1), step):
        # A copy of the file's pages: a map's own would stay in memory as they are read.
        yield ArrayChunk(name, _read(name, array, rows.dtype, start, min(step, len(rows) - start)), start + 1)


def _mapped(name: str) -> np.memmap[Any, Any]:
    try:
        open_regular(Path(name)).close()  # numpy would wait for a pipe
        array = np.load(name, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot read the table {name}: {error.strerror or 'it is not an .npy file'}") from error
    except Exception as error:  # numpy raises what its parser of the header happens to raise
        raise InputError(f"{name} is not an .npy file of numbers, or was cut off") from error
    if not isinstance(array, np.memmap):
        raise InputError(f"{name} holds several arrays; save one with numpy.save")
    if array.ndim == 2 and array.flags.f_contiguous and not array.flags.c_contiguous:
        raise InputError(f"{name} is stored column by column; save numpy.ascontiguousarray of it")
    return array


def _structured(name: str, array: np.memmap[Any, Any], columns: Sequence[str]) -> NDArray[Any]:
    if array.dtype.names is not None and array.ndim == 1:
        return array
    if array.ndim != 2 or array.dtype.kind not in "iuf" or array.shape[1] != len(columns):
        raise InputError(
            f"{name} holds {array.dtype} {list(array.shape)}; it takes numbers [rows, {len(columns)}] "
            f"({listed(columns)}), or a structured array with these columns"
        )
    # (a view of an empty array could not change its last dimension)
    return np.empty(len(array), _row(array, columns)) if not len(array) else array.view(_row(array, columns))[:, 0]


def _row(array: NDArray[Any], columns: Sequence[str]) -> np.dtype[Any]:
    return np.dtype([(column, array.dtype) for column in columns])


def _read(name: str, array: np.memmap[Any, Any], dtype: np.dtype[Any], start: int, count: int) -> NDArray[Any]:
    with Path(name).open("rb") as file:
        file.seek(array.offset + start * dtype.itemsize)
        rows = np.fromfile(file, dtype, count)
    if len(rows) < count:
        raise InputError(f"{name} became shorter while it was read")
    return rows
