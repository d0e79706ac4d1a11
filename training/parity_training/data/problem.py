"""What is trained on, be its rows in memory or on a disk."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from parity_runtime import InputError, ModelContract
from parity_runtime.arguments import argument
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.printable import counted
from parity_training.data.batches import Batch, BatchLoader
from parity_training.data.column_stats import ColumnStats

PARTS = ("train", "validation", "test")
"""Rows that are trained on, rows that decide when to stop and which weights are best, and rows that are held out."""

ROWS_AT_ONCE = 2**12
"""So that what is computed of a piece of rows, in doubles say, is small beside all of them."""

Prepare = Callable[[Tensor, Tensor | None], Tensor]
"""Makes of targets, and of the weights of their rows where they have any, what a loss takes."""


class Problem(ABC):
    """Rows in three parts, and what they mean.

    Attributes:
        contract: what a network for these rows takes and returns. What an export measures is still empty.
        source: where the rows are from, for the recipe. The same rows give the same source.
        preprocessed: whether the network standardizes the rows (a table), or takes them as they are.
        date_counts: for each date, in the order of the graph's input: a summary of its training rows. The network does
            not use it.
        stats: for a table: what was counted in its columns.
    """

    contract: ModelContract
    source: dict[str, Any]
    preprocessed: bool
    date_counts: tuple[ColumnCounts, ...]
    stats: ColumnStats | None

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers a row has: columns of numbers and booleans, and the year of each date."""

    @property
    @abstractmethod
    def has_indices(self) -> bool:
        """Whether a row has indices as well: of categories and of the parts of dates."""

    @abstractmethod
    def num_rows(self, part: str) -> int:
        """Return how many rows a part has."""

    @abstractmethod
    def pieces(self, part: str, size: int = ROWS_AT_ONCE, first: int = 0, last: int | None = None) -> Iterator[Batch]:
        """Give the rows of a part in their order, at most ``size`` at a time: the network's inputs, then the target.

        Args:
            part: one of `PARTS`.
            size: the largest number of rows at a time.
            first: the number, from 0, of the first row of the part to give.
            last: the number of the row to stop before; None for the end of the part.
        """

    @abstractmethod
    def numbers(self, column: int) -> NDArray[np.float32]:
        """Return the cells of a column of numbers in the training rows, float32; of rows on a disk, in a sample."""

    @abstractmethod
    def target_sample(self) -> NDArray[Any]:
        """Return the target of the training rows, as `targets`; of rows on a disk, in a sample."""

    @abstractmethod
    def targets(self, part: str) -> Tensor:
        """Return the target of a part's rows.

        Class indices, int64 ``[rows]``; for a regression float32 ``[rows]``; with several targets ``[rows, targets]``.
        """

    def times(self, part: str) -> NDArray[np.float64] | None:  # noqa: ARG002 -- of a table that is split in time
        """Return when each row of a part was, float64 ``[rows]``; None where rows are not split in time."""
        return None

    @abstractmethod
    def weights(self, part: str) -> Tensor | None:
        """Return what each row of a part weighs in the loss, float32 ``[rows]``; None weighs all alike."""

    @abstractmethod
    def loader(self, prepare: Prepare, batch_size: int, seed: int) -> BatchLoader:
        """Return the batches that are trained on, in another order each epoch.

        A last batch of a single row is left out: batch normalization cannot take it.

        Args:
            prepare: a function of the targets and the weights that returns what the loss takes.
            batch_size: rows in a batch.
            seed: the seed of the orders.
        """

    @abstractmethod
    def held_out(self, part: str) -> Iterator[list[str]]:
        """Give the names of columns, then the cells of a part's rows: as the table has them, where they are from one.

        Raises:
            InputError: the table has changed since it was read.
        """

    def __repr__(self) -> str:
        parts = ", ".join(f"{self.num_rows(part)} {part}" for part in PARTS)
        return f"{type(self).__name__}({self.contract.brief}, {counted(self.all_rows, 'row')}: {parts})"

    def folds(self, count: int, seed: int, *, fitted: bool = True) -> Iterator["Problem"]:  # noqa: ARG002 -- in memory
        """Give the problem once for each fold of a cross-validation, whose rows are its ``test``.

        Args:
            count: the number of folds.
            seed: the same seed makes the same folds.
            fitted: whether everything that depends on the training rows is computed again for each fold. If it is
                False, use only the targets and the weights of a fold.

        Raises:
            InputError: there are too few rows for this number of folds, or the rows are on a disk.
        """
        raise InputError(f"{argument('folds')} takes rows in memory, and these are on a disk; leave it out")

    @property
    def evaluated_part(self) -> str:
        """The part to evaluate at the end: ``test``, or another part if no rows are held out."""
        return next(part for part in ("test", "validation", "train") if self.num_rows(part))

    @property
    def all_rows(self) -> int:
        """How many rows there are."""
        return sum(map(self.num_rows, PARTS))

    @property
    def num_outputs(self) -> int:
        """How many logits or values a network for these rows returns."""
        if self.contract.task == "regression":
            return len(self.contract.targets)
        return len(self.contract.classes) if self.contract.task == "multiclass" else 1

    def mean_weight(self) -> float | None:
        """Return the mean weight of the training rows; None if all weights are equal.

        Raises:
            InputError: all weights are 0.
        """
        total = self._total_weight()
        if total is None:
            return None
        if not total > 0:
            raise InputError("every training row has the weight 0; at least one must weigh more")
        return total / self.num_rows("train")

    def _total_weight(self) -> float | None:
        """Return the sum of the weights of the training rows; None where all weigh alike."""
        weights = self.weights("train")
        return None if weights is None else float(weights.double().sum())

    def class_counts(self) -> NDArray[np.int64]:
        """Return how many training rows each class has, int64 ``[classes]``."""
        counts = np.zeros(len(self.contract.classes), np.int64)
        for *_, target in self.pieces("train") if len(counts) else ():
            counts += np.bincount(target.numpy(), minlength=len(counts))
        return counts
