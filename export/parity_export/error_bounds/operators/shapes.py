"""Operators that move elements and change none: the same operator moves the error bound."""

from dataclasses import replace

import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal


def moved(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Reshape, Transpose, Slice, ...: what says where elements go must not depend on a computed value."""
    bound = builder.bound(builder.operand(node))
    for value in node.inputs[1:]:
        if value is not None and builder.knows(value):
            raise refusal(node, "where it takes elements from is computed")
    if node.op_type == "Transpose" and "perm" in node.attributes and list(node.attributes["perm"].as_ints()) == [0, 1]:
        raise refusal(node, "it does nothing, and onnxruntime 1.20 takes it for one that swaps the axes; leave it out")
    if bound.tensor is None:
        return bound
    total = builder.emit(node.op_type, [bound.tensor, *node.inputs[1:]], dict(node.attributes))
    return replace(bound, tensor=total)  # also its folding: a backend may look through what only moves elements


def joined(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Concat: the error bounds, joined."""
    values = [builder.operand(node, index) for index in range(len(node.inputs))]
    bounds = [builder.bound(value) for value in values]
    if len(values) == 1:
        return bounds[0]
    if all(bound.tensor is None for bound in bounds):
        return Bound(None, 1.0, max(bound.relative for bound in bounds), max(bound.constant for bound in bounds))
    parts = [builder.tensor(value) for value in values]
    total = builder.emit("Concat", [part for part, _ in parts], dict(node.attributes))
    return Bound(total, max(scale for _, scale in parts))
