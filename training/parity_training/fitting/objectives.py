"""What training minimizes: losses of torch.nn by name, over what a network returns.

A classifier returns logits. BCEWithLogitsLoss is the default for two classes: it computes the logarithm of the
sigmoid in one step, which neither rounds to log(0) nor loses its gradient where the sigmoid is flat. BCELoss takes
the sigmoid first, as the notebook does.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parity_runtime import InputError
from parity_runtime.arguments import argument, did_you_mean
from parity_runtime.contract import Task
from parity_runtime.objective import HUBER, MEDIAN, POISSON, level_in, quantile_objective
from parity_training.settings import TrainSettings

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""From outputs ``[batch, outputs]`` and prepared targets to the mean loss of a batch; of several networks that are
trained at once the outputs are ``[batch, networks, outputs]``, and the mean is over all of them."""

LOSSES: dict[Task, tuple[str, ...]] = {
    "binary": ("BCEWithLogitsLoss", "BCELoss"),
    "multiclass": ("CrossEntropyLoss",),
    "regression": ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss", "quantile=0.9"),
}
"""The losses of each task, the last with any quantile; the first is the default."""

POISSON_LOSS = "PoissonNLLLoss"

_SHORT = {"poisson": POISSON_LOSS, "huber": "HuberLoss", "mse": "MSELoss", "mae": "L1Loss"}
_QUANTILE = "quantile"
_PREDICTED = {"L1Loss": MEDIAN, "SmoothL1Loss": HUBER, "HuberLoss": HUBER, POISSON_LOSS: POISSON}


@dataclass(frozen=True)
class Objective:
    """A loss over a batch.

    Attributes:
        name: of the loss in torch.nn, or ``quantile``.
        class_weights: float32 ``[classes]``; None weighs them alike.
        scale: regression: the standard deviation of each target, float32 ``[targets]``; the loss is measured in it.
        quantile: the quantile that is predicted, in (0, 1); of the loss ``quantile`` alone.
        mean_weight: of the training rows, where they have weights of their own; None weighs them alike.
    """

    name: str
    class_weights: Tensor | None = None
    scale: Tensor | None = None
    quantile: float | None = None
    mean_weight: float | None = None

    @property
    def text(self) -> str:
        """What `TrainSettings.loss` says of it."""
        return self.name if self.quantile is None else f"{_QUANTILE}={self.quantile!r}"

    @property
    def predicted(self) -> str | None:
        """What a regression predicts by it, as `parity_runtime.objective` has it; None of classes, and for the mean."""
        return _PREDICTED.get(self.name) if self.quantile is None else quantile_objective(self.quantile)

    def prepare(self, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return targets as the loss takes them.

        Args:
            target: class indices, int64 ``[rows]``; of a regression float32 ``[rows]`` or ``[rows, targets]``.
            weights: of the rows, float32 ``[rows]``, where they have any.

        Returns:
            float32, or int64 for several classes, as ``target``; where rows are weighted float32 ``[rows, targets +
            1]``, the weight behind the targets.
        """
        if weights is None:
            return target if self.name == "CrossEntropyLoss" else target.float()
        of_rows = weights / (self.mean_weight or 1.0)
        return torch.cat([target.float().reshape(len(target), -1), of_rows[:, None]], dim=1)

    def row_weights(self, prepared: Tensor) -> Tensor | None:
        """Return what the class of each row weighs in the mean over a batch, float32 ``[rows]``; None: all alike.

        torch's cross entropy divides by the weights of the batch's classes, every other loss by its rows.
        """
        if self.name != "CrossEntropyLoss" or self.class_weights is None:
            return None
        return self.class_weights[self._target(prepared)]

    def loss_function(self, device: torch.device) -> LossFunction:
        """Return a function from outputs ``[batch, outputs]`` and prepared targets to the mean loss."""
        on_device = replace(
            self,
            class_weights=None if self.class_weights is None else self.class_weights.to(device),
            scale=None if self.scale is None else self.scale.to(device),
        )
        if self.mean_weight is None:
            return functools.partial(on_device._losses, reduction="mean")
        return on_device._weighted_mean

    def _weighted_mean(self, outputs: Tensor, prepared: Tensor) -> Tensor:
        losses = self._losses(outputs, self._target(prepared), "none")
        losses = losses * prepared[:, -1].view(-1, *[1] * (losses.dim() - 1))
        of_classes = self.row_weights(prepared)
        if of_classes is None:
            return losses.mean()
        return losses.sum() / of_classes.view(-1, *[1] * (losses.dim() - 1)).expand_as(losses).sum()

    def _target(self, prepared: Tensor) -> Tensor:
        """Return the targets, without the weights behind them."""
        if self.mean_weight is None:
            return prepared
        target = prepared[:, 0] if prepared.shape[1] == 2 else prepared[:, :-1]
        return target.long() if self.name == "CrossEntropyLoss" else target

    def _losses(self, outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
        weights = self.class_weights
        if self.name == "CrossEntropyLoss":
            return _cross_entropy(outputs, target, weights, reduction)
        several = outputs.dim() == 3
        if target.dim() == 1:
            outputs = outputs.squeeze(-1)
        if several:
            target = target[:, None].expand_as(outputs)
        match self.name:
            case "BCEWithLogitsLoss":
                ratio = None if weights is None else weights[1] / weights[0]
                return functional.binary_cross_entropy_with_logits(
                    outputs, target, pos_weight=ratio, reduction=reduction
                )
            case "BCELoss":
                of_rows = None if weights is None else weights[target.long()] / weights[0]
                return functional.binary_cross_entropy(torch.sigmoid(outputs), target, of_rows, reduction=reduction)
            case name if name == POISSON_LOSS:  # the network returns the rate itself
                return functional.poisson_nll_loss(outputs, target, log_input=False, reduction=reduction)
        if self.scale is not None:
            outputs, target = outputs / self.scale, target / self.scale
        if self.quantile is not None:
            return _pinball_loss(outputs, target, self.quantile, reduction)
        loss: Tensor = getattr(nn, self.name)(reduction=reduction)(outputs, target)
        return loss


def _cross_entropy(outputs: Tensor, target: Tensor, weights: Tensor | None, reduction: str) -> Tensor:
    """Return torch's cross entropy; of several networks each has the rows."""
    if outputs.dim() == 2:
        return functional.cross_entropy(outputs, target, weights, reduction=reduction)
    rows = target[:, None].expand(outputs.shape[:-1])
    found = functional.cross_entropy(outputs.flatten(0, 1), rows.flatten(), weights, reduction=reduction)
    return found if reduction == "mean" else found.view_as(rows)


def _pinball_loss(outputs: Tensor, target: Tensor, quantile: float, reduction: str) -> Tensor:
    """Return ``max(q (y - f), (q - 1)(y - f))``, whose mean a quantile minimizes (Koenker and Bassett, 1978)."""
    error = target - outputs
    losses = torch.maximum(quantile * error, (quantile - 1) * error)
    return losses.mean() if reduction == "mean" else losses


def parse_loss(text: str | None, task: Task) -> tuple[str, float | None]:
    """Return the name of a loss and its quantile, if it has one.

    Args:
        text: as `TrainSettings.loss` has it; None takes the task's own.
        task: binary, multiclass or regression.

    Raises:
        InputError: the loss is not one of the task's, or the quantile is not between 0 and 1.
    """
    losses = LOSSES[task]
    if text is None:
        return losses[0], None
    name, equals, share = text.partition("=")
    if name == _QUANTILE and task == "regression":
        return _QUANTILE, _quantile(share if equals else None)
    name = _SHORT.get(name, name)
    if equals or name not in losses:
        raise InputError(
            f"the loss {text} cannot be used with the task {task}; choose {' or '.join(losses)}"
            + did_you_mean(text, [*losses, *(short for short, loss in _SHORT.items() if loss in losses)])
        )
    return name, None


def is_of_regression(text: str | None) -> bool:
    """Whether a loss, as `TrainSettings.loss` has it, says that the target is a number."""
    name = (text or "").partition("=")[0]
    return name == _QUANTILE or _SHORT.get(name, name) in LOSSES["regression"]


def _quantile(share: str | None) -> float:
    quantile = None if share is None else level_in(share)
    if quantile is None:
        problem = "a quantile has a level" if not share else f"the quantile {share} is not between 0 and 1"
        raise InputError(f"{problem}; write {argument('loss', 'quantile=0.9')}")
    return quantile


def make_objective(
    settings: TrainSettings,
    task: Task,
    class_counts: NDArray[np.int64],
    scale: Tensor | None = None,
    mean_weight: float | None = None,
) -> Objective:
    """Return the objective of a task.

    Args:
        settings: its loss (None takes the task's default) and class weights (``balanced``: rows over classes and
            the class's rows, as scikit-learn's; or one a class).
        task: binary, multiclass or regression.
        class_counts: how many training rows each class has, int64 ``[classes]``, by which ``balanced`` weighs; none for
            a regression.
        scale: regression: the standard deviation of each target, float32 ``[targets]``.
        mean_weight: of the training rows, where they have weights of their own.

    Raises:
        InputError: the loss is not one of the task's, or the weights do not fit the classes.
    """
    name, quantile = parse_loss(settings.loss, task)
    if settings.class_weights is not None and task == "regression":
        raise InputError("class weights are for classes; this is a regression")
    return Objective(name, _weights(settings.class_weights, class_counts), scale, quantile, mean_weight)


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
