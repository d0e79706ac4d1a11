"""Rows of a table as they are read: numbers, and codes of texts that get their index when all rows are known."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_training.data.growing_rows import GrowingRows

RAW_ROWS_AT_ONCE = 2**14
"""So that what is computed on the way is small beside the rows."""


@dataclass(frozen=True, slots=True)
class RawRows:
    """Some rows.

    Attributes:
        data: float32 or float64 ``[rows, numbers + dates]``: numbers and booleans in order, then the year of each date;
            NaN where a cell is missing.
        codes: int32 ``[rows, texts]``: a number for each cell of a category; 0 is a missing one.
        seconds: int64 ``[rows, dates]``, since 1970 in UTC.
        numbers: float64 ``[rows]``: the target as a number, NaN where it is none.
        labels: int32 ``[rows]``: the target's text as a number, -1 where there are too many to be classes.
        places: int64 ``[rows]``: the number of each row in its table, from 1.
        of_row: float64 ``[rows, columns]``: what columns say of the rows themselves, as
            `parity_training.data.row_columns.RowColumns` has them.
    """

    data: NDArray[Any]
    codes: NDArray[np.int32]
    seconds: NDArray[np.int64]
    numbers: NDArray[np.float64]
    labels: NDArray[np.int32]
    places: NDArray[np.int64]
    of_row: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: Any) -> "RawRows":
        """Return some of them: a slice, row numbers, or a mask."""
        return RawRows(*(getattr(self, item.name)[rows] for item in fields(self)))


class RowsInMemory:
    """Rows that are gathered in memory, one piece after the other.

    Args:
        numbers: columns of ``data`` but for the years of dates.
        texts: columns of ``codes``.
        dates: columns of ``seconds``.
        of_row: columns of ``of_row``.

    Attributes:
        all: the rows, once all are there; their ``places`` are empty.
    """

    def __init__(self, numbers: int, texts: int, dates: int, of_row: int) -> None:
        self._data, self._codes = GrowingRows(np.float32, numbers + dates), GrowingRows(np.int32, texts)
        self._seconds = GrowingRows(np.int64, dates)
        self._numbers, self._labels = GrowingRows(np.float64, 1), GrowingRows(np.int32, 1)
        self._of_row = GrowingRows(np.float64, of_row)
        self._left_out: list[NDArray[np.int64]] = []
        self._next = 1
        self.all: RawRows
        self.places: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self._data.rows

    def append(self, piece: RawRows) -> None:
        """Take rows, behind those that were taken before."""
        if len(piece):
            span = np.arange(self._next, piece.places[-1] + 1)
            if len(span) > len(piece):
                self._left_out.append(np.setdiff1d(span, piece.places, assume_unique=True))
            self._next = int(piece.places[-1]) + 1
        for growing, field in (
            (self._data, piece.data), (self._codes, piece.codes), (self._seconds, piece.seconds),
            (self._numbers, piece.numbers[:, None]), (self._labels, piece.labels[:, None]),
            (self._of_row, piece.of_row),
        ):  # fmt: skip
            growing.append(field)

    def finish(self, numbers: NDArray[np.bool_], texts: NDArray[np.bool_], dates: NDArray[np.bool_]) -> None:
        """Leave out columns that tell nothing; nothing can be appended afterwards.

        Args:
            numbers: the columns of numbers and booleans to keep.
            texts: those of categories.
            dates: those of dates.
        """
        if self._left_out:
            without = np.concatenate(self._left_out)
            self.places = np.delete(np.arange(1, len(self) + len(without) + 1), without - 1)
        data = self._data.finish(np.concatenate([numbers, dates]))
        codes, seconds = self._codes.finish(texts), self._seconds.finish(dates)
        target, labels = self._numbers.finish()[:, 0], self._labels.finish()[:, 0]
        places = np.broadcast_to(np.int64(0), len(data))
        self.all = RawRows(data, codes, seconds, target, labels, places, self._of_row.finish())

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Leave the others out, which have no target."""
        self.places = np.flatnonzero(rows) + 1 if self.places is None else self.places[rows]
        self.all = self.all.take(rows)

    def pieces(self, rows: NDArray[np.int64] | None = None) -> Iterator[RawRows]:
        """Give some rows by their place among all, or all of them, piece by piece."""
        chosen = np.arange(len(self.all)) if rows is None else rows
        for start in range(0, len(chosen), RAW_ROWS_AT_ONCE):
            yield self.all.take(chosen[start : start + RAW_ROWS_AT_ONCE])
