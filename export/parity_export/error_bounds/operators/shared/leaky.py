"""Piecewise linear functions: on which side of zero an operand lies, and what LeakyRelu and PRelu share."""

from functools import cache

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.pulls import Slopes
from parity_export.error_bounds.adjoints.steps import sloping, through
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import elementwise
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U


def leaky(builder: BoundBuilder, node: ir.Node, slope: NDArray[np.generic]) -> Bound:
    """V = x, or a x below zero: slope max(1, |a|); the product with a rounds once.

    Args:
        builder: the graph.
        node: takes x as its first input.
        slope: a, float32 or float64.
    """
    x = builder.operand(node)
    if not np.isfinite(slope).all() or ((slope != 0) & (np.abs(slope) < FLUSH)).any():
        raise refusal(node, "its slope is not finite, or subnormal")
    steepest = max(1.0, float(np.abs(slope).max()))

    def rule(total: ir.Value, scale: float) -> Bound:
        return Bound(total, scale * steepest * (1 + 2 * U), ROUNDED, 4 * steepest * FLUSHED)

    @cache
    def slopes() -> Slopes:
        """S is 1 above zero and a below; where x may lie on both sides it lies between."""
        side, _, off = between_zero_and_one(builder, x, not_below(builder, x))
        below = slope.astype(np.float64)
        nominal = builder.emit("Mul", [side, builder.initializer((1 - below).astype(np.float32))])
        nominal = builder.emit("Add", [nominal, builder.initializer(below.astype(np.float32))])
        off = builder.emit("Mul", [off, builder.number(np.abs(1 - below))])
        off = builder.emit("Add", [off, builder.number(8 * U * steepest)])
        reach = builder.emit("Add", [builder.magnitude(nominal), off])
        return Slopes(nominal, reach, off, steepest)

    result = through(builder, node, x, sloping(rule, builder, x, slopes, 4 * U))
    return elementwise(builder, x, result, steepest * (1 + 2 * U))


def not_below(builder: BoundBuilder, x: ir.Value) -> ir.Value:
    """Return 1 where x' + 2e >= 0, and 0 where every compliant x is negative, or where x' or e is NaN."""
    total, scale = builder.tensor(x)
    lowest = builder.emit("Mul", [total, builder.number(-2 * UNIT * scale * (1 + 8 * U))])
    return builder.emit("Cast", [builder.emit("GreaterOrEqual", [x, lowest])], {"to": ir.DataType.FLOAT})


def between_zero_and_one(builder: BoundBuilder, x: ir.Value, reaches: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return the middle, the largest and half the width of the slopes of max(x, 0): 0, 1, or anything between.

    Where e is NaN all of it is 0; there the operand's own error is NaN, or the whole one where the pass ends.
    """
    stays = builder.emit("Cast", [builder.emit("Greater", [x, builder.absolute(x, 2.0)])], {"to": ir.DataType.FLOAT})
    return middle(builder, reaches, stays)


def middle(builder: BoundBuilder, reaches: ir.Value, stays: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return the middle, the largest and half the width of slopes from one to another, which are 0 or 1."""
    half = builder.number(0.5)
    found = builder.emit("Mul", [builder.emit("Add", [reaches, stays]), half])
    return found, reaches, builder.emit("Mul", [builder.emit("Sub", [reaches, stays]), half])


def above(builder: BoundBuilder, first: ir.Value, second: ir.Value, error: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return 1 where x may be above y, and 1 where it is in every evaluation; 0 elsewhere, and where any is NaN.

    The difference rounds once and keeps its sign: x and y are taken by other nodes as well, so that neither is left
    out. Flushed to zero it is neither surely above nor surely below.

    Args:
        builder: the graph.
        first: x.
        second: y.
        error: at least what x and y may both be off by from x' and y', in their own unit, and a few u of that.
    """
    apart = builder.emit("Sub", [first, second])
    may = builder.emit("GreaterOrEqual", [apart, builder.emit("Neg", [error])])
    surely = builder.emit("Greater", [apart, error])
    one, other = (builder.emit("Cast", [found], {"to": ir.DataType.FLOAT}) for found in (may, surely))
    return one, other
