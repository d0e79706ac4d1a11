"""Reshape: the same elements in another shape."""

import numpy as np

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Reshape", [("Reshape", ["Gemm0", "s"], {})], {"s": np.array([-1, 4])})]


OPERATOR = OperatorRule(
    "Reshape", "e, moved alike", moved, worst_cases, aten=aten("view", "_unsafe_view", "reshape"), moves="keeps"
)
