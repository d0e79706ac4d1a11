"""Erf: the error function."""

import torch

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

ERF = Elementary("Erf", torch.erf, torch.erf, one_node("Erf"), 1.1284, bounded=True)

OPERATOR = OperatorRule(
    "Erf",
    formula(ERF),
    of_one_slope(ERF),
    lambda: activation_cases("Erf", 0.0),
    aten=aten("erf"),
    functions=(ERF,),
)
