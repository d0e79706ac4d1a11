"""Min: the smaller of two values, or of several."""

import numpy as np

from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.extremes import extreme
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass, beside a constant and beside features."""
    constant = np.full(1, 8, np.float32)
    return [
        behind_gemm("Min constant", [("Min", ["Gemm0", "c"], {})], {"c": constant}),
        behind_gemm(
            "Min",
            [("Slice", ["features", "0", "4", "1"], {}), ("Add", ["Slice1", "c"], {}), ("Min", ["Gemm0", "Add2"], {})],
            dict(INTEGERS) | {"c": constant},
        ),
    ]


OPERATOR = OperatorRule(
    "Min", "the largest e of its operands", extreme, worst_cases, aten=(AtenOperator("minimum", tensors_and_numbers),)
)
