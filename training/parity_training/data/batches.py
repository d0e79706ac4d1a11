"""Batches of rows: the DataLoader's interface, and a way that never touches single rows when they lie in memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

_AT_ONCE = 2**14  # rows that are gathered together; the batches are views of them

Batch = tuple[Tensor, ...]
"""The network's inputs, and behind them the targets, all ``[rows, ...]``."""


class EpochSampler(Sampler[int]):
    """The order of the rows in an epoch: it depends on the seed and the epoch alone, so a resumed run has it again.

    Args:
        rows: how many there are.
        shuffle: in an order of its own every epoch; else as they lie.
        seed: of the orders.
    """

    def __init__(self, rows: int, *, shuffle: bool, seed: int) -> None:
        self.rows, self.shuffle, self.seed = rows, shuffle, seed
        self.epoch = self.start = 0

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch, and how many of its rows are left out because they have been seen."""
        self.epoch, self.start = epoch, min(start, self.rows)

    def order(self) -> Tensor:
        """Return the rows still to come in this epoch, int64 ``[rows - start]``."""
        if not self.shuffle:
            return torch.arange(self.start, self.rows)
        return torch.randperm(self.rows, generator=self.generator())[self.start :]

    def generator(self, place: int = 0) -> torch.Generator:
        """Return what draws an order: another one for each epoch, and for each place in it."""
        seed = self.seed + self.epoch * 0x9E3779B97F4A7C15 + place * 0xBF58476D1CE4E5B9
        return torch.Generator().manual_seed(seed % 2**63)

    def __repr__(self) -> str:
        order = f"shuffled, seed {self.seed}" if self.shuffle else "in order"
        return f"EpochSampler({self.rows} rows, {order}, epoch {self.epoch})"

    def __len__(self) -> int:
        return self.rows - self.start

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())


class BatchLoader(ABC):
    """Batches in the order of an epoch, which the ``sampler`` chooses.

    Attributes:
        sampler: the epoch, and where in it the batches begin.
        batch_size: rows of a batch.
        drop_last: whether a last batch that is smaller is left out.
    """

    sampler: "EpochSampler"
    batch_size: int
    drop_last: bool

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} batches of {self.batch_size}, {len(self.sampler)} rows)"

    def __len__(self) -> int:
        rows = len(self.sampler)
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]:
        """Give the batches that are still to come in the epoch."""


class TensorLoader(BatchLoader):
    """Batches of rows that are in memory. `data_loader` makes one.

    >>> from parity_training import XORDataset, data_loader
    >>> loader = data_loader(XORDataset(500), batch_size=128)
    >>> loader
    TensorLoader(4 batches of 128, 500 rows)
    >>> [len(labels) for points, labels in loader]
    [128, 128, 128, 116]

    Args:
        data: float32 ``[rows, ...]``; or several tensors ``[rows, ...]``, one for each input of the network.
        target: ``[rows]`` or ``[rows, targets]``.
        sampler: the order of all rows, or of those in ``part``.
        batch_size: rows in a batch.
        drop_last: leave out the last batch if it is smaller.
        part: the numbers of the rows to take, int64 ``[part]``; None takes all rows.
    """

    def __init__(
        self,
        data: Tensor | Sequence[Tensor],
        target: Tensor,
        sampler: EpochSampler,
        batch_size: int,
        *,
        drop_last: bool = False,
        part: Tensor | None = None,
    ) -> None:
        self.inputs = (data,) if isinstance(data, Tensor) else tuple(data)
        self.target, self.part = target, part
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[Batch]:
        order = self.sampler.order()
        order = order[: len(self) * self.batch_size]
        if not len(order):  # torch.split would give one empty batch
            return
        for rows in torch.split(order, max(_AT_ONCE // self.batch_size, 1) * self.batch_size):
            chosen = rows if self.part is None else self.part[rows]
            tensors = (tensor[chosen] for tensor in (*self.inputs, self.target))
            yield from zip(*(torch.split(tensor, self.batch_size) for tensor in tensors), strict=True)


def data_loader(  # noqa: PLR0913 -- the options of torch's DataLoader
    dataset: Dataset[Batch],
    batch_size: int = 1,
    *,
    shuffle: bool = False,
    num_workers: int = 0,
    pin_memory: bool = False,
    drop_last: bool = False,
    seed: int = 0,
) -> "TensorLoader | DataLoader[Batch]":
    """Return batches of a dataset, with the options of torch's DataLoader.

    >>> from parity_training import XORDataset, data_loader
    >>> loader = data_loader(XORDataset(500), 128, shuffle=True, drop_last=True, seed=7)
    >>> [tuple(points.shape) for points, labels in loader]
    [(128, 2), (128, 2), (128, 2)]

    If the dataset holds its rows as the tensors ``data`` and ``label``, and ``num_workers`` is 0, the batches are made
    from these tensors directly. Else a DataLoader makes them. The order is the same either way.
    ``loader.sampler.set_epoch`` chooses the order of another epoch.

    Args:
        dataset: the rows.
        batch_size: rows in a batch.
        shuffle: use a new order in every epoch.
        num_workers: processes that load rows; 0 loads them in this process.
        pin_memory: copy batches into pinned memory, from which CUDA copies faster.
        drop_last: leave out the last batch if it is smaller.
        seed: the seed of the orders.
    """
    rows = len(dataset)  # type: ignore[arg-type]
    sampler = EpochSampler(rows, shuffle=shuffle, seed=seed)
    data, label = getattr(dataset, "data", None), getattr(dataset, "label", None)
    if isinstance(data, Tensor) and isinstance(label, Tensor) and not num_workers and not pin_memory:
        return TensorLoader(data, label, sampler, batch_size, drop_last=drop_last)
    return DataLoader(
        dataset,
        batch_size,
        sampler=sampler,
        num_workers=num_workers,
        pin_memory=pin_memory,
        drop_last=drop_last,
        generator=own_generator(seed),
    )


def is_last_dropped(rows: int, batch_size: int) -> bool:
    """Whether the last batch of an epoch would be a single row, which batch normalization cannot take."""
    return rows > batch_size and rows % batch_size == 1


def own_generator(seed: int) -> torch.Generator:
    """Return a generator for a DataLoader, which else draws from torch's global one at every start of an epoch."""
    return torch.Generator().manual_seed(seed)
