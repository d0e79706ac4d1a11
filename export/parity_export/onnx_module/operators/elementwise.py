"""Arithmetic, comparisons and logic, element by element."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given


def _one(compute: Callable[[Tensor], Tensor]) -> Operator:
    return lambda x, _: compute(x[0])


def _two(compute: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda x, _: compute(x[0], x[1])


def _many(compute: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda x, _: functools.reduce(compute, x)


def _div(x: Inputs, node: Node) -> Tensor:
    if x[0].is_floating_point():
        return x[0] / x[1]
    return torch.div(x[0], x[1], rounding_mode="trunc")


def _mod(x: Inputs, node: Node) -> Tensor:
    return torch.fmod(x[0], x[1]) if node.integer("fmod", 0) else torch.remainder(x[0], x[1])


def _pow(x: Inputs, node: Node) -> Tensor:
    if not x[0].is_floating_point():
        raise NotThisOperatorError
    if x[1].numel() == 1 and x[1].ndim <= x[0].ndim and float(x[1]).is_integer():
        return torch.pow(x[0], float(x[1]))  # honest evaluations move no number: x^2.0000001 is NaN below 0
    return torch.pow(x[0], x[1].to(x[0].dtype))


def _sign(x: Tensor) -> Tensor:
    return torch.where(x.isnan(), x, torch.sign(x)) if x.is_floating_point() else torch.sign(x)


def _clip(x: Inputs, node: Node) -> Tensor:
    low, high = given(x, 1), given(x, 2)
    low = node.attributes.get("min", low)
    high = node.attributes.get("max", high)
    result = x[0]
    if low is not None:
        result = torch.maximum(result, torch.as_tensor(low, dtype=result.dtype))
    return result if high is None else torch.minimum(result, torch.as_tensor(high, dtype=result.dtype))


def _is_inf(x: Inputs, node: Node) -> Tensor:
    negative, positive = node.integer("detect_negative", 1), node.integer("detect_positive", 1)
    found = torch.isinf(x[0])
    if not negative:
        found = found & (x[0] > 0)
    return found if positive else found & (x[0] < 0)


def _where(x: Inputs, node: Node) -> Tensor:
    return torch.where(x[0], x[1], x[2])


def _bit_shift(x: Inputs, node: Node) -> Tensor:
    return x[0] << x[1] if node.text("direction", "LEFT") == "LEFT" else x[0] >> x[1]


def _equal(x: Inputs, node: Node) -> Tensor:
    if not all(isinstance(one, Tensor) for one in x):
        raise NotThisOperatorError
    return x[0] == x[1]


OPERATORS: dict[str, Operator] = {
    "Add": _two(torch.add),
    "Sub": _two(torch.sub),
    "Mul": _two(torch.mul),
    "Div": _div,
    "Mod": _mod,
    "Pow": _pow,
    "Max": _many(torch.maximum),
    "Min": _many(torch.minimum),
    "Sum": _many(torch.add),
    "Mean": lambda x, _: functools.reduce(torch.add, x) / len(x),
    "Neg": _one(torch.neg),
    "Abs": _one(torch.abs),
    "Sqrt": _one(torch.sqrt),
    "Reciprocal": _one(torch.reciprocal),
    "Exp": _one(torch.exp),
    "Log": _one(torch.log),
    "Floor": _one(torch.floor),
    "Ceil": _one(torch.ceil),
    "Round": _one(torch.round),
    "Sign": _one(_sign),
    "Clip": _clip,
    "IsNaN": _one(torch.isnan),
    "IsInf": _is_inf,
    "Where": _where,
    "And": _two(torch.logical_and),
    "Or": _two(torch.logical_or),
    "Xor": _two(torch.logical_xor),
    "Not": _one(torch.logical_not),
    "Equal": _equal,
    "Greater": _two(torch.gt),
    "GreaterOrEqual": _two(torch.ge),
    "Less": _two(torch.lt),
    "LessOrEqual": _two(torch.le),
    "BitShift": _bit_shift,
    "BitwiseAnd": _two(torch.bitwise_and),
    "BitwiseOr": _two(torch.bitwise_or),
    "BitwiseXor": _two(torch.bitwise_xor),
    "BitwiseNot": _one(torch.bitwise_not),
    **{
        name: _one(getattr(torch, name.lower()))
        for name in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh")
    },
}
