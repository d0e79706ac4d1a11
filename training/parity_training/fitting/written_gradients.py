"""The gradients of small networks, written out: stacks of Linear layers and activations, by the chain rule.

A small step of torch's autograd is mostly bookkeeping. A step here is the operators of ATen that autograd would call,
and nothing beside them.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from parity_training.fitting.derivatives import DERIVATIVES
from parity_training.fitting.objectives import Objective
from parity_training.networks.linear_stack import linear_stack
from parity_training.networks.table_network import TableNetwork

_ATEN = cast("Any", torch.ops.aten)

LossGradient = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From outputs and prepared targets to the mean loss of a batch and its gradient by the outputs."""


def loss_gradient(objective: Objective, device: torch.device) -> LossGradient:
    """Return a loss and its gradient: written out for the default losses, of all others by autograd, of it alone."""
    written = {"BCEWithLogitsLoss": _logistic, "CrossEntropyLoss": _cross_entropy}.get(objective.name)
    if written and objective.class_weights is None and objective.mean_weight is None:
        return written
    loss_function = objective.loss_function(device)

    def by_autograd(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        leaf = outputs.detach().requires_grad_()  # the outputs go on into derivatives, which autograd must not follow
        with torch.enable_grad():
            loss = loss_function(leaf, targets)
        return loss.detach(), torch.autograd.grad(loss, leaf)[0]

    return by_autograd


def _logistic(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    logits = outputs.view_as(targets)
    loss = torch.binary_cross_entropy_with_logits(logits, targets, None, None, 1)  # the mean
    return loss, torch.sigmoid(logits).sub_(targets).div_(targets.numel()).view_as(outputs)


def _cross_entropy(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    logarithms = torch.log_softmax(outputs, 1)
    loss, rows = _ATEN.nll_loss_forward.default(logarithms, targets, None, 1, -100)
    gradient = _ATEN.nll_loss_backward.default(torch.ones_like(loss), logarithms, targets, None, 1, -100, rows)
    return loss, _ATEN._log_softmax_backward_data.default(gradient, logarithms, 1, torch.float32)


class WrittenGradients:
    """The gradients of one stack and loss; the parameters may change, but not be exchanged, while it is used.

    >>> import torch
    >>> from torch import nn
    >>> from parity_training.fitting.objectives import Objective
    >>> network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> gradients = WrittenGradients.of(network, Objective("BCEWithLogitsLoss"))
    >>> loss, found = gradients([torch.zeros(8, 2)], torch.ones(8))
    >>> [tuple(gradient.shape) for gradient in found]
    [(4, 2), (4,), (1, 4), (1,)]

    Args:
        network: a `linear_stack`.
        layers: of it.
        loss: from outputs and targets to the mean loss and its gradient.
    """

    def __init__(self, network: nn.Module, layers: Sequence[nn.Module], loss: LossGradient) -> None:
        self.layers, self._loss = layers, loss
        self._first = network.body_input if isinstance(network, TableNetwork) else _itself
        self._steps: list[_Linear | _Activation] = []
        for layer in layers:
            first = not any(isinstance(step, _Linear) for step in self._steps)
            self._steps.append(_Linear(layer, first=first) if isinstance(layer, nn.Linear) else _Activation(layer))

    @classmethod
    def of(cls, network: nn.Module, objective: Objective) -> "WrittenGradients | None":
        """Return the gradients of a network; None where it is no `linear_stack`, or torch is asked to do more."""
        layers = linear_stack(network, DERIVATIVES)
        device = next(network.parameters()).device
        if layers is None or torch.is_anomaly_enabled() or torch.is_autocast_enabled(device.type):
            return None
        return cls(network, layers, loss_gradient(objective, device))

    def __str__(self) -> str:
        return f"written out, of {', '.join(type(layer).__name__ for layer in self.layers)}"

    def __call__(self, inputs: Sequence[Tensor], targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the mean loss of a batch, float32, a scalar, and its gradient by each of the network's parameters.

        Args:
            inputs: what the network takes, ``[batch, ...]``.
            targets: as the loss takes them, ``[batch]`` or ``[batch, outputs]``.
        """
        values = [self._first(*inputs)]
        for step in self._steps:
            values.append(step.forward(values[-1]))
        loss, gradient = self._loss(values[-1], targets)
        found: list[Tensor] = []  # from the last to the first
        for place in range(len(self._steps) - 1, -1, -1):
            gradient = self._steps[place].backward(gradient, values[place], values[place + 1], found)
        found.reverse()
        return loss, found


def _itself(value: Tensor) -> Tensor:
    return value


class _Linear:
    def __init__(self, layer: nn.Linear, *, first: bool) -> None:
        self._first = first
        self._weight, self._bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self._weight, self._bias)

    def backward(self, gradient: Tensor, x: Tensor, _: Tensor, found: list[Tensor]) -> Tensor:
        if self._bias is not None:
            found.append(gradient.sum(0))
        found.append(gradient.t().mm(x))
        return gradient if self._first else gradient.mm(self._weight)  # nobody asks for that of the inputs


class _Activation:
    def __init__(self, layer: nn.Module) -> None:
        derivative, names = DERIVATIVES[type(layer)]
        self.forward = layer.forward
        self._derivative = derivative(*(getattr(layer, name) for name in names))

    def backward(self, gradient: Tensor, x: Tensor, y: Tensor, _: list[Tensor]) -> Tensor:
        return self._derivative(gradient, x, y)
