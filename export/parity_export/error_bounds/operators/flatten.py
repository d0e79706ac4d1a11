"""Flatten: the same elements as a matrix."""

from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Flatten", [("Flatten", ["Gemm0"], {})])]


OPERATOR = OperatorRule(
    "Flatten",
    "e, moved alike",
    moved,
    worst_cases,
    no_aten="torch.flatten runs view, and is exported as Reshape",
    moves="keeps",
)
