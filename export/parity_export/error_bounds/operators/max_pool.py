"""MaxPool: the largest element of each window."""

import numpy as np

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.windows import maximum
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    nodes: list[Node] = [
        ("Reshape", ["Gemm0", "s"], {}),
        ("MaxPool", ["Reshape1"], {"kernel_shape": [2, 2]}),
        ("Reshape", ["MaxPool2", "t"], {}),
    ]
    return [behind_gemm("MaxPool", nodes, {"s": np.array([-1, 1, 2, 2]), "t": np.array([-1, 1])}, outputs=1)]


OPERATOR = OperatorRule(
    "MaxPool",
    "the same maximum of e",
    maximum,
    worst_cases,
    aten=aten("max_pool1d_with_indices", "max_pool2d_with_indices"),
)
