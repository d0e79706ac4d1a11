"""Rows that are gathered one piece after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GROWTH = 1.125  # of the array that rows are gathered in


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
            self._array.resize((max(end, int(_GROWTH * len(self._array))), self._array.shape[1]), refcheck=False)
        with np.errstate(over="ignore", invalid="ignore"):
            self._array[self.rows : end] = piece
        self.rows = end

    def finish(self, kept: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return the rows, or of each row the columns that are ``kept``; nothing can be appended afterwards."""
        array, self._array = self._array, np.empty((0, 0))
        array.resize((self.rows, array.shape[1]), refcheck=False)
        if kept is None or kept.all():
            return array
        return _without_columns(array, np.flatnonzero(kept))


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
