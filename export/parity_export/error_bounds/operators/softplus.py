"""Softplus: log(1 + e^x)."""

from torch.nn import functional

from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import exact_softplus, formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

SOFTPLUS = Elementary("Softplus", exact_softplus, functional.softplus, one_node("Softplus"), 1.0)

OPERATOR = OperatorRule(
    "Softplus",
    formula(SOFTPLUS),
    of_one_slope(SOFTPLUS),
    lambda: activation_cases("Softplus", 30.0),
    no_aten="torch's Softplus is x from 20 on, ThresholdedSoftplus",
    functions=(SOFTPLUS,),
)
