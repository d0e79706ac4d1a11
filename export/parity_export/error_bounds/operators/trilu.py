"""Trilu: a triangle of a matrix, zeros beside it."""

import numpy as np

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass in the triangle that is kept."""
    nodes: list[Node] = [
        ("Reshape", ["Gemm0", "square"], {}),
        ("Trilu", ["Reshape1"], {"upper": 0}),
        ("Reshape", ["Trilu2", "flat"], {}),
        ("Gather", ["Reshape3", "kept"], {"axis": 1}),  # what stands beside it is zero in any case
    ]
    constants = {"square": np.array([-1, 2, 2]), "flat": np.array([-1, 4]), "kept": np.array([0, 2, 3])}
    return [behind_gemm("Trilu", nodes, constants, outputs=3)]


OPERATOR = OperatorRule("Trilu", "e, moved alike", moved, worst_cases, aten=aten("tril", "triu"), operands=1)
