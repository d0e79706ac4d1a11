"""How a loss changes with what an activation takes, of how it changes with what that gives: kernels of ATen."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from parity_training.networks.table_network import LogLink, TargetScale, Temperature

_ATEN = cast("Any", torch.ops.aten)
_SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)  # alpha and scale of torch.nn.SELU

Derivative = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From the loss's gradient by a layer's results, its arguments and its results: the gradient by its arguments."""


def _by(name: str, *, results: bool = False) -> Callable[..., Derivative]:
    """Return a derivative that ATen has, of a layer's arguments or results, and of the layer's own numbers."""
    backward = getattr(_ATEN, name).default
    if results:
        return lambda *numbers: lambda gradient, _, y: backward(gradient, y, *numbers)
    return lambda *numbers: lambda gradient, x, _: backward(gradient, x, *numbers)


def _elu(alpha: float, scale: float = 1.0, inverse: float = 1.0) -> Derivative:
    return lambda gradient, x, _: _ATEN.elu_backward.default(gradient, alpha, scale, inverse, False, x)


DERIVATIVES: dict[type[nn.Module], tuple[Callable[..., Derivative], tuple[str, ...]]] = {
    nn.CELU: (lambda alpha: _elu(alpha, 1.0, 1.0 / alpha), ("alpha",)),
    nn.ELU: (_elu, ("alpha",)),
    nn.GELU: (lambda kind: lambda g, x, _: _ATEN.gelu_backward.default(g, x, approximate=kind), ("approximate",)),
    nn.Hardsigmoid: (_by("hardsigmoid_backward"), ()),
    nn.Hardswish: (_by("hardswish_backward"), ()),
    nn.Hardtanh: (_by("hardtanh_backward"), ("min_val", "max_val")),
    nn.Identity: (lambda: lambda gradient, _x, _y: gradient, ()),
    nn.LeakyReLU: (lambda slope: _by("leaky_relu_backward")(slope, False), ("negative_slope",)),
    nn.Mish: (_by("mish_backward"), ()),
    nn.ReLU: (lambda: _by("threshold_backward", results=True)(0), ()),
    nn.ReLU6: (_by("hardtanh_backward"), ("min_val", "max_val")),
    nn.SELU: (lambda: _elu(*_SELU), ()),
    nn.SiLU: (_by("silu_backward"), ()),
    nn.Sigmoid: (_by("sigmoid_backward", results=True), ()),
    nn.Softplus: (_by("softplus_backward"), ("beta", "threshold")),
    nn.Tanh: (_by("tanh_backward", results=True), ()),
    LogLink: (lambda: lambda gradient, _, y: gradient * y, ()),
    TargetScale: (lambda scale: lambda gradient, _x, _y: gradient * scale, ("scale",)),
    Temperature: (lambda inverse: lambda gradient, _x, _y: gradient * inverse, ("inverse",)),
}
"""Of each layer without parameters its derivative, and which of its attributes that takes."""
