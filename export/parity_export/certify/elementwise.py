"""Arithmetic on elements: Add, Sub, Mul, Div, Neg, Abs, Clip.

One operation rounds once: a compliant result differs from ``x op y`` of its own operands by at most u |x op y| and
2^-126 where it is flushed. With operands within ``pre`` of the exact ones in total, |x op y| is at most
(1 + 2u)|v'| + 2 pre (v' is one compliant result itself), so that

    |v - exact| <= (1 + 2u) pre + u (1 + 2u) |v'| + 4 * 2^-126

where the four flushes are of this result and of v', written and read. In units of u/2 the factor of |v'| is 2 (1 + 2u).
"""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.certify.arithmetic import FLUSH, FLUSHED, UNIT, U, gamma
from parity_export.certify.errors import refusal
from parity_export.certify.linear import AffineMap, after_linear
from parity_export.certify.radius import Factor, Radius
from parity_export.certify.scope import Scope

_ROUNDED = 2 * (1 + 2 * U)
_ONCE = 1 + 2 * U


def add(scope: Scope, node: ir.Node) -> Radius:
    """V = x + y, or x - y: pre = e_x + e_y. What is added to a linear map may be fused into it as its bias.

    A constant: `after_linear`. A computed y takes part in at most n + 1 roundings then, as do the terms of the map:
    gamma_(n+1) |y'| is added, e_x grows by gamma_(n+1) / gamma_n, and e_y by 1 + 2 gamma_(n+1).
    """
    for index in (0, 1):
        constant = scope.constant(node.inputs[1 - index])
        if constant is not None:
            return _add_constant(scope, node, index, _checked(scope, node, index, constant))
    values = scope.operand(node, 0), scope.operand(node, 1)
    foldings = [scope.radius(value).folding for value in values]
    (first, first_scale), (second, second_scale) = map(scope.tensor, values)
    total, scale = scope.emit("Add", [first, second]), max(first_scale, second_scale)
    for folding, other in zip(foldings, reversed(values), strict=True):
        if folding is not None:
            error = gamma(folding.roundings + 1)
            part = scope.emit("Mul", [scope.magnitude(other), scope.number(error / UNIT)])
            total = scope.emit("Add", [total, part])
            scale *= error / gamma(folding.roundings) * (1 + 2 * error) * _ONCE
    return Radius(total, scale * _ONCE * _ONCE, _ROUNDED, 4 * FLUSHED)


def _add_constant(scope: Scope, node: ir.Node, index: int, constant: NDArray[np.float64]) -> Radius:
    radius = scope.radius(scope.operand(node, index))
    if not constant.any() and (index == 0 or node.op_type == "Add"):
        return radius
    if radius.folding is not None:
        return after_linear(scope, node, AffineMap(np.ones(1), np.abs(constant), 1), index)
    if radius.tensor is not None or radius.relative:
        radius = Radius(*scope.tensor(scope.operand(node, index)))
    return Radius(radius.tensor, radius.scale * _ONCE, _ROUNDED, _ONCE * radius.constant + 4 * FLUSHED)


def multiply(scope: Scope, node: ir.Node) -> Radius:
    """V = x c: pre = |c| e_x (`scaled`). V = x y: see `product`."""
    for index in (0, 1):
        constant = scope.constant(node.inputs[1 - index])
        if constant is not None:
            return scaled(scope, node, index, _checked(scope, node, index, constant))
    return product(scope, node)


def divide(scope: Scope, node: ir.Node) -> Radius:
    """V = x / c: pre = e_x / |c| (`scaled`). The divisor must be constant and not zero."""
    constant = scope.constant(node.inputs[1])
    if constant is None or (constant == 0).any():
        raise refusal(node, "the divisor must be constant, and not zero")
    return scaled(scope, node, 0, 1 / _checked(scope, node, 0, constant), folded=2)


def scaled(scope: Scope, node: ir.Node, index: int, factor: NDArray[np.float64], folded: int = 1) -> Radius:
    """Return the radius of x times constants: pre = |c| e_x; nothing is rounded where |c| is 1, 1/2, 1/4, ...

    After a linear map the factor may be folded into the weights (`after_linear`).

    Args:
        scope: the graph.
        node: takes x.
        index: of x among the node's inputs.
        factor: c.
        folded: roundings of a term: 1, or 2 where c is a divisor, whose reciprocal is rounded itself.
    """
    radius = scope.radius(scope.operand(node, index))
    factor = np.abs(factor)
    if (factor == 1).all():
        return radius
    if ((factor != 0) & (factor < 2 * FLUSH)).any():
        raise refusal(node, "its factor is subnormal")
    if radius.folding is not None:
        return after_linear(scope, node, AffineMap(factor, np.zeros(1), folded), index)
    exact = bool((np.frexp(factor)[0] == 0.5).all() and factor.max() <= 1)
    rounded, largest = (0.0 if exact else folded * _ROUNDED), float(factor.max())
    known = radius.factor.then(largest, folded) if factor.size == 1 else Factor()
    if radius.tensor is None and not radius.relative:  # the same exact x everywhere
        return Radius(None, 1.0, rounded, largest * radius.constant + 4 * FLUSHED, factor=known)
    total, scale = scope.tensor(scope.operand(node, index))
    total = scope.emit("Mul", [total, scope.number(factor)])
    constant = 2 * largest * FLUSH + 4 * FLUSHED
    return Radius(total, scale * _ONCE * _ONCE * _ONCE, rounded, constant, factor=known)


def product(scope: Scope, node: ir.Node) -> Radius:
    """V = x y, both computed: pre = |x'| e_y + |y'| e_x + 3 e_x e_y.

    For compliant x, y and the exact X, Y: |x y - X Y| <= |x| |y - Y| + |Y| |x - X|, where |x| <= |x'| + 2 e_x and
    |Y| <= |y'| + e_y. A magnitude may be read as zero when it is subnormal: 2^-100 is added to it.
    """
    x, y = scope.operand(node, 0), scope.operand(node, 1)
    (e_x, x_scale), (e_y, y_scale) = scope.tensor(x), scope.tensor(y)
    tiny, scale = scope.number(2.0**-100), max(x_scale, y_scale)
    reach = scope.emit("Mul", [e_x, scope.number(3 * UNIT * scale)])
    reach = scope.emit("Add", [scope.emit("Add", [reach, tiny]), scope.magnitude(x)])
    first = scope.emit("Mul", [reach, e_y])
    second = scope.emit("Mul", [scope.emit("Add", [scope.magnitude(y), tiny]), e_x])
    return Radius(scope.emit("Add", [first, second]), scale * (1 + 12 * U), _ROUNDED, 5 * FLUSHED)


def same(scope: Scope, node: ir.Node) -> Radius:
    """V = -x, |x| or x: exact, and no two values come further apart."""
    radius = scope.radius(scope.operand(node))
    return (
        radius if node.op_type == "Identity" else Radius(radius.tensor, radius.scale, radius.relative, radius.constant)
    )


def clip(scope: Scope, node: ir.Node) -> Radius:
    """V = min(max(x, low), high): exact, and no two values come further apart."""
    if all(bound is None for bound in node.inputs[1:]):
        return scope.radius(scope.operand(node))
    for bound in node.inputs[1:]:
        if bound is not None and scope.constant(bound) is None:
            raise refusal(node, "its bounds must be constant")
    total, scale = scope.tensor(scope.operand(node, 0))
    return Radius(total, scale, 0.0, 2 * FLUSHED)


def _checked(scope: Scope, node: ir.Node, index: int, constant: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return a constant operand in float64; it must be normal, and broadcast to the other operand's shape."""
    if constant.dtype != np.float32:
        raise refusal(node, f"its constant is {constant.dtype}")
    if ((constant != 0) & (np.abs(constant) < FLUSH)).any():
        raise refusal(node, "its constant is subnormal")
    value, result = scope.operand(node, index), node.outputs[0]
    if value.shape is None or result.shape is None or value.shape != result.shape:
        raise refusal(node, "its constant has more elements than what it is combined with")
    return constant.astype(np.float64)
