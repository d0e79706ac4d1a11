"""The larger or the smaller of several values, the error bound that Max and Min share."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operators.shared.one_operation import checked_constant
from parity_export.error_bounds.rounding_model import FLUSHED


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
    return Bound(total, scale, 0.0, 2 * FLUSHED)
