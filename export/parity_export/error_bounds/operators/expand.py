"""Expand: the same elements, repeated."""

import math

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Near, near
from parity_export.error_bounds.adjoints.steps import fits_broadcast, record, sizes_of
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm
from parity_export.error_bounds.rounding_model import U, gamma


def expand(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x, repeated along axes of size 1: e, moved alike. An element's adjoint is the sum of those of its copies."""
    result, x = moved(builder, node), builder.operand(node)
    if fits_broadcast(builder, node, x):
        before, after = sizes_of(x), sizes_of(node.outputs[0])
        axes = [index for index, (own, whole) in enumerate(zip(before, after, strict=True)) if own != whole]
        count = math.prod(after[index] for index in axes)

        def apply(adjoint: ir.Value) -> ir.Value:
            places = builder.initializer(np.array([index + 2 for index in axes], np.int64))
            return builder.emit("ReduceSum", [adjoint, places], {"keepdims": 1}) if axes else adjoint

        def made() -> Near:
            reach = builder.number(np.full((1,) * (1 + len(after)), math.sqrt(count) * (1 + 4 * U)))
            return Near(apply, before, reach, gamma(count))

        record(builder, node, Bound(), [(x, near(builder, made))])
    return result


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    nodes: list[Node] = [
        ("Reshape", ["Gemm0", "rows"], {}),
        ("Expand", ["Reshape1", "repeated"], {}),
        ("Reshape", ["Expand2", "flat"], {}),
    ]
    shapes = {"rows": np.array([-1, 1, 4]), "repeated": np.array([1, 3, 4]), "flat": np.array([-1, 12])}
    return [behind_gemm("Expand", nodes, shapes, outputs=12)]


OPERATOR = OperatorRule("Expand", "e, moved alike", expand, worst_cases, aten=aten("expand"), moves="keeps")
