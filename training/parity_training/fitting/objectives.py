"""What training minimizes: losses of torch.nn by name, over what a network returns.

A classifier returns logits. BCEWithLogitsLoss is the default for two classes: it computes the logarithm of the
sigmoid in one step, which neither rounds to log(0) nor loses its gradient where the sigmoid is flat. BCELoss takes
the sigmoid first, as the notebook does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parity_runtime import InputError
from parity_runtime.arguments import did_you_mean
from parity_runtime.contract import Task
from parity_training.settings import TrainSettings

LossFunction = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[Task, tuple[str, ...]] = {
    "binary": ("BCEWithLogitsLoss", "BCELoss"),
    "multiclass": ("CrossEntropyLoss",),
    "regression": ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"),
}
"""The losses of each task; the first is the default."""


@dataclass(frozen=True)
class Objective:
    """A loss over a batch.

    Attributes:
        name: of the loss in torch.nn.
        weights: of the classes, float32 ``[classes]``; None weighs rows alike.
        scale: regression: the target's standard deviation; the loss is measured in it.
    """

    name: str
    weights: Tensor | None = None
    scale: float = 1.0

    def prepare(self, target: Tensor) -> Tensor:
        """Return targets as the loss takes them: float32, or int64 for several classes; ``[rows]``."""
        return target if self.name == "CrossEntropyLoss" else target.float()

    def row_weights(self, target: Tensor) -> Tensor | None:
        """Return what each row weighs in the mean over a batch, float32 ``[rows]``; None weighs them alike.

        torch's cross entropy divides by the weights of the batch's classes, every other loss by its rows.
        """
        weighted = self.name == "CrossEntropyLoss" and self.weights is not None
        return self.weights[target] if weighted and self.weights is not None else None

    def loss_function(self, device: torch.device) -> LossFunction:
        """Return a function from outputs ``[batch, outputs]`` and prepared targets ``[batch]`` to the mean loss."""
        weights = None if self.weights is None else self.weights.to(device)
        match self.name:
            case "CrossEntropyLoss":
                return lambda outputs, target: functional.cross_entropy(outputs, target, weights)
            case "BCEWithLogitsLoss":
                ratio = None if weights is None else weights[1] / weights[0]
                return lambda outputs, target: functional.binary_cross_entropy_with_logits(
                    outputs.squeeze(1), target, pos_weight=ratio
                )
            case "BCELoss":
                return lambda outputs, target: functional.binary_cross_entropy(
                    torch.sigmoid(outputs).squeeze(1),
                    target,
                    None if weights is None else weights[target.long()] / weights[0],
                )
            case name:
                loss, scale = getattr(nn, name)(), self.scale
                return lambda outputs, target: loss(outputs.squeeze(1) / scale, target / scale)


def make_objective(
    settings: TrainSettings, task: Task, class_counts: NDArray[np.int64], scale: float = 1.0
) -> Objective:
    """Return the objective of a task.

    Args:
        settings: its loss (None takes the task's default) and class weights (``balanced``: rows over classes and
            the class's rows, as scikit-learn's; or one a class).
        task: binary, multiclass or regression.
        class_counts: how many training rows each class has, int64 ``[classes]``, by which ``balanced`` weighs; none for
            a regression.
        scale: regression: the target's standard deviation.

    Raises:
        InputError: the loss is not one of the task's, or the weights do not fit the classes.
    """
    losses, name, class_weights = LOSSES[task], settings.loss, settings.class_weights
    if name is not None and name not in losses:
        raise InputError(
            f"the loss {name} does not go with the task {task}; choose {' or '.join(losses)}"
            + did_you_mean(name, losses)
        )
    if class_weights is not None and task == "regression":
        raise InputError("class weights go with classes; this is a regression")
    return Objective(name or losses[0], _weights(class_weights, class_counts), scale)


def _weights(class_weights: str | Sequence[float] | None, class_counts: NDArray[np.int64]) -> Tensor | None:
    if class_weights is None:
        return None
    counts = torch.from_numpy(class_counts).clamp(min=1)  # a class may be in other parts alone
    if isinstance(class_weights, str):
        return (int(class_counts.sum()) / (len(counts) * counts)).float()
    weights = torch.tensor(class_weights, dtype=torch.float32)
    if len(weights) != len(counts) or not bool(((weights > 1e-6) & (weights < 1e6)).all()):
        raise InputError(
            f"class_weights are {list(class_weights)}; give a positive number for each of {len(counts)}, 1e-6 to 1e6"
        )
    return weights
