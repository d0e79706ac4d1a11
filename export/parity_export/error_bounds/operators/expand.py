"""Expand: the same elements, repeated."""

import numpy as np

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    nodes: list[Node] = [
        ("Reshape", ["Gemm0", "rows"], {}),
        ("Expand", ["Reshape1", "repeated"], {}),
        ("Reshape", ["Expand2", "flat"], {}),
    ]
    shapes = {"rows": np.array([-1, 1, 4]), "repeated": np.array([1, 3, 4]), "flat": np.array([-1, 12])}
    return [behind_gemm("Expand", nodes, shapes, outputs=12)]


OPERATOR = OperatorRule("Expand", "e, moved alike", moved, worst_cases, aten=aten("expand"), moves="keeps")
