"""ReduceSum: the sum over some axes."""

from functools import partial

from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.windows import pooled_sum
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, K, one_and_halves_lost


def worst_cases() -> list[WorstCase]:
    """Return a sum whose halves are lost."""
    rows = one_and_halves_lost().reshape(1, 1, K)
    return [WorstCase("ReduceSum", [("ReduceSum", ["features", "2"], {"keepdims": 0})], INTEGERS, rows)]


OPERATOR = OperatorRule(
    "ReduceSum",
    "the same sum of (1 + 2 gamma_n) e + gamma_n abs(x'), n = k",
    partial(pooled_sum, divided=False),
    worst_cases,
    aten=(AtenOperator("sum", fixed={"dtype": None}),),
    operands=1,
)
