"""Neg: -x, which is exact."""

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import unchanged
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Neg", [("Neg", ["Gemm0"], {})])]


OPERATOR = OperatorRule("Neg", "e", unchanged, worst_cases, aten=aten("neg"))
