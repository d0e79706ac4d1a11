"""Squeeze: the same elements with fewer axes."""

import numpy as np

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    nodes: list[Node] = [("Reshape", ["Gemm0", "s"], {}), ("Squeeze", ["Reshape1", "2"], {})]
    return [behind_gemm("Squeeze", nodes, INTEGERS | {"s": np.array([-1, 4, 1])})]


OPERATOR = OperatorRule("Squeeze", "e, moved alike", moved, worst_cases, aten=aten("squeeze"), moves="keeps")
