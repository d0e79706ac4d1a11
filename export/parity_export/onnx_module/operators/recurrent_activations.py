"""The functions that RNN, GRU and LSTM may be told to bend by."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from parity_export.onnx_module.operators.activations import sigmoid, softplus
from parity_export.onnx_module.operators.operator import Node, NotThisOperatorError

Activation = Callable[[Tensor], Tensor]
_Two = Callable[[Tensor, float, float], Tensor]

_FUNCTIONS: dict[str, tuple[_Two, tuple[float | None, ...]]] = {
    "relu": (lambda x, _, __: x.clamp(min=0), ()),
    "tanh": (lambda x, _, __: torch.tanh(x), ()),
    "sigmoid": (lambda x, _, __: sigmoid(x), ()),
    "softsign": (lambda x, _, __: x / (1 + x.abs()), ()),
    "softplus": (lambda x, _, __: softplus(x), ()),
    "affine": (lambda x, alpha, beta: alpha * x + beta, (None, None)),
    "scaledtanh": (lambda x, alpha, beta: alpha * torch.tanh(beta * x), (None, None)),
    "hardsigmoid": (lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1), (0.20000000298023224, 0.5)),
    "leakyrelu": (lambda x, alpha, _: torch.where(x >= 0, x, alpha * x), (0.009999999776482582,)),
    "thresholdedrelu": (lambda x, alpha, _: torch.where(x >= alpha, x, torch.zeros_like(x)), (1.0,)),
    "elu": (lambda x, alpha, _: torch.where(x >= 0, x, alpha * torch.expm1(x)), (1.0,)),
}
"""By name in small letters: the function of numbers, alpha and beta, and the defaults of those that it takes; None
where ONNX has none."""


def activations_of(node: Node, default: Sequence[str]) -> list[Activation]:
    """Return the functions of a recurrent node, for each gate of each direction in order.

    Alphas and betas are taken from their lists by the functions that need them, one after the other.

    Raises:
        NotThisOperatorError: one of them has another name, or needs a number that is not said, or there are too few.
    """
    names = [one.decode() for one in node.attributes.get("activations", [])] or list(default)
    if len(names) != len(default):
        raise NotThisOperatorError
    alphas, betas = (list(node.attributes.get(f"activation_{name}", [])) for name in ("alpha", "beta"))
    return [_activation(name.lower(), alphas, betas, node.attributes.get("clip")) for name in names]


def _activation(name: str, alphas: list[float], betas: list[float], clip: float | None) -> Activation:
    if name not in _FUNCTIONS:
        raise NotThisOperatorError
    function, defaults = _FUNCTIONS[name]
    said = [given.pop(0) if given else default for given, default in zip((alphas, betas), defaults, strict=False)]
    if None in said:
        raise NotThisOperatorError
    alpha, beta = [float(one or 0) for one in (*said, 0.0, 0.0)][:2]
    return lambda x: function(x if clip is None else x.clamp(-clip, clip), alpha, beta)
