"""A problem to train on: rows, what they mean, and which are for what."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from parity_runtime import ModelContract
from parity_training.data.split import Split

_ROWS_AT_ONCE = 2**12  # so that the doubles of a piece are small beside the rows


@dataclass(frozen=True)
class TrainingData:
    """Rows and their meaning.

    Attributes:
        data: float32 ``[rows, features]``; NaN where a cell is missing.
        target: class indices, int64 ``[rows]``; of a regression float32 ``[rows]``, in the target's unit.
        split: which rows are trained on, validated on, held out.
        contract: what a network for it takes and gives; what an export measures is still empty.
        source: where the rows are from, for the recipe; the same rows give the same.
        preprocessed: whether the network standardizes (a table), or takes the rows as they are.
    """

    data: Tensor
    target: Tensor
    split: Split
    contract: ModelContract
    source: dict[str, Any]
    preprocessed: bool

    @property
    def num_outputs(self) -> int:
        """How many logits or values a network for it returns."""
        return len(self.contract.classes) if self.contract.task == "multiclass" else 1

    def part(self, name: str) -> Tensor:
        """Return the row numbers of ``train``, ``validation`` or ``test``, int64."""
        return torch.from_numpy(getattr(self.split, name))


def moments(data: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column over some rows, missing cells left out; float64.

    Taken in two passes over pieces, so that the rows are never copied as a whole. A column without deviation has
    the scale 1; one without a single number the mean 0.

    Args:
        data: float32 ``[rows, features]``.
        rows: int64 row numbers.
    """
    pieces = torch.split(rows, _ROWS_AT_ONCE)
    count = sum((~torch.isnan(data[piece])).sum(dim=0) for piece in pieces)
    safe = torch.as_tensor(count).clamp(min=1)
    mean = torch.as_tensor(sum(torch.nansum(data[piece].double(), dim=0) for piece in pieces)) / safe
    squares = sum(torch.nansum((data[piece].double() - mean) ** 2, dim=0) for piece in pieces)
    scale = torch.sqrt(torch.as_tensor(squares) / safe)
    # Where a column is constant, rounding alone may leave a deviation.
    constant = scale <= torch.finfo(torch.float32).eps * mean.abs()
    return mean, torch.where(constant, 1.0, scale)
