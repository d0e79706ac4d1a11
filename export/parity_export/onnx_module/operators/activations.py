"""Functions of one number that networks bend by, in a form that stays exact where a textbook's loses digits."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, per_channel


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x)): in float32 by torch's kernel, an honest one; in float64 the tail keeps its digits."""
    if x.dtype != torch.float64:
        return torch.sigmoid(x)
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x))."""
    return torch.log1p(torch.exp(-x.abs())) + x.clamp(min=0)


def gelu(x: Tensor) -> Tensor:
    """Return x times the normal distribution's share below it."""
    if x.dtype != torch.float64:
        return functional.gelu(x)
    tail: Tensor = torch.special.erfc(-x / math.sqrt(2))
    return 0.5 * x * tail


def tanh_gelu(x: Tensor) -> Tensor:
    """Return GELU's approximation by tanh."""
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))


def _gelu(x: Inputs, node: Node) -> Tensor:
    return tanh_gelu(x[0]) if node.text("approximate", "none") == "tanh" else gelu(x[0])


def _elu(x: Inputs, node: Node) -> Tensor:
    return torch.where(x[0] > 0, x[0], node.number("alpha", 1.0) * torch.expm1(x[0]))


def _celu(x: Inputs, node: Node) -> Tensor:
    alpha = node.number("alpha", 1.0)
    return torch.where(x[0] > 0, x[0], alpha * torch.expm1(x[0] / alpha))


_SELU = {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}
"""Selu's defaults, as float32."""


def _selu(x: Inputs, node: Node) -> Tensor:
    alpha, gamma = (node.number(name, default) for name, default in _SELU.items())
    return gamma * torch.where(x[0] > 0, x[0], alpha * torch.expm1(x[0]))


def _hard_sigmoid(x: Inputs, node: Node) -> Tensor:
    return (node.number("alpha", _FIFTH) * x[0] + node.number("beta", 0.5)).clamp(0, 1)


_FIFTH = 0.20000000298023224
"""HardSigmoid's default slope, as float32."""


def _leaky(x: Inputs, node: Node) -> Tensor:
    return torch.where(x[0] >= 0, x[0], node.number("alpha", 0.009999999776482582) * x[0])


_BROADCAST_SINCE = 7
"""Before that opset PRelu had a slope for each channel, or one."""


def _prelu(x: Inputs, node: Node) -> Tensor:
    slope = x[1]
    if node.version < _BROADCAST_SINCE:
        if slope.numel() != 1 and slope.shape != x[0].shape[1:2]:
            raise NotThisOperatorError
        slope = slope.reshape(()) if slope.numel() == 1 else per_channel(slope, x[0].ndim)
    return torch.where(x[0] >= 0, x[0], slope * x[0])


def _thresholded(x: Inputs, node: Node) -> Tensor:
    return torch.where(x[0] > node.number("alpha", 1.0), x[0], torch.zeros_like(x[0]))


def _shrink(x: Inputs, node: Node) -> Tensor:
    if not x[0].is_floating_point():
        raise NotThisOperatorError
    bias, reach = node.number("bias", 0.0), node.number("lambd", 0.5)
    inner = torch.where(x[0] > reach, x[0] - bias, torch.zeros_like(x[0]))
    return torch.where(x[0] < -reach, x[0] + bias, inner)


def _swish(x: Inputs, node: Node) -> Tensor:
    return x[0] * sigmoid(node.number("alpha", 1.0) * x[0])


OPERATORS: dict[str, Operator] = {
    "Relu": lambda x, _: x[0].clamp(min=0),
    "Tanh": lambda x, _: torch.tanh(x[0]),
    "Sigmoid": lambda x, _: sigmoid(x[0]),
    "Erf": lambda x, _: torch.erf(x[0]),
    "Gelu": _gelu,
    "Softplus": lambda x, _: softplus(x[0]),
    "Softsign": lambda x, _: x[0] / (1 + x[0].abs()),
    "Mish": lambda x, _: x[0] * torch.tanh(softplus(x[0])),
    "Elu": _elu,
    "Celu": _celu,
    "Selu": _selu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x, _: x[0] * (x[0] / 6 + 0.5).clamp(0, 1),
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "ThresholdedRelu": _thresholded,
    "Shrink": _shrink,
    "Swish": _swish,
}
