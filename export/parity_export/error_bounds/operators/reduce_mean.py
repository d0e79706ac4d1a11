"""ReduceMean: the mean over some axes."""

from functools import partial

from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.windows import pooled_sum
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, K, one_and_halves_lost


def worst_cases() -> list[WorstCase]:
    """Return a sum whose halves are lost."""
    rows = one_and_halves_lost().reshape(1, 1, K)
    return [WorstCase("ReduceMean", [("ReduceMean", ["features", "2"], {"keepdims": 0})], INTEGERS, rows)]


OPERATOR = OperatorRule(
    "ReduceMean",
    "the same mean of (1 + 2 gamma_n) e + gamma_n abs(x'), n = k + 1",
    partial(pooled_sum, divided=True),
    worst_cases,
    aten=(AtenOperator("mean", fixed={"dtype": None}),),
    operands=1,
)
