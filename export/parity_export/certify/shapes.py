"""Operators that move elements and change none: the same operator moves the radius."""

from dataclasses import replace

import onnx_ir as ir

from parity_export.certify.errors import refusal
from parity_export.certify.radius import Radius
from parity_export.certify.scope import Scope


def moved(scope: Scope, node: ir.Node) -> Radius:
    """Reshape, Transpose, Slice, ...: what says where elements go must not depend on a computed value."""
    radius = scope.radius(scope.operand(node))
    for value in node.inputs[1:]:
        if value is not None and scope.knows(value):
            raise refusal(node, "where it takes elements from is computed")
    if node.op_type == "Transpose" and "perm" in node.attributes and list(node.attributes["perm"].as_ints()) == [0, 1]:
        raise refusal(node, "it does nothing, and onnxruntime 1.20 takes it for one that swaps the axes; leave it out")
    if radius.tensor is None:
        return radius
    total = scope.emit(node.op_type, [radius.tensor, *node.inputs[1:]], dict(node.attributes))
    return replace(radius, tensor=total)  # also its folding: a backend may look through what only moves elements


def joined(scope: Scope, node: ir.Node) -> Radius:
    """Concat: the radii, joined."""
    values = [scope.operand(node, index) for index in range(len(node.inputs))]
    radii = [scope.radius(value) for value in values]
    if len(values) == 1:
        return radii[0]
    if all(radius.tensor is None for radius in radii):
        return Radius(None, 1.0, max(radius.relative for radius in radii), max(radius.constant for radius in radii))
    parts = [scope.tensor(value) for value in values]
    total = scope.emit("Concat", [part for part, _ in parts], dict(node.attributes))
    return Radius(total, max(scale for _, scale in parts))
