"""Batches of which each process has a part, as if one process had the whole: rows, and what is drawn by chance."""

import functools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from parity_training.data.batches import Batch, BatchLoader
from parity_training.fitting.process_group import ProcessGroup
from parity_training.networks.table_network import HiddenCategories

RowWeights = Callable[[Tensor], Tensor | None]


class PartOfBatch:
    """Which rows of the batch at hand this process has.

    Attributes:
        rows: of the whole batch.
        first: the first of this process's rows.
        last: the one behind its last row.
        weight: what they weigh in the mean over the batch; 0 of a process that has none and takes another's.
    """

    rows, first, last, weight = 0, 0, 0, 0.0

    def draw(self, _rows: int, *others: int, device: torch.device) -> Tensor:
        """Return uniform numbers for this process's rows, those that one process would draw for them."""
        return torch.rand(self.rows, *others, device=device)[self.first : self.last]

    def drop(self, module: nn.Dropout, values: Tensor) -> Tensor:
        """Return what `nn.Dropout` makes of the values of this process's rows, as it would in one process."""
        if not module.training or module.p == 0:
            return values
        kept = values.new_empty(self.rows, *values.shape[1:]).bernoulli_(1 - module.p)
        if module.p < 1:
            kept.div_(1 - module.p)
        return values * kept[self.first : self.last]

    def draws_in(self, model: nn.Module) -> None:
        """Let a network of Parity's own draw its random numbers so."""
        for module in model.modules():
            if isinstance(module, HiddenCategories):
                module.draw = self.draw
            elif isinstance(module, nn.Dropout):
                module.forward = functools.partial(self.drop, module)  # type: ignore[method-assign]


class SharedLoader(BatchLoader):
    """A process's rows of each batch that one process would take; `part_of_batch` says which they are.

    Args:
        whole: gives the whole batches, the same on every process.
        group: the processes.
        weights: returns what rows weigh in the mean over a batch by their targets, ``[rows]``; None weighs them alike.
    """

    def __init__(self, whole: BatchLoader, group: ProcessGroup, weights: RowWeights) -> None:
        self.whole, self.group, self.weights = whole, group, weights
        self.sampler, self.batch_size, self.drop_last = whole.sampler, whole.batch_size, whole.drop_last
        self.part_of_batch = PartOfBatch()

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.whole:
            first, last = self._take_part(batch[-1])
            yield tuple(tensor[first:last] for tensor in batch)

    def _take_part(self, target: Tensor) -> tuple[int, int]:
        """Return this process's rows of a batch; one without any takes the first, at no weight."""
        place = self.part_of_batch
        place.rows, (first, last) = len(target), self.group.share(len(target))
        weights = self.weights(target)
        place.weight = (last - first) / len(target)
        if weights is not None:
            place.weight = float(weights[first:last].sum() / weights.sum())
        place.first, place.last = (first, last) if first < last else (0, 1)
        return place.first, place.last
