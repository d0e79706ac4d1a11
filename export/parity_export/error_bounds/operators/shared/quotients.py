"""Quotients of error bounds: what is divided by is rounded down, and where it reaches zero nothing is claimed."""

import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operators.shared.elementary import ended
from parity_export.error_bounds.rounding_model import UNIT, U


def lowest(builder: BoundBuilder, x: ir.Value, size: ir.Value) -> ir.Value:
    """Return size - 2e, at least zero: no evaluation's |x| is less, but for 4u of it. Where e is NaN, it may be zero.

    Args:
        builder: the graph.
        x: has the error bound e.
        size: x' where every x must be positive, or |x'|.
    """
    total, scale = builder.tensor(x)
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])
    return builder.emit("Relu", [builder.emit("Sub", [size, reach])])


def over(builder: BoundBuilder, total: ir.Value, divisor: ir.Value) -> ir.Value:
    """Return an error bound divided by what `lowest` gives: infinite or NaN where that is zero.

    An error bound is never zero there: one that is would be NaN, which claims nothing either.
    """
    return builder.emit("Div", [total, divisor])


def root_error(builder: BoundBuilder, x: ir.Value) -> tuple[ir.Value, float]:
    """Return what an error e of x makes of its square root, in units, and the scale that is left to apply.

    |sqrt(x~) - sqrt(x)| = |x~ - x| / (sqrt(x~) + sqrt(x)) <= e / (2 sqrt(x' - 2e)); the graph's own root may be 5u too
    large. Above 2^125, where 8 x' overflows, nothing is claimed: there a step of Newton's method by 1 / x, as
    onnxruntime 1.20 takes it, loses what is flushed.
    """
    total, scale = builder.tensor(x)
    root = builder.emit("Sqrt", [lowest(builder, x, x)])
    return over(builder, ended(builder, x, total), builder.emit("Add", [root, root])), scale * (1 + 16 * U)


def root_slopes(builder: BoundBuilder, v: ir.Value) -> Factors:
    """Return 1 / (2 sqrt(x)) between x and x~, whose roots lie within 2e_v of v' = sqrt(x): off by e_v / (v' low)."""
    low, half = lowest(builder, v, v), builder.number([0.5])
    nominal = builder.emit("Div", [half, v])
    reach = builder.emit("Div", [builder.number([0.5 * (1 + 16 * U)]), low])
    off = builder.emit("Mul", [builder.emit("Mul", [builder.absolute(v, 2.0), nominal]), reach])
    off = builder.emit("Mul", [off, builder.number([2 * (1 + 64 * U)])])
    return Factors(nominal, builder.emit("Add", [off, builder.emit("Mul", [reach, builder.number([8 * U])])]), reach)


def inverse(builder: BoundBuilder, divisor: tuple[ir.Value, ir.Value]) -> Factors:
    """Return 1 / y~, which is at most 1 / low, and within 2e / (low |y'|) of 1 / y'; that rounds once."""
    y, low = divisor
    one = builder.number([1.0])
    nominal, reach = builder.emit("Div", [one, y]), builder.emit("Div", [builder.number([1 + 16 * U]), low])
    off = builder.emit("Mul", [builder.emit("Mul", [builder.absolute(y, 2.0), reach]), builder.magnitude(nominal)])
    return Factors(nominal, loosened(builder, off, reach), reach)


def loosened(builder: BoundBuilder, off: ir.Value, reach: ir.Value) -> ir.Value:
    """Return off, and what its own evaluation and that of the nominal slope round."""
    rounded = builder.emit("Mul", [reach, builder.number([8 * U])])
    grown = builder.emit("Mul", [off, builder.number([1 + 64 * U])])
    return builder.emit("Add", [grown, rounded])
