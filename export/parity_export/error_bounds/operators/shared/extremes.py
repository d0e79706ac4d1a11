"""The larger or the smaller of several values, the error bound that Max and Min share."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operators.shared.leaky import above, middle
from parity_export.error_bounds.operators.shared.one_operation import checked_constant
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.rounding_model import FLUSHED, U


def extreme(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = max(x, y, ...) or min: exact, and no two come further apart than one of the operands: the largest e.

    Some backends lose a NaN in a maximum; an error bound that is NaN becomes infinite before it.
    """
    infinite, errors, scale = builder.initializer(np.array([np.inf], np.float32)), [], 1.0
    computed = [index for index, value in enumerate(node.inputs) if builder.knows(value)]
    if not computed:
        raise refusal(node, "none of its operands is computed")
    for index, value in enumerate(node.inputs):
        constant = builder.constant(value)
        if constant is not None:
            checked_constant(builder, node, computed[0], constant)
            continue
        total, own = builder.tensor(builder.operand(node, index))
        known = builder.emit("Less", [total, infinite])
        errors.append(builder.emit("Where", [known, total, infinite]))
        scale = max(scale, own)
    total = errors[0] if len(errors) == 1 else builder.emit("Max", errors)
    result = Bound(total, scale, 0.0, 2 * FLUSHED)
    _go_through(builder, node, result)
    return result


def _go_through(builder: BoundBuilder, node: ir.Node, result: Bound) -> None:
    """Record the step of two operands: a slope of 1 in the one that is taken, of 0 in the other.

    Where either may be they lie between, and add up to 1.
    """
    values = [value for value in node.inputs if value is not None]
    computed = [value for value in values if builder.constant(value) is None]
    if len(values) == 2 and builder.backwards:
        taken = cache(partial(_taken, builder, node, computed))
        record_operands(builder, node, Bound(None, 1.0, 0.0, 2 * FLUSHED), result, [
            (value, partial(_factors, builder, taken, index == 0))
            for index, value in enumerate(values)
            if value in computed
        ])  # fmt: skip


def _taken(builder: BoundBuilder, node: ir.Node, computed: list[ir.Value]) -> tuple[ir.Value, ir.Value]:
    """Return 1 where the first operand may be the result, and 1 where it is in every evaluation."""
    first, second = (value for value in node.inputs if value is not None)
    error = builder.absolute(computed[0], 2.0)
    for value in computed[1:]:
        error = builder.emit("Add", [error, builder.absolute(value, 2.0 * (1 + 4 * U))])
    return above(builder, *((first, second) if node.op_type == "Max" else (second, first)), error)


def _factors(builder: BoundBuilder, taken: Callable[[], tuple[ir.Value, ir.Value]], first: bool) -> Factors:
    may, surely = taken()
    if not first:
        one = builder.number(1.0)
        may, surely = builder.emit("Sub", [one, surely]), builder.emit("Sub", [one, may])
    nominal, reach, off = middle(builder, may, surely)
    return Factors(nominal, off, reach)
