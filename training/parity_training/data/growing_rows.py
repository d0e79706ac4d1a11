"""Rows that are gathered one piece after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import either
from parity_training.data.free_memory import free_memory

_GROWTH = 1.125  # of the array that rows are gathered in
_NOTICED = 2**26  # bytes; less is not looked at
_RESERVE = 2**28  # bytes, for what training itself takes


class GrowingRows:
    """An array that grows in place: two copies of a large table at once would be the peak of a whole training.

    Args:
        dtype: of the elements.
        columns: how many a row has.
    """

    def __init__(self, dtype: Any, columns: int) -> None:
        self._array = np.empty((0, columns), dtype)
        self.rows = 0

    def append(self, piece: NDArray[Any]) -> None:
        """Take rows, ``[rows, columns]``; numbers are rounded to the array's type."""
        end = self.rows + len(piece)
        if end > len(self._array):
            self._grow(max(end, int(_GROWTH * len(self._array))))
        with np.errstate(over="ignore", invalid="ignore"):
            self._array[self.rows : end] = piece
        self.rows = end

    def _grow(self, rows: int) -> None:
        width = self._array.shape[1]
        more = (rows - len(self._array)) * width * self._array.itemsize
        if more > _NOTICED:
            _refuse_too_much(more, rows)
        self._array.resize((rows, width), refcheck=False)

    def finish(self, kept: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return the rows, or of each row the columns that are ``kept``; nothing can be appended afterwards."""
        array, self._array = self._array, np.empty((0, 0))
        array.resize((self.rows, array.shape[1]), refcheck=False)
        if kept is None or kept.all():
            return array
        return _without_columns(array, np.flatnonzero(kept))


def _refuse_too_much(more: int, rows: int) -> None:
    """Refuse to take what is not free: the system would end the process without a word."""
    free = free_memory()
    if free is not None and more > free - _RESERVE:
        size = f"{max(free // 4, 2**28) / 1e9:.1f}GB"
        way_out = either("stream_table keeps its rows on a disk", f"--memory {size} keeps its rows on the disk")
        raise InputError(
            f"the table does not fit in memory: {rows} rows need {more / 1e9:.1f} GB more, and {free / 1e9:.1f} GB are "
            f"free; {way_out}"
        )


def _without_columns(array: NDArray[Any], kept: NDArray[np.intp]) -> NDArray[Any]:
    """Move the columns together in place, some rows at a time: a row never moves behind where it stood."""
    rows, step = len(array), 4096
    flat, width = array.reshape(-1), len(kept)
    for start in range(0, rows, step):
        piece = array[start : start + step, kept]
        flat[start * width : start * width + piece.size] = piece.reshape(-1)
    del flat
    array.resize((rows * width,), refcheck=False)
    return array.reshape(rows, width)
