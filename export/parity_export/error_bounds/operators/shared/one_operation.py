"""One operation on two elements, the error bound that Add, Sub, Mul and Div share.

One operation rounds once: a compliant result differs from ``x op y`` of its own operands by at most u |x op y| and
2^-126 where it is flushed. With operands within ``pre`` of the exact ones in total, |x op y| is at most
(1 + 2u)|v'| + 2 pre (v' is one compliant result itself), so that

    |v - exact| <= (1 + 2u) pre + u (1 + 2u) |v'| + 4 * 2^-126

where the four flushes are of this result and of v', written and read. In units of u/2 the factor of |v'| is 2 (1 + 2u).
"""

from dataclasses import replace
from functools import reduce

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.pulls import negated, unchanged
from parity_export.error_bounds.adjoints.pulls import scaled as constant_slope
from parity_export.error_bounds.adjoints.steps import (
    Passing,
    ends_at,
    fits,
    handed_on,
    held,
    hold,
    holds_a_map,
    pass_through,
    record,
    same,
    with_share,
)
from parity_export.error_bounds.bound import Bound, Factor
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import added, elementwise
from parity_export.error_bounds.operators.shared.affine_map import AffineMap, after_linear, grown_by
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma, growth

ROUNDED = 2 * (1 + 2 * U)
"""The factor of |v'| in units of u/2."""

_ONCE = 1 + 2 * U

_MOST_ROUNDINGS = 1024
"""That a constant may count: what they are to second order is then less than one more."""


def add_or_subtract(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x + y, or x - y: pre = e_x + e_y. What is added to a linear map may be fused into it as its bias.

    A constant: `after_linear`. A computed y takes part in at most n + 1 roundings then, as do the terms of the map:
    gamma_(n+1) |y'| is added, e_x grows by 1 + 2 / (n + 1) (`rounding_model.growth`), and e_y by 1 + 2 gamma_(n+1).
    """
    for index in (0, 1):
        if (
            builder.is_rounded(node.inputs[1 - index])
            and builder.bound(builder.operand(node, index)).folding is not None
        ):
            return _add_rounded(builder, node, index)
        constant = builder.constant(node.inputs[1 - index], masks=node.op_type == "Add")
        if constant is not None:
            return _add_constant(builder, node, index, checked_constant(builder, node, index, constant))
    values = builder.operand(node, 0), builder.operand(node, 1)
    foldings = [builder.bound(value).folding for value in values]
    (first, first_scale), (second, second_scale) = map(builder.tensor, values)
    total, scale = builder.emit("Add", [first, second]), max(first_scale, second_scale)
    grown, parts, sizes = 1.0, [], list[ir.Value]()
    regrouped = _regrouped(builder, node)
    for folding, other in zip(foldings, reversed(values), strict=True):
        if folding is not None:
            error = gamma(folding.roundings + 1)
            sizes.append(builder.emit("Mul", [builder.magnitude(other), builder.number(error / UNIT)]))
            total = builder.emit("Add", [total, sizes[-1]])
            grown *= grown_by(folding, 1) * (1 + 2 * error) * _ONCE
            parts.append((error / UNIT, other))
    grown *= _ONCE * _ONCE
    if regrouped is not None:  # of which nothing is in the norms of x and y: none is said of the sum
        grown *= (1 + 2 * gamma(2)) * _ONCE
        return Bound(builder.emit("Add", [total, regrouped]), scale * grown, ROUNDED, 4 * FLUSHED)
    result = Bound(total, scale * grown, ROUNDED, 4 * FLUSHED)
    _record_sum(builder, node, sizes, (grown, 2 * sum(factor for factor, _ in parts) * UNIT), result)
    return added(builder, values, parts, grown, result)


def _record_sum(
    builder: BoundBuilder, node: ir.Node, sizes: list[ir.Value], grown: tuple[float, float], result: Bound
) -> None:
    """Record the step of x + y, or x - y.

    Args:
        builder: the graph.
        node: adds.
        sizes: gamma_(n+1) times the magnitude of what may be fused as a bias.
        grown: of own errors that are handed on, by how much they grow; twice those gamma_(n+1), by which the whole
            error of such a bias counts as well.
        result: the whole error bound.
    """
    values = [builder.operand(node, index) for index in (0, 1)]
    known = [builder.least(value) is not None for value in values]  # made of integers: a mask, which may be broadcast
    if not all(fits(builder, node, value) or whole for value, whole in zip(values, known, strict=True)):
        return
    ended = [whole or ends_at(builder, value) for value, whole in zip(values, known, strict=True)]
    if all(ended):
        return
    owns = [builder.bound(value) if whole else handed_on(builder, value)
            for value, whole in zip(values, known, strict=True)]  # fmt: skip
    handed = [(value, own) for value, own in zip(values, owns, strict=True) if own is not None]
    errors = [builder.summed(value, own) for value, own in handed]
    more, share = grown
    fused = [value for value, end in zip(values, ended, strict=True) if not end and builder.takers[value] == 1]
    maps = [_of_map(builder, value) for value in fused if not holds_a_map(builder, value)]
    errors += [builder.summed(values[0], own) for own in maps if own is not None]
    tensors = [*(error for error, _ in errors), *sizes]
    total = reduce(lambda first, second: builder.emit("Add", [first, second]), tensors) if tensors else None
    scale = max((scale for _, scale in errors), default=1.0) * more * (1 + 4 * U)
    own = with_share(builder, Bound(total, scale, ROUNDED, 4 * FLUSHED), result, (share + 4 * U) * (1 + 4 * U))
    signs = [unchanged, negated(builder) if node.op_type == "Sub" else unchanged]
    record(builder, node, own, [
        (value, sign) for value, sign, end in zip(values, signs, ended, strict=True) if not end
    ])  # fmt: skip


def _of_map(builder: BoundBuilder, value: ir.Value) -> Bound | None:
    """Return what one rounding more makes of a linear map's terms, where a value does not hand on what they add.

    That is at most as much as the map adds of its own; None of a value that comes from no such map.
    """
    folding = builder.bound(value).folding
    if folding is None:
        return None
    total, scale = builder.summed(value, held(builder, value))
    share = builder.number(scale * (growth(folding.roundings, 1) - 1) * (1 + 4 * U))
    return Bound(builder.emit("Mul", [builder.shielded(total), share]))


def _regrouped(builder: BoundBuilder, node: ir.Node) -> ir.Value | None:
    """Return what it costs to add a constant last, in (p + c) + q before a normalization; None elsewhere.

    It may be written out, beginning with a mean. onnxruntime's SkipLayerNormalization computes (p + q) + c. In any
    order each of the three is rounded at most twice: gamma_2 (|p'| + |c| + |q'|), which the errors of p and q raise by
    2 gamma_2 of themselves. Behind a linear map p the sum is one of its terms, the constant and a residual anyhow.
    """
    if not any(use.node.op_type in ("LayerNormalization", "ReduceMean") for use in node.outputs[0].uses()):
        return None
    for value, other in (node.inputs, node.inputs[::-1]):
        inner = None if value is None else value.producer()
        if inner is None or value is None or other is None or inner.op_type not in ("Add", "Sub"):
            continue
        constants = [builder.constant(one) for one in inner.inputs]
        added = any(map(builder.is_rounded, inner.inputs)) or any(array is not None for array in constants)
        if builder.bound(value).folding is None and added:
            parts = [builder.number(np.abs(array.astype(np.float64))) if array is not None else builder.magnitude(one)
                     for one, array in zip(inner.inputs, constants, strict=True) if one is not None]  # fmt: skip
            first, second, third = (*parts, builder.magnitude(other))
            size = builder.emit("Add", [builder.emit("Add", [first, second]), third])
            return builder.emit("Mul", [size, builder.number(gamma(2) / UNIT * (1 + 4 * U))])
    return None


def _add_constant(builder: BoundBuilder, node: ir.Node, index: int, constant: NDArray[np.float64]) -> Bound:
    x = builder.operand(node, index)
    bound, sign = builder.bound(x), -1.0 if index == 1 and node.op_type == "Sub" else 1.0
    if not np.isfinite(constant).all():
        return _add_mask(builder, node, x, constant)
    if not constant.any() and (index == 0 or node.op_type == "Add"):
        return same(builder, node, x)
    if bound.folding is not None:
        return after_linear(builder, node, AffineMap(np.ones(1), np.abs(constant), 1, np.full(1, sign)), index)
    if bound.tensor is not None or bound.relative:
        bound = Bound(*builder.tensor(x))

    def rule(total: ir.Value, scale: float) -> Bound:
        return Bound(total, scale * _ONCE, ROUNDED, 4 * FLUSHED)

    result = Bound(bound.tensor, bound.scale * _ONCE, ROUNDED, _ONCE * bound.constant + 4 * FLUSHED)
    pass_through(builder, node, x, Passing(rule, constant_slope(builder, x, np.full(1, sign)), 4 * U), result)
    return elementwise(builder, x, result, _ONCE)


def _add_rounded(builder: BoundBuilder, node: ir.Node, index: int) -> Bound:
    """Return the error bound of a linear map and a constant c~ within R of c, which may be folded into its bias.

    Where c~ takes part in n roundings it is off by at most gamma_n (|c| + R) + R: as if |c| were R + R / gamma_n more.
    A backward pass ends here, as at every constant that evaluations round differently.
    """
    array, error = builder.rounded_constant(node.inputs[1 - index])
    folding = builder.bound(builder.operand(node, index)).folding
    size = np.abs(checked_constant(builder, node, index, array)) + error
    size = size + error / gamma(1 if folding is None else folding.roundings + 1)
    return after_linear(builder, node, AffineMap(np.ones(1), size, 1, None), index)


def _add_mask(builder: BoundBuilder, node: ir.Node, x: ir.Value, mask: NDArray[np.float64]) -> Bound:
    """Return the error bound of x and a constant that is minus infinity somewhere: there it is infinite.

    Elsewhere it is that of a sum; behind a linear map gamma_(n+1) is at most twice gamma_n.
    """
    total, scale = builder.tensor(x)
    folding = builder.bound(x).folding
    if folding is None:
        size, grown = np.where(np.isinf(mask), np.inf, 0), 1.0
    else:
        size, grown = gamma(folding.roundings + 1) / UNIT * np.abs(mask), 2.0
        folding = replace(folding, roundings=folding.roundings + 1)

    def rule(total: ir.Value, scale: float) -> Bound:
        error = builder.emit("Add", [total, builder.number(size)])
        return Bound(error, grown * scale * _ONCE, ROUNDED, 4 * FLUSHED)

    result = replace(rule(total, scale), folding=folding)
    whole = builder.backwards and holds_a_map(builder, x)
    more = None if whole or folding is None else lambda: _of_map(builder, x) or Bound()
    pass_through(builder, node, x, Passing(rule, unchanged, 4 * U, more), result)
    if folding is not None and builder.backwards:
        hold(builder, node.outputs[0], lambda: rule(*builder.summed(x, held(builder, x))), whole=whole)
    return result


def scaled(
    builder: BoundBuilder,
    node: ir.Node,
    index: int,
    factor: NDArray[np.float64],
    folded: int = 1,
    *,
    alike: bool = True,
) -> Bound:
    """Return the error bound of x times constants: pre = |c| e_x; nothing is rounded where |c| is 1, 1/2, 1/4, ...

    After a linear map the factor may be folded into the weights (`after_linear`).

    Args:
        builder: the graph.
        node: takes x.
        index: of x among the node's inputs.
        factor: c.
        folded: roundings of a term: 1, or 2 where c is a divisor, whose reciprocal is rounded itself; more for a c
            that is computed with roundings.
        alike: whether c is the same in every evaluation. Elsewhere no slope is known, and a backward pass ends.
    """
    x = builder.operand(node, index)
    bound, slope, factor = builder.bound(x), factor if alike else None, np.abs(factor)
    pull = None if slope is None else constant_slope(builder, x, slope)
    if pull is not None and (factor == 1).all():
        return same(builder, node, x, pull)
    if ((factor != 0) & (factor < 2 * FLUSH)).any():
        raise refusal(node, "its factor is subnormal")
    if bound.folding is not None:
        return after_linear(builder, node, AffineMap(factor, np.zeros(1), folded, slope), index)
    exact = alike and bool((np.frexp(factor)[0] == 0.5).all() and factor.max() <= 1)
    rounded, largest = (0.0 if exact else folded * ROUNDED), float(factor.max())
    known = bound.factor.then(largest, folded) if factor.size == 1 else Factor()
    if bound.tensor is None and not bound.relative:  # the same exact x everywhere
        return Bound(None, 1.0, rounded, largest * bound.constant + 4 * FLUSHED, factor=known)

    def rule(total: ir.Value, scale: float) -> Bound:
        error = builder.emit("Mul", [total, builder.number(factor)])
        return Bound(error, scale * _ONCE * _ONCE * _ONCE, rounded, 2 * largest * FLUSH + 4 * FLUSHED)

    result = rule(*builder.tensor(x))
    if pull is not None:
        pass_through(builder, node, x, Passing(rule, pull, 0.0 if exact else 4 * folded * U), result)
    return elementwise(builder, x, replace(result, factor=known), largest * _ONCE)


def checked_constant(
    builder: BoundBuilder, node: ir.Node, index: int, constant: NDArray[np.generic]
) -> NDArray[np.float64]:
    """Return a constant operand in float64; it must be normal, and broadcast to the other operand's shape."""
    if constant.dtype != np.float32:
        raise refusal(node, f"its constant is {constant.dtype}")
    if ((constant != 0) & (np.abs(constant) < FLUSH)).any():
        raise refusal(node, "its constant is subnormal")
    value, result = builder.operand(node, index), node.outputs[0]
    if value.shape is None or result.shape is None or value.shape != result.shape:
        raise refusal(node, "its constant has more elements than what it is combined with")
    return constant.astype(np.float64)


def rounded_factor(
    builder: BoundBuilder, node: ir.Node, index: int, value: ir.Value | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return a constant that is computed with roundings, its magnitude at least and at most, and how many it counts.

    Every evaluation takes c (1 + delta) with |delta| <= R / (|c'| - R), which is at most gamma_k for k = |delta| / u
    rounded upward; one more pays for what k roundings are to second order.

    Args:
        builder: the graph.
        node: takes it.
        index: of the other operand.
        value: the constant.
    """
    array, error = builder.rounded_constant(value)
    size = np.abs(checked_constant(builder, node, index, array))
    if not (error < size / 2).all():
        raise refusal(node, "its constant may be zero")
    count = int(np.ceil((error / (size - error)).max(initial=0.0) / U)) + 1
    if count > _MOST_ROUNDINGS:
        raise refusal(node, "its constant is computed with too large an error")
    sign = np.where(array < 0, -1.0, 1.0)
    return sign * (size - error), sign * (size + error), count
