"""GlobalMaxPool: the largest element of each channel."""

import numpy as np

from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.windows import maximum
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    nodes: list[Node] = [
        ("Reshape", ["Gemm0", "s"], {}),
        ("GlobalMaxPool", ["Reshape1"], {}),
        ("Reshape", ["GlobalMaxPool2", "t"], {}),
    ]
    return [behind_gemm("GlobalMaxPool", nodes, {"s": np.array([-1, 1, 2, 2]), "t": np.array([-1, 1])}, outputs=1)]


OPERATOR = OperatorRule(
    "GlobalMaxPool",
    "the same maximum of e",
    maximum,
    worst_cases,
    no_aten="adaptive_max_pool to one element is exported as ReduceMax",
)
