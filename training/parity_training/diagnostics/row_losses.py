"""What is true of some rows, and how far a network's outputs are from it, row by row."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from parity_training.data.problem import Problem

_SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)  # where the metrics cut log_loss as well


@dataclass(frozen=True)
class Truth:
    """The truth of some rows.

    Attributes:
        values: class indices, int64 ``[rows]``; of a regression float64, the first target.
        is_classifier: which of the two.
    """

    values: NDArray[Any]
    is_classifier: bool

    @classmethod
    def of(cls, problem: Problem, part: str) -> Self:
        """Return the truth of a part's rows; of several targets that of the first."""
        values = problem.targets(part)
        first = values[:, 0] if values.ndim > 1 else values
        classifier = problem.contract.is_classifier
        return cls(first.numpy() if classifier else first.double().numpy(), classifier)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> "Truth":
        return Truth(self.values[rows], self.is_classifier)

    @property
    def metric(self) -> str:
        """The metric that `losses` are the parts of: ``log_loss``, or ``rmse`` in the target's unit."""
        return "log_loss" if self.is_classifier else "rmse"

    def losses(self, outputs: Tensor) -> NDArray[np.float64]:
        """Return the loss of each row, float64 ``[rows]``: its log loss in nats, or its squared error.

        Args:
            outputs: of the network, float32 ``[rows, outputs]``: logits, or values in the target's unit.
        """
        if not self.is_classifier:
            return np.asarray(np.square(outputs[:, 0].double().numpy() - self.values))
        true = torch.from_numpy(self.values)
        if outputs.shape[1] == 1:
            outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
        logs = functional.log_softmax(outputs.double(), 1)
        chosen = logs.gather(1, true[:, None])[:, 0]
        return np.asarray(-chosen.clamp(min=np.log(_SMALLEST_PROBABILITY)).numpy())

    def mean(self, losses: NDArray[np.float64]) -> float:
        """Return the metric of some rows, by the `losses` of each."""
        mean = float(losses.mean())
        return mean if self.is_classifier else float(np.sqrt(mean))
