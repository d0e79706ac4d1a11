"""Rows that are read once from a table and kept on a disk, each in its part."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_training.data.columns import Columns
from parity_training.data.problem import PARTS
from parity_training.data.raw_rows import RAW_ROWS_AT_ONCE, RawRows
from parity_training.data.record_file import RecordFile

PartOf = Callable[[RawRows], NDArray[np.integer]]


class RowsOnDisk:
    """Rows in three files, in the order of the table.

    Args:
        widths: columns of numbers (booleans among them), of texts, of dates, and of what is said of the rows.
        part_of: returns which part each row belongs to: a place in `PARTS`, integers ``[rows]``.
        folder: where the files lie; None for the system's folder of temporary files.
    """

    def __init__(self, widths: tuple[int, int, int, int], part_of: PartOf, folder: Path | None) -> None:
        numbers, texts, dates, of_row = widths
        dtype = np.dtype([
            ("data", "<f4", (numbers + dates,)), ("codes", "<i4", (texts,)), ("seconds", "<i8", (dates,)),
            ("numbers", "<f8"), ("labels", "<i4"), ("places", "<i8"),
            ("of_row", "<f8", (of_row,)),
        ])  # fmt: skip
        self._files = {part: RecordFile(dtype, folder) for part in PARTS}
        self._part_of = part_of
        self._kept: dict[str, NDArray[np.bool_]] = {}
        self._with_number_only = False

    def __len__(self) -> int:
        return sum(map(len, self._files.values()))

    def append(self, piece: RawRows) -> None:
        """Take rows, behind those that were taken before."""
        parts = self._part_of(piece)
        records = np.empty(len(piece), self._files["train"].dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # the reader refuses what float32 cannot hold
            for item in fields(piece):
                records[item.name] = getattr(piece, item.name)
        for place, part in enumerate(PARTS):
            self._files[part].append(records[parts == place])

    def finish(self, numbers: NDArray[np.bool_], texts: NDArray[np.bool_], dates: NDArray[np.bool_]) -> None:
        """Leave out columns that tell nothing; nothing can be appended afterwards."""
        self._kept = {"data": np.concatenate([numbers, dates]), "codes": texts, "seconds": dates}

    def pieces(self, part: str) -> Iterator[RawRows]:
        """Give the rows of a part, piece by piece."""
        file = self._files[part]
        for first in range(0, len(file), RAW_ROWS_AT_ONCE):
            rows = self._rows(file.read(first, first + RAW_ROWS_AT_ONCE))
            yield rows.take(~np.isnan(rows.numbers)) if self._with_number_only else rows

    def num_rows(self, part: str) -> int:
        """Return how many rows a part has, those that are left out among them."""
        return len(self._files[part])

    def numbers(self) -> Iterator[NDArray[np.float64]]:
        """Give the target of all rows as numbers."""
        return (rows.numbers for part in PARTS for rows in self.pieces(part))

    def leave_out_missing(self, columns: Columns) -> None:
        """Leave out the rows whose target, among numbers, is missing."""
        for rows in (rows for part in PARTS for rows in self.pieces(part)):
            columns.leave_out(rows.take(np.isnan(rows.numbers)))
        self._with_number_only = True

    def close(self) -> None:
        """Give the disk's space back."""
        for file in self._files.values():
            file.close()

    def _rows(self, records: NDArray[Any]) -> RawRows:
        found = {name: np.ascontiguousarray(records[name]) for name in records.dtype.names or ()}
        found |= {name: found[name] if kept.all() else found[name][:, kept] for name, kept in self._kept.items()}
        return RawRows(**found)
