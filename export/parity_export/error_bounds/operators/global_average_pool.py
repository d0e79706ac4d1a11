"""GlobalAveragePool: the mean of each channel."""

from functools import partial

import numpy as np

from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.windows import pooled_sum
from parity_export.error_bounds.operators.shared.worst_case_graphs import one_and_halves_lost


def worst_cases() -> list[WorstCase]:
    """Return a sum whose halves are lost."""
    nodes: list[Node] = [("GlobalAveragePool", ["features"], {}), ("Reshape", ["GlobalAveragePool0", "shape"], {})]
    rows = one_and_halves_lost().reshape(1, 1, 8, 8)
    return [WorstCase("GlobalAveragePool", nodes, {"shape": np.array([0, 1])}, rows)]


OPERATOR = OperatorRule(
    "GlobalAveragePool",
    "the same mean of (1 + 2 gamma_n) e + gamma_n abs(x'), n = k + 1",
    partial(pooled_sum, divided=True),
    worst_cases,
    no_aten="adaptive_avg_pool to one element runs mean, and is exported as ReduceMean",
)
