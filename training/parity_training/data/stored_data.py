"""Rows to train on that lie on a disk: what is in memory at once is bounded."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parity_runtime import ModelContract
from parity_runtime.drift.column_counts import ColumnCounts
from parity_training.data.batches import Batch, EpochSampler
from parity_training.data.column_stats import ColumnStats
from parity_training.data.problem import ROWS_AT_ONCE, Prepare, Problem
from parity_training.data.record_file import RecordFile
from parity_training.data.rows_of_file import RowsOfFile
from parity_training.data.stored_batches import StoredLoader

SAMPLE = 2**16
"""Training rows by which the deciles of a column are found where all of them are on a disk."""

_WEIGHT = "weight"


@dataclass(frozen=True, repr=False)
class StoredData(Problem):
    """Rows on a disk, and their meaning.

    Attributes:
        files: of each part its rows as the network takes them: ``data`` float32 ``[features]``, ``indices`` where there
            are any, ``target``, and ``weight`` where rows have weights of their own.
        memory: bytes for the rows that are in memory at once.
        contract: as in `Problem`, and so are all others.
        table: where the rows of the part that is evaluated can be read as they stand.
    """

    files: dict[str, RecordFile]
    memory: int
    contract: ModelContract
    source: dict[str, Any]
    table: RowsOfFile
    date_counts: tuple[ColumnCounts, ...]
    stats: ColumnStats | None
    preprocessed: bool = True

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return int(self.files["train"].dtype["data"].shape[0])

    @property
    def has_indices(self) -> bool:
        """Whether a row has indices as well."""
        return "indices" in (self.files["train"].dtype.names or ())

    def num_rows(self, part: str) -> int:
        """Return how many rows a part has."""
        return len(self.files[part])

    def pieces(self, part: str, size: int = ROWS_AT_ONCE, first: int = 0, last: int | None = None) -> Iterator[Batch]:
        """Give the rows of a part in their order, at most ``size`` at a time."""
        end = self.num_rows(part) if last is None else min(last, self.num_rows(part))
        for start in range(first, end, size):
            yield self._batch(self.files[part].read(start, min(start + size, end)))

    def numbers(self, column: int) -> NDArray[np.float32]:
        """Return the cells of a column of numbers in some training rows, evenly spread, float32."""
        found: NDArray[np.float32] = self._sample["data"][:, column]
        return found

    def target_sample(self) -> NDArray[Any]:
        """Return the target of some training rows, evenly spread."""
        found: NDArray[Any] = self._sample["target"]
        return found

    @cached_property
    def _sample(self) -> NDArray[Any]:
        file = self.files["train"]
        return sampled(file, min(SAMPLE, self.memory // (8 * file.dtype.itemsize)))

    def targets(self, part: str) -> Tensor:
        """Return the target of a part's rows."""
        if not self.num_rows(part):
            return self._batch(self.files["train"].read(0, 0))[-1]
        return torch.cat([piece[-1] for piece in self.pieces(part)])

    def weights(self, part: str) -> Tensor | None:
        """Return what each row of a part weighs in the loss; None weighs all alike."""
        if not self._is_weighted:
            return None
        return torch.from_numpy(np.concatenate([np.zeros(0, np.float32), *self._weight_pieces(part)]))

    @property
    def _is_weighted(self) -> bool:
        return _WEIGHT in (self.files["train"].dtype.names or ())

    def _weight_pieces(self, part: str) -> Iterator[NDArray[np.float32]]:
        file = self.files[part]
        return (file.read(start, start + ROWS_AT_ONCE)[_WEIGHT] for start in range(0, len(file), ROWS_AT_ONCE))

    def _total_weight(self) -> float | None:
        """Return the sum of the weights of the training rows, which are never in memory all at once."""
        if not self._is_weighted:
            return None
        return math.fsum(float(piece.sum(dtype=np.float64)) for piece in self._weight_pieces("train"))

    def loader(self, prepare: Prepare, batch_size: int, seed: int) -> StoredLoader:
        """Return the batches that are trained on."""

        def to_batch(records: NDArray[Any]) -> Batch:
            *inputs, target = self._batch(records)
            weighted = _WEIGHT in (records.dtype.names or ())
            return (*inputs, prepare(target, torch.from_numpy(records[_WEIGHT].copy()) if weighted else None))

        file = self.files["train"]
        return StoredLoader(file, to_batch, EpochSampler(len(file), shuffle=True, seed=seed), batch_size, self.memory)

    def held_out(self, part: str) -> Iterator[list[str]]:
        """Give the names of columns, then the cells of a part's rows, as the table has them."""
        if part != self.evaluated_part:
            raise ValueError(f"the rows of {part} were not noted")
        return self.table.read(np.arange(self.num_rows(part)))

    def _batch(self, records: NDArray[Any]) -> Batch:
        names = (name for name in records.dtype.names or () if name != _WEIGHT)
        return tuple(torch.from_numpy(records[name].copy()) for name in names)


def sampled(file: RecordFile, most: int) -> NDArray[Any]:
    """Return so many records at most, one at least, evenly spread, in runs of neighbours that cost one reading."""
    if len(file) <= most:
        return file.read(0, len(file))
    runs = max(min(256, most), 1)
    length = max(most // runs, 1)
    starts = np.linspace(0, len(file) - length, runs).astype(np.int64)
    return np.concatenate([file.read(int(start), int(start) + length) for start in starts])
