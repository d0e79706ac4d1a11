"""Add: the sum of two tensors, or of one and constants."""

import numpy as np

from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import add_or_subtract
from parity_export.error_bounds.operators.shared.worst_case_graphs import (
    INTEGERS,
    behind_gemm,
    narrow,
    ones,
    two_columns,
)


def worst_cases() -> list[WorstCase]:
    """Return sums just above 1, and sums that a backend may fuse into a Gemm as its bias."""
    small = np.float32(2.0**-12)
    sums = two_columns(), narrow(2) * np.array([1, small], np.float32)
    return [
        WorstCase("Add constant", [("Add", ["features", "c"], {})], {"c": ones(1)}, narrow() * small),
        WorstCase("Add", [*sums[0], ("Add", ["Slice0", "Slice1"], {})], INTEGERS, sums[1]),
        behind_gemm("Gemm, Add", [("Add", ["Gemm0", "c"], {})], {"c": np.full(4, 2.0**-10, np.float32)}),
        behind_gemm(
            "Gemm, residual",
            [("Slice", ["features", "0", "4", "1"], {}), ("Add", ["Gemm0", "Slice1"], {})],
            dict(INTEGERS),
        ),
    ]


OPERATOR = OperatorRule(
    "Add",
    "e_x + e_y, rounded once; behind a linear map as its bias, gamma_(n+1) abs(y') more",
    add_or_subtract,
    worst_cases,
    aten=(AtenOperator("add", tensors_and_numbers, {"alpha": 1}),),
)
