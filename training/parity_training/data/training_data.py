"""A problem to train on: rows, what they mean, and which are for what."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity_runtime import ModelContract
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.evaluation.running_stats import RunningStats
from parity_runtime.printable import counted
from parity_training.data.rows_of_file import RowsOfFile
from parity_training.data.split import Split

_ROWS_AT_ONCE = 2**12  # so that the doubles of a piece are small beside the rows


@dataclass(frozen=True)
class TrainingData:
    """Rows and their meaning.

    >>> from parity_training import XORSettings, xor_data
    >>> data = xor_data(XORSettings(size=100, validation_size=20, test_size=10))
    >>> data
    TrainingData(binary, 2 features, 130 rows: 100 train, 20 validation, 10 test)
    >>> data.data.shape, data.target.dtype
    (torch.Size([130, 2]), torch.int64)

    Attributes:
        data: float32 ``[rows, features]``; NaN where a cell is missing. Of a table its numbers and booleans, then the
            year of each date; it may have no columns.
        target: class indices, int64 ``[rows]``; of a regression float32 ``[rows]``, in the target's unit.
        split: which rows are trained on, validated on, held out.
        contract: what a network for it takes and gives; what an export measures is still empty.
        source: where the rows are from, for the recipe; the same rows give the same.
        preprocessed: whether the network standardizes (a table), or takes the rows as they are.
        indices: int16 or int32 ``[rows, columns]``, as `parity_training.data.encode_columns.network_inputs` says: the
            categories, then the parts of each date; None where there are none.
        table: where the rows can be read again as they stand in the file; None where they are from no file.
        date_counts: of each date, in the order of the graph's input, what its training rows hold; the network sees none
            of it.
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

    def __repr__(self) -> str:
        parts = ", ".join(f"{len(self.part(name))} {name}" for name in ("train", "validation", "test"))
        return f"TrainingData({self.contract.brief}, {counted(len(self.data), 'row')}: {parts})"

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network takes for each row: ``data``, and ``indices`` where there are any."""
        return (self.data,) if self.indices is None else (self.data, self.indices)

    @property
    def num_outputs(self) -> int:
        """How many logits or values a network for it returns."""
        return len(self.contract.classes) if self.contract.task == "multiclass" else 1

    def part(self, name: str) -> Tensor:
        """Return the row numbers of ``train``, ``validation`` or ``test``, int64."""
        return torch.from_numpy(getattr(self.split, name))


def moments(data: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column over some rows, missing cells left out; float64.

    Taken piece by piece, so that the rows are never copied as a whole. A column without deviation has the scale 1;
    one without a single number the mean 0.

    Args:
        data: float32 ``[rows, features]``.
        rows: int64 row numbers.
    """
    stats = RunningStats(data.shape[1])
    for piece in torch.split(rows, _ROWS_AT_ONCE):
        stats.update(data[piece].double().numpy())
    mean, scale = stats.mean, stats.deviation
    # Where a column is constant, rounding alone may leave a deviation.
    constant = scale <= np.finfo(np.float32).eps * np.abs(mean)
    return torch.from_numpy(mean), torch.from_numpy(np.where(constant, 1.0, scale))
