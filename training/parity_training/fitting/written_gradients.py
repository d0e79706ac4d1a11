"""The gradients of small networks, written out: stacks of Linear layers and activations, by the chain rule.

A small step of torch's autograd is mostly bookkeeping. A step here is the operators of ATen that autograd would call,
and nothing beside them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from parity_training.fitting.derivatives import DERIVATIVES
from parity_training.fitting.loss_gradients import LossGradient, loss_gradient
from parity_training.fitting.objectives import Objective
from parity_training.networks.linear_stack import linear_stack
from parity_training.networks.table_network import TableNetwork

_ROWS_AT_ONCE = 2**11
_WORK_AT_ONCE = 2**22  # multiplications, a moment: whoever asks a training to stop waits no longer


class WrittenGradients:
    """The gradients of one stack and loss; the parameters may change, but not be exchanged, while it is used.

    >>> import torch
    >>> from torch import nn
    >>> from parity_training.fitting.objectives import Objective
    >>> network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> gradients = WrittenGradients.of(network, Objective("BCEWithLogitsLoss"))
    >>> targets = torch.ones(8)
    >>> kept, found = gradients([torch.zeros(8, 2)], targets)
    >>> [tuple(gradient.shape) for gradient in found]
    [(4, 2), (4,), (1, 4), (1,)]
    >>> gradients.loss.total([kept], [targets]).dtype
    torch.float64

    Args:
        network: a `linear_stack`.
        layers: of it.
        loss: of a batch, and its gradient by the outputs.
    """

    def __init__(self, network: nn.Module, layers: Sequence[nn.Module], loss: LossGradient) -> None:
        self.layers, self.loss = layers, loss
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

    def steps_at_once(self, batch_size: int) -> int:
        """Return of how many steps the losses are computed together: in one step they take a third of its time."""
        weights = sum(parameter.numel() for layer in self.layers for parameter in layer.parameters())
        return max(1, min(_ROWS_AT_ONCE // batch_size, _WORK_AT_ONCE // (batch_size * weights)))

    def __call__(self, inputs: Sequence[Tensor], targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what `loss` keeps of a batch, and the gradient of its mean loss by each of the network's parameters.

        Args:
            inputs: what the network takes, ``[batch, ...]``.
            targets: as the loss takes them, ``[batch]`` or ``[batch, outputs]``.
        """
        values = [self._first(*inputs)]
        for step in self._steps:
            values.append(step.forward(values[-1]))
        kept, gradient = self.loss.step(values[-1], targets)
        found: list[Tensor] = []  # from the last to the first
        for place in range(len(self._steps) - 1, -1, -1):
            gradient = self._steps[place].backward(gradient, values[place], values[place + 1], found)
        found.reverse()
        return kept, found


def _itself(value: Tensor) -> Tensor:
    return value


class _Linear:
    def __init__(self, layer: nn.Linear, *, first: bool) -> None:
        self._first = first
        self._weight, self._bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
        self._transposed = self._weight.t()

    def forward(self, x: Tensor) -> Tensor:
        return x.mm(self._transposed) if self._bias is None else torch.addmm(self._bias, x, self._transposed)

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
