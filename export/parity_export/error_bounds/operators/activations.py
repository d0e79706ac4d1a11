"""Activations: the piecewise linear ones, and the elementary functions of the table."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from onnx import helper
from onnx.defs import get_schema

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import ELEMENTARY, Accuracy, accuracy
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U

_ROUNDED = 2 * (1 + 2 * U)
_GROWING = 8.0
"""Units of |f| that a function without a bound has at least: 8 |f| overflows at 2^125, where the table ends."""

_TANH_CURVATURE = 0.7699
"""max |tanh''| = 4 / (3 sqrt 3), at tanh^2 = 1/3."""
_SIGMOID_CURVATURE = 0.09623
"""max |sigmoid''| = 1 / (6 sqrt 3), at sigmoid = 1/2 +- 1/sqrt 12."""

_SOFTPLUS_THRESHOLD = 20.0
_SOFTPLUS_JUMP = 2.07e-9
"""log(1 + e^-20) = 2.0612e-9: softplus(x) - x at torch's threshold, from which on it answers x."""


def relu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = max(x, 0): exact; slope 1, and 0 where x' + 2e < 0, so that every compliant x is negative.

    The slope is 2^126 (x' + 2e) clipped to [0, 1]: 1 from 2^-126 on, below which the maximum is zero but for one flush.
    Whatever Clip makes of NaN, its product with an error bound that is not finite is not finite.
    """
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    reach = builder.emit("Add", [x, builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])])
    steep = builder.emit("Mul", [reach, builder.number(1 / FLUSH)])
    slope = builder.emit("Clip", [steep, builder.number(0.0), builder.number(1.0)])
    return Bound(builder.emit("Mul", [total, slope]), scale, 0.0, 3 * FLUSHED)


def leaky(builder: BoundBuilder, node: ir.Node) -> Bound:
    """LeakyRelu and PRelu: slope max(1, |a|); the product with a rounds once."""
    x = builder.operand(node)
    slope = np.asarray(node.attributes["alpha"].value if "alpha" in node.attributes else 0.01)
    if node.op_type == "PRelu":
        constant = builder.constant(node.inputs[1])
        if constant is None:
            raise refusal(node, "its slope must be constant")
        slope = constant
    if not np.isfinite(slope).all() or ((slope != 0) & (np.abs(slope) < FLUSH)).any():
        raise refusal(node, "its slope is not finite, or subnormal")
    total, scale = builder.tensor(x)
    steepest = max(1.0, float(np.abs(slope).max()))
    return Bound(total, scale * steepest * (1 + 2 * U), _ROUNDED, 4 * steepest * FLUSHED)


def elementary(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = f(x) of the table, slope L over all reals: |v - exact| <= L e (1 + 2 alpha) + alpha |f'| + beta, and flushes.

    |f(x)| of another compliant x is at most |f(x')| + 2 L e, and |f(x')| <= (|f'| + beta) / (1 - alpha).
    """
    return _global(builder, _name(node), builder.operand(node))


def silu(builder: BoundBuilder, node: ir.Node) -> Bound | None:
    """V = x sigmoid(x), one function of the table; None if a Mul is something else."""
    x = _argument_of_silu(node)
    return None if x is None else _global(builder, "Silu", x)


def _argument_of_silu(node: ir.Node) -> ir.Value | None:
    """Return x if a node is a Mul of x and its sigmoid."""
    for x, other in (node.inputs, node.inputs[::-1]):
        producer = None if other is None else other.producer()
        if x is not None and producer is not None and producer.op_type == "Sigmoid" and producer.inputs[0] is x:
            return x
    return None


def function_of(node: ir.Node) -> str | None:
    """Return the name of the function of the table that a node computes; None if it computes none."""
    if node.op_type == "Mul" and _argument_of_silu(node) is not None:
        return "Silu"
    return _name(node) if node.op_type in ELEMENTARY else None


def _global(builder: BoundBuilder, name: str, x: ir.Value) -> Bound:
    total, scale = builder.tensor(x)
    known, function = accuracy(name), ELEMENTARY[name]
    steepest = max(1.0, function.slope)
    if function.slope < 1:
        total = builder.emit("Mul", [builder.shielded(total), builder.number(function.slope)])
    scale *= steepest * (1 + 2 * known.alpha) * (1 + 4 * U)
    return replace(computed(known, bounded=function.bounded), tensor=total, scale=scale)


def computed(known: Accuracy, *, bounded: bool) -> Bound:
    """Return what a function's own evaluation adds, in units: alpha |f'| + beta, and the flushed result."""
    more = 1 + 4 * known.alpha + 4 * U
    relative = known.alpha / UNIT * more
    return Bound(None, 1.0, relative if bounded else max(relative, _GROWING), known.beta / UNIT * more + 2 * FLUSHED)


def tanh(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Tanh, its slope taken where x is: 1 - f'^2 + 2 * 0.7699 e + 2.01 (alpha + beta).

    Over [x' - 2e, x' + 2e] the slope 1 - tanh^2 changes by at most 2e max |tanh''|, and tanh(x')^2 differs from f'^2
    by at most (alpha + beta)(2 + alpha + beta).
    """
    known = accuracy("Tanh")
    f = node.outputs[0]
    highest = 1 + 2.01 * (known.alpha + known.beta)
    base = builder.emit("Sub", [builder.number(highest + 16 * U), builder.emit("Mul", [f, f])])
    return _local(builder, node, base, _TANH_CURVATURE)


def sigmoid(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Sigmoid, its slope taken where x is: f'(1 - f') + 2 * 0.09623 e + 1.01 (alpha + beta).

    f (1 - f) = 1/4 - (f - 1/2)^2, whose slope in f is at most 1 in [0, 1].
    """
    known = accuracy("Sigmoid")
    middle = builder.emit("Sub", [node.outputs[0], builder.number(0.5)])
    highest = 0.25 + 1.01 * (known.alpha + known.beta)
    base = builder.emit("Sub", [builder.number(highest + 16 * U), builder.emit("Mul", [middle, middle])])
    return _local(builder, node, base, _SIGMOID_CURVATURE)


def _local(builder: BoundBuilder, node: ir.Node, base: ir.Value, curvature: float) -> Bound:
    """Return e (base + 2 curvature e) and what the evaluation adds; 16 u in ``base`` pay for the roundings here."""
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    bend = builder.emit("Mul", [total, builder.number(2 * curvature * UNIT * scale * (1 + 16 * U))])
    slope = builder.emit("Add", [base, bend])
    known = accuracy(node.op_type)
    own = computed(known, bounded=True)
    scale *= (1 + 2 * known.alpha) * (1 + 16 * U)
    return replace(own, tensor=builder.emit("Mul", [slope, total]), scale=scale)


def thresholded_softplus(builder: BoundBuilder, node: ir.Node) -> Bound | None:
    """V = x > 20 ? x : softplus(x), which torch's Softplus is; None if a Where is something else.

    At 20 it jumps by log(1 + e^-20), which is added once: of two compliant x, one may lie on the other side.
    """
    condition, x, other = node.inputs
    greater = None if condition is None else condition.producer()
    source = None if other is None else _unscaled(builder, other).producer()
    if greater is None or source is None or (greater.op_type, source.op_type) != ("Greater", "Softplus"):
        return None
    threshold = builder.constant(greater.inputs[1])
    compared = [_unscaled(builder, value) for value in (x, greater.inputs[0], source.inputs[0]) if value is not None]
    if threshold is None or threshold.tolist() != _SOFTPLUS_THRESHOLD or len({id(value) for value in compared}) != 1:
        return None
    bound = builder.bound(builder.operand(node, 2))
    return replace(bound, constant=bound.constant + _SOFTPLUS_JUMP / UNIT)


def _unscaled(builder: BoundBuilder, value: ir.Value) -> ir.Value:
    """Return what a value is one times of."""
    producer = value.producer()
    if producer is None or producer.op_type not in ("Mul", "Div"):
        return value
    constant, source = builder.constant(producer.inputs[1]), producer.inputs[0]
    return source if constant is not None and source is not None and (constant == 1).all() else value


def _name(node: ir.Node) -> str:
    """Return a node's function in the table; its attributes must be those that were measured."""
    given = {name: attribute.value for name, attribute in node.attributes.items()}
    name = "GeluTanh" if given.get("approximate") == "tanh" else node.op_type
    defaults = {
        key: helper.get_attribute_value(attribute.default_value)
        for key, attribute in get_schema(node.op_type).attributes.items()
        if attribute.default_value.name
    }
    measured, given = defaults | ELEMENTARY[name].nodes[0][2], defaults | given
    for key, value in measured.items():
        if isinstance(value, float) and np.float32(given[key]) != np.float32(value):
            raise refusal(node, f"{key} {given[key]:g} was not measured")
    return name
