"""Unsqueeze: the same elements with more axes."""

import numpy as np

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    nodes: list[Node] = [("Unsqueeze", ["Gemm0", "2"], {}), ("Reshape", ["Unsqueeze1", "s"], {})]
    return [behind_gemm("Unsqueeze", nodes, INTEGERS | {"s": np.array([-1, 4])})]


OPERATOR = OperatorRule("Unsqueeze", "e, moved alike", moved, worst_cases, aten=aten("unsqueeze"), moves="keeps")
