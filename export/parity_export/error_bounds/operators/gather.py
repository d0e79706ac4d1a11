"""Gather: the elements at some places of an axis, which must not be computed from a float."""

import numpy as np

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Gather", [("Gather", ["Gemm0", "at"], {"axis": 1})], {"at": np.array([2, 0])}, outputs=2)]


OPERATOR = OperatorRule("Gather", "e, moved alike", moved, worst_cases, aten=aten("select"), moves="selects")
