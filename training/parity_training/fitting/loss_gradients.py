"""How a loss changes with a network's outputs: written out for the default losses, by autograd for all others."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from parity_training.fitting.objectives import LossFunction, Objective

_ATEN = cast("Any", torch.ops.aten)
_NONE = 0  # ATen's reduction: a loss for each element


class LossGradient(ABC):
    """The gradient of a mean loss, to the bit autograd's; the loss itself is computed for many batches at once."""

    @abstractmethod
    def step(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the loss of a batch is computed of later, and the gradient of its mean by the outputs.

        Args:
            outputs: of the network, ``[batch, outputs]``.
            targets: as the loss takes them, ``[batch]`` or ``[batch, outputs]``.
        """

    @abstractmethod
    def total(self, kept: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Return the sum over batches of their mean losses times their rows, float64, a scalar.

        Args:
            kept: what `step` returned first, of each batch.
            targets: of each batch.
        """


def loss_gradient(objective: Objective, device: torch.device) -> LossGradient:
    """Return the gradient of an objective's loss."""
    written = {"BCEWithLogitsLoss": _Logistic, "CrossEntropyLoss": _CrossEntropy}.get(objective.name)
    if written and objective.class_weights is None and objective.mean_weight is None:
        return written()
    return _ByAutograd(objective.loss_function(device))


class _Mean(LossGradient):
    """The mean over a batch, whose size is a tensor: to divide by one takes a third of the time."""

    _count = 0
    _divisor: Tensor

    def divisor(self, count: int, outputs: Tensor) -> Tensor:
        """Return the size of the batch at hand; all but the last of an epoch have the same."""
        if count != self._count:
            self._count, self._divisor = count, outputs.new_tensor(count)
        return self._divisor


class _Logistic(_Mean):
    def step(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        elements = self.divisor(targets.numel(), outputs)
        return outputs, torch.sigmoid(outputs).sub_(targets.view_as(outputs)).div_(elements)

    def total(self, kept: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        logits, true = torch.cat(list(kept)), torch.cat(list(targets))
        losses = torch.binary_cross_entropy_with_logits(logits.view_as(true), true, None, None, _NONE)
        return losses.sum(dtype=torch.float64).div_(true[0].numel())  # a row's loss is the mean over its targets


class _CrossEntropy(_Mean):
    def step(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logarithms, rows = torch.log_softmax(outputs, 1), self.divisor(len(targets), outputs)
        gradient = _ATEN.nll_loss_backward.default(outputs.new_ones(()), logarithms, targets, None, 1, -100, rows)
        return logarithms, _ATEN._log_softmax_backward_data.default(gradient, logarithms, 1, torch.float32)

    def total(self, kept: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        losses = functional.nll_loss(torch.cat(list(kept)), torch.cat(list(targets)), reduction="none")
        return losses.sum(dtype=torch.float64)


class _ByAutograd(LossGradient):
    def __init__(self, loss_function: LossFunction) -> None:
        self._loss_function = loss_function

    def step(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        leaf = outputs.detach().requires_grad_()  # the outputs go on into derivatives, which autograd must not follow
        with torch.enable_grad():
            loss = self._loss_function(leaf, targets)
        return loss.detach(), torch.autograd.grad(loss, leaf)[0]

    def total(self, kept: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        rows = torch.tensor([len(one) for one in targets], dtype=torch.float64, device=kept[0].device)
        return torch.stack(list(kept)).double().dot(rows)
