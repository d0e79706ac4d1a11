"""Operators that move elements and change none: the same operator moves the error bound."""

from dataclasses import replace

import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import reshaped, transposed

_IN_ORDER = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""Operators that keep all elements in their order."""


def moved(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Reshape, Transpose, Slice, ...: what says where elements go must not depend on a computed value."""
    bound = builder.bound(builder.operand(node))
    for value in node.inputs[1:]:
        if value is not None and builder.knows(value):
            raise refusal(node, "where it takes elements from is computed")
    if bound.tensor is None:
        return bound
    total = builder.emit(node.op_type, [bound.tensor, *node.inputs[1:]], dict(node.attributes))
    result = replace(bound, tensor=total)  # also its folding: a backend may look through what only moves elements
    if node.op_type in _IN_ORDER:
        return reshaped(builder, node, result)
    return transposed(builder, node, result) if node.op_type == "Transpose" else result


def unchanged(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = -x or |x|: exact, and no two values come further apart."""
    bound = builder.bound(builder.operand(node))
    return Bound(bound.tensor, bound.scale, bound.relative, bound.constant, norm=bound.norm)
