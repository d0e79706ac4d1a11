"""Slice: the elements between two places of an axis."""

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Slice", [("Slice", ["Gemm0", "0", "2", "1"], {})], dict(INTEGERS), outputs=2)]


OPERATOR = OperatorRule("Slice", "e, moved alike", moved, worst_cases, aten=aten("slice"), moves="selects")
