"""Arithmetic, comparisons and logic, element by element."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given


def _one(compute: Callable[[Tensor], Tensor]) -> Operator:
    return lambda x, _: compute(x[0])


_BROADCAST_SINCE = 7
"""Before that opset the second operand's axes were the first's from ``axis`` on, its last ones by default."""


def _meeting(x: Inputs, node: Node) -> tuple[Tensor, Tensor]:
    """Return both operands in shapes that torch broadcasts as ONNX does."""
    first, second = x
    if node.version >= _BROADCAST_SINCE or first.shape == second.shape:
        return first, second
    if not node.integer("broadcast", 0):
        raise IndexError(f"shapes {list(first.shape)} and {list(second.shape)} of operands that are not broadcast")
    if second.numel() == 1:
        return first, second.reshape(())
    axis = node.integer("axis", first.ndim - second.ndim)
    if axis < 0 or first.shape[axis : axis + second.ndim] != second.shape:
        raise IndexError(f"an operand {list(second.shape)} is not a part of {list(first.shape)} from axis {axis} on")
    return first, second.reshape(*second.shape, *[1] * (first.ndim - axis - second.ndim))


def _two(compute: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda x, node: compute(*_meeting(x, node))


def _many(compute: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda x, _: functools.reduce(compute, x)


def _div(first: Tensor, second: Tensor) -> Tensor:
    return first / second if first.is_floating_point() else torch.div(first, second, rounding_mode="trunc")


def _mod(x: Inputs, node: Node) -> Tensor:
    return torch.fmod(x[0], x[1]) if node.integer("fmod", 0) else torch.remainder(x[0], x[1])


def _pow(base: Tensor, exponent: Tensor) -> Tensor:
    if not base.is_floating_point():
        raise NotThisOperatorError
    if exponent.numel() == 1 and exponent.ndim <= base.ndim and float(exponent).is_integer():
        return torch.pow(base, float(exponent))  # honest evaluations move no number: x^2.0000001 is NaN below 0
    return torch.pow(base, exponent.to(base.dtype))


def _sign(x: Tensor) -> Tensor:
    return torch.where(x.isnan(), x, torch.sign(x)) if x.is_floating_point() else torch.sign(x)


def _clip(x: Inputs, node: Node) -> Tensor:
    low, high = given(x, 1), given(x, 2)
    low = node.attributes.get("min", low)
    high = node.attributes.get("max", high)
    result = x[0]
    if result.is_floating_point():  # ONNX's defaults are the ends of the dtype, not infinite
        ends = torch.finfo(torch.float32 if node.double else result.dtype)
        low, high = (_end(one, result, end) for one, end in ((low, ends.min), (high, ends.max)))
    if low is not None:
        result = torch.maximum(result, torch.as_tensor(low, dtype=result.dtype))
    return result if high is None else torch.minimum(result, torch.as_tensor(high, dtype=result.dtype))


def _end(limit: Any, values: Tensor, end: float) -> Any:
    """Return a limit; where none is given, the dtype's end if a value is infinite."""
    return end if limit is None and bool(values.isinf().any()) else limit


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
    first, second = _meeting(x, node)
    return first == second


OPERATORS: dict[str, Operator] = {
    "Add": _two(torch.add),
    "Sub": _two(torch.sub),
    "Mul": _two(torch.mul),
    "Div": _two(_div),
    "Mod": _mod,
    "Pow": _two(_pow),
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
