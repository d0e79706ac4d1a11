"""What is true of some rows, and how far a network's outputs are from it, row by row."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from parity_runtime.evaluation.classification_metrics import SMALLEST_PROBABILITY
from parity_runtime.evaluation.regression_metrics import pinball_losses, poisson_deviances
from parity_runtime.objective import POISSON, measure_of, quantile_level
from parity_training.data.problem import Problem


@dataclass(frozen=True)
class Truth:
    """The truth of some rows.

    Attributes:
        values: class indices, int64 ``[rows]``; of a regression float64, the first target.
        is_classifier: which of the two.
        objective: of a regression: what it predicts, as `parity_runtime.objective` has it; None for the mean.
    """

    values: NDArray[Any]
    is_classifier: bool
    objective: str | None = None

    @classmethod
    def of(cls, problem: Problem, part: str, objective: str | None = None) -> Self:
        """Return the truth of a part's rows; of several targets that of the first."""
        values = problem.targets(part)
        first = values[:, 0] if values.ndim > 1 else values
        classifier = problem.contract.is_classifier
        return cls(first.numpy() if classifier else first.double().numpy(), classifier, objective)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> "Truth":
        return Truth(self.values[rows], self.is_classifier, self.objective)

    @property
    def metric(self) -> str:
        """The metric that `losses` are the parts of: ``log_loss``, or of a regression that of what it minimizes.

        ``rmse``, ``mae``, ``pinball_loss`` or ``poisson_deviance``: a quantile lies far from the mean, and its RMSE may
        fall where it is made worse.
        """
        if self.is_classifier:
            return "log_loss"
        return measure_of(self.objective)[1]

    def losses(self, outputs: Tensor) -> NDArray[np.float64]:
        """Return the loss of each row, float64 ``[rows]``: its log loss in nats, or its part of `metric`.

        Args:
            outputs: of the network, float32 ``[rows, outputs]``: logits, or values in the target's unit.
        """
        if not self.is_classifier:
            return self._regression_losses(outputs[:, 0].double().numpy())
        true = torch.from_numpy(self.values)
        if outputs.shape[1] == 1:
            outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
        logs = functional.log_softmax(outputs.double(), 1)
        chosen = logs.gather(1, true[:, None])[:, 0]
        return np.asarray(-chosen.clamp(min=np.log(SMALLEST_PROBABILITY)).numpy())

    def distances(self, outputs: Tensor) -> NDArray[np.float64]:
        """Return how far each value of a regression is off, float64 ``[rows]``, in the target's unit."""
        return np.asarray(np.abs(outputs[:, 0].double().numpy() - self.values))

    def _regression_losses(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        level = quantile_level(self.objective)
        if level is not None:
            return pinball_losses(self.values, predicted, level)
        if self.objective == POISSON:
            return poisson_deviances(self.values, predicted)
        error = predicted - self.values
        return np.asarray(np.abs(error) if self.metric == "mae" else np.square(error))

    def mean(self, losses: NDArray[np.float64]) -> float:
        """Return the metric of some rows, by the `losses` of each."""
        mean = float(losses.mean())
        return float(np.sqrt(mean)) if self.metric == "rmse" else mean
