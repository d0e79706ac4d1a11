"""What training minimizes: losses of torch.nn by name, over what a network returns.

A classifier returns logits. BCEWithLogitsLoss is the default for two classes: it computes the logarithm of the
sigmoid in one step, which neither rounds to log(0) nor loses its gradient where the sigmoid is flat. BCELoss takes
the sigmoid first, as the notebook does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parity_runtime import InputError
from parity_runtime.contract import Task

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

    def loss_function(self, device: torch.device) -> nn.Module:
        """Return a module from outputs ``[batch, outputs]`` and prepared targets ``[batch]`` to the mean loss."""
        weights = None if self.weights is None else self.weights.to(device)
        match self.name:
            case "CrossEntropyLoss":
                return nn.CrossEntropyLoss(weight=weights)
            case "BCEWithLogitsLoss":
                ratio = None if weights is None else weights[1] / weights[0]
                return _OfColumn(nn.BCEWithLogitsLoss(pos_weight=ratio))
            case "BCELoss":
                return _WeightedBCE(weights)
            case name:
                return _Scaled(getattr(nn, name)(), self.scale)


class _OfColumn(nn.Module):
    """A loss of the single column of the outputs."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        value: Tensor = self.loss(outputs.squeeze(1), target)
        return value


class _WeightedBCE(nn.Module):
    def __init__(self, weights: Tensor | None) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        weight = None if self.weights is None else self.weights[target.long()] / self.weights[0]
        probability = torch.sigmoid(outputs).squeeze(1)  # [batch]
        return nn.functional.binary_cross_entropy(probability, target, weight)


class _Scaled(nn.Module):
    def __init__(self, loss: nn.Module, scale: float) -> None:
        super().__init__()
        self.loss, self.scale = loss, scale

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        value: Tensor = self.loss(outputs.squeeze(1) / self.scale, target / self.scale)
        return value


def make_objective(
    name: str | None, task: Task, class_weights: str | Sequence[float] | None, target: Tensor, scale: float = 1.0
) -> Objective:
    """Return the objective of a task.

    Args:
        name: of the loss; None takes the task's default.
        task: binary, multiclass or regression.
        class_weights: ``balanced``: rows over classes and the class's rows, as scikit-learn's; or one a class.
        target: the training targets, by which ``balanced`` weighs.
        scale: regression: the target's standard deviation.

    Raises:
        InputError: the loss is not one of the task's, or the weights do not fit the classes.
    """
    losses = LOSSES[task]
    if name is not None and name not in losses:
        raise InputError(f"the loss {name} does not go with the task {task}; choose {' or '.join(losses)}")
    if class_weights is not None and task == "regression":
        raise InputError("class weights go with classes; this is a regression")
    return Objective(name or losses[0], _weights(class_weights, target), scale)


def _weights(class_weights: str | Sequence[float] | None, target: Tensor) -> Tensor | None:
    if class_weights is None:
        return None
    counts = torch.bincount(target)
    if isinstance(class_weights, str):
        return (len(target) / (len(counts) * counts)).float()
    weights = torch.tensor(class_weights, dtype=torch.float32)
    if len(weights) != len(counts) or not bool((weights > 0).all()):
        raise InputError(f"class_weights are {list(class_weights)}; give a positive number for each of {len(counts)}")
    return weights
