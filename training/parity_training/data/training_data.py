"""Rows to train on that lie in memory, what they mean, and which are for what."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parity_runtime import ModelContract
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.evaluation.running_stats import RunningStats
from parity_training.data.batches import Batch, EpochSampler, TensorLoader, is_last_dropped
from parity_training.data.column_stats import ColumnStats
from parity_training.data.problem import ROWS_AT_ONCE, Prepare, Problem
from parity_training.data.rows_of_file import RowsOfFile
from parity_training.data.split import Split
from parity_training.data.split_rule import SplitRule


@dataclass(frozen=True, repr=False)
class TrainingData(Problem):
    """Rows in memory to train on, and what they mean; `table_data` and `xor_data` return it.

    >>> from parity_training import XORSettings, xor_data
    >>> data = xor_data(XORSettings(size=100, validation_size=20, test_size=10))
    >>> data
    TrainingData(binary, 2 features, 130 rows: 100 train, 20 validation, 10 test)
    >>> data.data.shape, data.target.dtype
    (torch.Size([130, 2]), torch.int64)

    Attributes:
        data: float32 ``[rows, features]``; NaN where a cell is missing. For a table: its numbers and booleans, then the
            year of each date; it may have no columns.
        target: class indices, int64 ``[rows]``; for a regression float32 ``[rows]`` in the target's unit, or
            ``[rows, targets]`` with several targets.
        split: which rows are for training, for validation, and held out.
        contract: what a network for these rows takes and returns. What an export measures is still empty.
        source: where the rows are from, for the recipe. The same rows give the same source.
        preprocessed: whether the network standardizes the rows (a table), or takes them as they are.
        indices: int16 or int32 ``[rows, columns]``: the index of each category, then the parts of each date; None if
            there are no such columns.
        table: how to read the rows again as they are in the file; None if they are not from a file.
        date_counts: for each date, in the order of the graph's input: a summary of its training rows. The network does
            not use it.
        stats: for a table: what was counted in its columns.
        row_weights: the weight of each row in the loss, float32 ``[rows]``, 0 or more; None gives all rows the same
            weight.
        rule: how rows are assigned to the parts; None: at random within each class.
        remade: a function that returns the same rows for another split, with everything that depends on the training
            rows computed again; None if only ``split`` depends on them.
    """

    data: Tensor
    target: Tensor
    split: Split
    contract: ModelContract
    source: dict[str, Any]
    preprocessed: bool
    indices: Tensor | None = None
    table: RowsOfFile | None = None
    date_counts: tuple[ColumnCounts, ...] = ()
    stats: ColumnStats | None = None
    row_weights: Tensor | None = None
    rule: SplitRule | None = field(default=None, repr=False)
    remade: "Callable[[Split], TrainingData] | None" = field(default=None, repr=False)

    __repr__ = Problem.__repr__

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of the network: ``data``, and ``indices`` unless it is None."""
        return (self.data,) if self.indices is None else (self.data, self.indices)

    @property
    def width(self) -> int:
        """How many columns ``data`` has."""
        return self.data.shape[1]

    @property
    def has_indices(self) -> bool:
        """Whether ``indices`` is not None."""
        return self.indices is not None

    def folds(self, count: int, seed: int, *, fitted: bool = True) -> Iterator["TrainingData"]:
        """Yield the data once for each fold: the fold's rows are the part ``test``, and the same share validates.

        Args:
            count: the number of folds.
            seed: the same seed makes the same folds.
            fitted: whether everything that depends on the training rows is computed again for each fold. If it is
                False, use only the targets and the weights of a fold.

        Raises:
            InputError: there are too few rows, groups or times for this number of folds.
        """
        classes = self.target.numpy() if self.contract.is_classifier else np.zeros(len(self.data), np.int64)
        rule = self.rule or SplitRule(classes)
        others = len(self.split.train) + len(self.split.validation)
        for split in rule.folds(count, len(self.split.validation) / others, seed):
            yield self.remade(split) if self.remade and fitted else replace(self, split=split)

    def part(self, name: str) -> Tensor:
        """Return the row numbers of a part, int64 ``[rows]``, from 0.

        Args:
            name: ``train``, ``validation`` or ``test``.
        """
        return torch.from_numpy(getattr(self.split, name))

    def class_counts(self) -> NDArray[np.int64]:
        """Return how many training rows each class has, int64 ``[classes]``."""
        classes = len(self.contract.classes)
        return np.bincount(self.targets("train").numpy() if classes else [], minlength=classes)

    def num_rows(self, part: str) -> int:
        """Return how many rows a part has.

        Args:
            part: ``train``, ``validation`` or ``test``.
        """
        return len(getattr(self.split, part))

    def pieces(self, part: str, size: int = ROWS_AT_ONCE, first: int = 0, last: int | None = None) -> Iterator[Batch]:
        """Yield the rows of a part in their order, at most ``size`` at a time: the network's inputs, then the target.

        Args:
            part: ``train``, ``validation`` or ``test``.
            size: the largest number of rows at a time.
            first: the number, from 0, of the first row of the part to yield.
            last: the number of the row to stop before; None for the end of the part.
        """
        for rows in torch.split(self.part(part)[first:last], size):
            if len(rows):
                yield tuple(tensor[rows] for tensor in (*self.inputs, self.target))

    def numbers(self, column: int) -> NDArray[np.float32]:
        """Return the cells of a column of ``data`` in the training rows, float32 ``[rows]``.

        Args:
            column: the column's number, from 0.
        """
        found: NDArray[np.float32] = self.data[:, column][self.part("train")].numpy()
        return found

    def target_sample(self) -> NDArray[Any]:
        """Return the target of the training rows."""
        found: NDArray[Any] = self.targets("train").numpy()
        return found

    def targets(self, part: str) -> Tensor:
        """Return the target of a part's rows.

        Args:
            part: ``train``, ``validation`` or ``test``.
        """
        return self.target[self.part(part)]

    def times(self, part: str) -> NDArray[np.float64] | None:
        """Return the time of each row of a part, float64 ``[rows]``; None if rows are not split by time.

        Args:
            part: ``train``, ``validation`` or ``test``.
        """
        times = self.rule.times if self.rule else None
        return None if times is None else times[getattr(self.split, part)].astype(np.float64)

    def weights(self, part: str) -> Tensor | None:
        """Return the weight of each row of a part in the loss, float32 ``[rows]``; None if all weights are equal.

        Args:
            part: ``train``, ``validation`` or ``test``.
        """
        return None if self.row_weights is None else self.row_weights[self.part(part)]

    def loader(self, prepare: Prepare, batch_size: int, seed: int) -> TensorLoader:
        """Return the batches of the training rows, in another order each epoch.

        A last batch of a single row is left out, because batch normalization does not accept it.

        Args:
            prepare: a function of the targets and the weights that returns what the loss takes.
            batch_size: rows in a batch.
            seed: the seed of the orders.
        """
        part = self.part("train")
        sampler = EpochSampler(len(part), shuffle=True, seed=seed)
        drop_last = is_last_dropped(len(part), batch_size)
        target = prepare(self.target, self.row_weights)
        return TensorLoader(self.inputs, target, sampler, batch_size, drop_last=drop_last, part=part)

    def held_out(self, part: str) -> Iterator[list[str]]:
        """Yield the column names, then the cells of each row of a part. Cells of a table are unchanged.

        Args:
            part: ``train``, ``validation`` or ``test``.

        Raises:
            InputError: the table has changed since it was read.
        """
        return self._points(self.part(part)) if self.table is None else self.table.read(self.part(part).numpy())

    def _points(self, rows: Tensor) -> Iterator[list[str]]:
        contract, target = self.contract, self.target[rows].tolist()
        labels = [contract.classes[index] for index in target] if contract.is_classifier else target
        yield [*(feature.name for feature in contract.features), *contract.targets]
        for row, label in zip(self.data[rows].numpy(), labels, strict=True):
            true = map(str, label) if isinstance(label, list) else [str(label)]
            yield [*("" if value != value else str(value) for value in row), *true]  # noqa: PLR0124 -- NaN


def moments(pieces: Iterable[Tensor], width: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column over some rows, missing cells left out; float64.

    A column without deviation has the scale 1; one without a single number the mean 0.

    Args:
        pieces: of the rows, each float32 ``[rows, width]``: their doubles are small beside all rows.
        width: columns.
    """
    stats = RunningStats(width)
    for piece in pieces:
        stats.update(piece.double().numpy())
    mean, scale = stats.mean, stats.deviation
    # Where a column is constant, rounding alone may leave a deviation.
    constant = scale <= np.finfo(np.float32).eps * np.abs(mean)
    return torch.from_numpy(mean), torch.from_numpy(np.where(constant, 1.0, scale))
