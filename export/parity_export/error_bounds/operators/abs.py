"""Abs: the magnitude of x, which is exact."""

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import unchanged
from parity_export.error_bounds.operators.shared.worst_case_graphs import at_its_steepest, behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Abs", [("Abs", ["Gemm0"], {})]), at_its_steepest("Abs", 1.0)]


OPERATOR = OperatorRule("Abs", "e", unchanged, worst_cases, aten=aten("abs"), never_negative=True)
