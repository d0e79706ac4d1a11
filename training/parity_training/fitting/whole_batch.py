"""Batches of which each process has a part, as if one process had the whole: rows, and what is drawn by chance."""

import functools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from parity_training.data.batches import Batch, EpochSampler, TensorLoader
from parity_training.fitting.process_group import ProcessGroup
from parity_training.networks.table_network import HiddenCategories


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


class SharedLoader(TensorLoader):
    """A process's rows of each batch that one process would take; `part_of_batch` says which they are.

    Args:
        data: the network's inputs, each ``[rows, ...]``.
        target: ``[rows]``.
        sampler: the order over ``part``, the same on every process.
        batch_size: rows of a whole batch.
        group: the processes.
        weights: of each row in the mean over a batch, ``[rows]``; None weighs them alike.
    """

    def __init__(  # noqa: PLR0913 -- a TensorLoader's, and the group
        self,
        data: Sequence[Tensor],
        target: Tensor,
        sampler: EpochSampler,
        batch_size: int,
        *,
        drop_last: bool,
        part: Tensor,
        group: ProcessGroup,
        weights: Tensor | None = None,
    ) -> None:
        super().__init__(data, target, sampler, batch_size, drop_last=drop_last, part=part)
        self.rows, self.group, self.weights = part, group, weights
        self.part_of_batch = PartOfBatch()

    def __iter__(self) -> Iterator[Batch]:
        order = self.rows[self.sampler.order()[: len(self) * self.batch_size]]
        if not len(order):
            return
        for batch in torch.split(order, self.batch_size):
            own = self._take_part(batch)
            yield tuple(tensor[own] for tensor in (*self.inputs, self.target))

    def _take_part(self, batch: Tensor) -> Tensor:
        """Return this process's rows of a batch; one without any takes the first, at no weight."""
        place = self.part_of_batch
        place.rows, (place.first, place.last) = len(batch), self.group.share(len(batch))
        own = batch[place.first : place.last]
        if self.weights is None:
            place.weight = len(own) / len(batch)
        else:
            place.weight = float(self.weights[own].sum() / self.weights[batch].sum())
        if not len(own):
            place.first, place.last = 0, 1
        return batch[place.first : place.last]
