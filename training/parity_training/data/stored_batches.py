"""Batches of rows that lie on a disk: an epoch's order is drawn group by group, and within as many as memory holds."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parity_training.data.batches import Batch, BatchLoader, EpochSampler, is_last_dropped
from parity_training.data.record_file import RecordFile

_GROUPS_IN_MEMORY = 64  # at least, so that rows of the whole table meet in a batch
_MOST_ROWS_OF_A_GROUP = 2**13
_AT_ONCE = 2**14  # rows that are gathered together; the batches are views of them

ToBatch = Callable[[NDArray[Any]], Batch]
"""Makes of records what the network takes, and behind it the target."""


class StoredLoader(BatchLoader):
    """Batches of the rows in a file.

    The rows lie in groups of neighbours. An epoch takes the groups in an order of its own; as many rows as memory holds
    are read at a time and given in an order of their own. Both orders depend on the seed, the epoch and the place in
    it, so that a resumed run has them again without reading what it has seen.

    Args:
        file: the records.
        to_batch: makes batches of them.
        sampler: the epoch and the seed.
        batch_size: rows of a batch.
        memory: bytes for the rows that are in memory at once.
    """

    def __init__(
        self, file: RecordFile, to_batch: ToBatch, sampler: EpochSampler, batch_size: int, memory: int
    ) -> None:
        self._file, self._to_batch = file, to_batch
        self.sampler, self.batch_size = sampler, batch_size
        self.drop_last = is_last_dropped(len(file), batch_size)
        # Half of the memory: the rows are read, and copied in another order a piece at a time.
        self._window = max(memory // (2 * file.dtype.itemsize) // batch_size, 1) * batch_size
        self._group = max(min(self._window // _GROUPS_IN_MEMORY, _MOST_ROWS_OF_A_GROUP), 1)

    def __iter__(self) -> Iterator[Batch]:
        start = self.sampler.start
        last, groups = start + len(self) * self.batch_size, self._groups()
        while start < min(last, len(self._file)):
            first = start - start % self._window
            yield from self._batches(groups, first, start - first, min(last, first + self._window))
            start = first + self._window

    def _batches(self, groups: list[int], first: int, seen: int, last: int) -> Iterator[Batch]:
        """Give the batches of a window that begins at ``first``, without the rows that were seen, up to ``last``."""
        records = self._read(groups, first, min(first + self._window, len(self._file)))
        order = torch.randperm(len(records), generator=self.sampler.generator(first + 1)).numpy()[seen : last - first]
        step = max(_AT_ONCE // self.batch_size, 1) * self.batch_size
        for begin in range(0, len(order), step):
            batch = self._to_batch(records[order[begin : begin + step]])
            yield from zip(*(torch.split(tensor, self.batch_size) for tensor in batch), strict=True)

    def _groups(self) -> list[int]:
        """Return the groups in the epoch's order; what is left of the rows stands at the end."""
        groups: list[int] = torch.randperm(len(self._file) // self._group, generator=self.sampler.generator()).tolist()
        return [*groups, len(groups)]

    def _read(self, groups: list[int], first: int, last: int) -> NDArray[Any]:
        """Return the rows from ``first`` to ``last`` of the groups."""
        size = self._group
        found = np.empty(last - first, self._file.dtype)
        place = first
        while place < last:
            number, inside = divmod(place, size)
            count = min(size - inside, last - place)
            self._file.read_into(found[place - first : place - first + count], groups[number] * size + inside)
            place += count
        return found
