"""Rows as the network takes them, in files of fixed records: what training reads, epoch after epoch."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_training.data.raw_rows import RawRows
from parity_training.data.record_file import RecordFile
from parity_training.data.row_columns import WEIGHT, RowColumns
from parity_training.data.table_features import TableFeatures
from parity_training.data.target_meaning import TargetMeaning


class RecordWriter:
    """Writes the rows of parts, and says what a resumed run compares.

    Args:
        meaning: what the target is.
        features: of the table.
        of_row: the columns that say something of the rows themselves.
        folder: where the files lie; None for the system's folder of temporary files.

    Attributes:
        digest: sha256 over all that was written.
        places: the numbers, in the table, of the rows of the first part that has any.
    """

    def __init__(
        self, meaning: TargetMeaning, features: TableFeatures, of_row: RowColumns, folder: Path | None
    ) -> None:
        self._meaning, self._indices, self._of_row, self._folder = meaning, features.indices, of_row, folder
        self.digest = hashlib.sha256(repr((features.features, meaning.classes)).encode())
        self.places: list[NDArray[np.int64]] = []

    def written(self, pieces: Iterator[RawRows]) -> RecordFile:
        """Return the rows of a part in a file of their own; the numbers of those of the first with any are noted."""
        file, is_first = None, not any(map(len, self.places))
        for rows in pieces:
            labels = self._meaning.labels(rows)
            if file is None:
                file = RecordFile(self._dtype(rows, labels), self._folder)
            self._write(file, rows, labels)
            if is_first:
                self.places.append(rows.places)
        if file is None:
            file = RecordFile(np.dtype([("data", "<f4", (0,))]), self._folder)
        return file

    def _dtype(self, rows: RawRows, labels: NDArray[Any]) -> np.dtype[Any]:
        indices = [("indices", self._indices.dtype, (self._indices.width,))] if self._indices.width else []
        weight = [("weight", "<f4")] if WEIGHT in self._of_row.places else []
        target = ("target", labels.dtype, labels.shape[1:])
        return np.dtype([("data", "<f4", (rows.data.shape[1],)), *indices, target, *weight])

    def _write(self, file: RecordFile, rows: RawRows, labels: NDArray[Any]) -> None:
        records = np.empty(len(rows), file.dtype)
        records["data"], records["target"] = rows.data, labels
        if self._indices.width:
            records["indices"] = self._indices.of(rows)
        weights = self._of_row.column(WEIGHT, rows.of_row)
        if weights is not None:
            records["weight"] = weights
        self.digest.update(records.tobytes())
        self.digest.update(rows.seconds.tobytes())  # the network sees parts of them alone
        file.append(records)
