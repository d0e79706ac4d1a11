"""Transpose: the same elements with their axes in another order."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def transpose(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Elements that are only moved: see `movement.moved`. A matrix's axes must change places."""
    if "perm" in node.attributes and list(node.attributes["perm"].as_ints()) == [0, 1]:
        raise refusal(node, "it does nothing, and onnxruntime 1.20 takes it for one that swaps the axes; leave it out")
    return moved(builder, node)


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    nodes: list[Node] = [
        ("Reshape", ["Gemm0", "square"], {}),
        ("Transpose", ["Reshape1"], {"perm": [0, 2, 1]}),
        ("Reshape", ["Transpose2", "flat"], {}),
    ]
    return [behind_gemm("Transpose", nodes, {"square": np.array([-1, 2, 2]), "flat": np.array([-1, 4])})]


OPERATOR = OperatorRule(
    "Transpose",
    "e, moved alike",
    transpose,
    worst_cases,
    aten=aten("t", "transpose", "permute"),
    moves="keeps",
)
