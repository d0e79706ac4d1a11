"""Sub: the difference of two tensors, or of one and constants."""

import numpy as np

from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import add_or_subtract
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, narrow, ones, two_columns


def worst_cases() -> list[WorstCase]:
    """Return differences just above 1."""
    small = np.float32(2.0**-12)
    return [
        WorstCase("Sub constant", [("Sub", ["c", "features"], {})], {"c": ones(1)}, -narrow() * small),
        WorstCase(
            "Sub",
            [*two_columns(), ("Sub", ["Slice0", "Slice1"], {})],
            INTEGERS,
            narrow(2) * np.array([1, -small], np.float32),
        ),
    ]


OPERATOR = OperatorRule(
    "Sub",
    "e_x + e_y, rounded once; behind a linear map as its bias, gamma_(n+1) abs(y') more",
    add_or_subtract,
    worst_cases,
    aten=(
        AtenOperator("sub", tensors_and_numbers, {"alpha": 1}),
        AtenOperator("rsub", lambda args: tensors_and_numbers(args)[::-1], {"alpha": 1}),
    ),
)
