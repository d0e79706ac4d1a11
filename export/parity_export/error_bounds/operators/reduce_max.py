"""ReduceMax: the largest element over some axes."""

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.windows import maximum
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("ReduceMax", [("ReduceMax", ["Gemm0", "1"], {"keepdims": 1})], dict(INTEGERS), outputs=1)]


OPERATOR = OperatorRule("ReduceMax", "the same maximum of e", maximum, worst_cases, aten=aten("amax"), operands=1)
