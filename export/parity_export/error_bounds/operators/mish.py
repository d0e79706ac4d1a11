"""Mish: x times the tanh of the Softplus of x."""

import torch
from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import exact_softplus, formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

MISH = Elementary("Mish", lambda x: x * torch.tanh(exact_softplus(x)), functional.mish, one_node("Mish"), 1.0885)

OPERATOR = OperatorRule(
    "Mish",
    formula(MISH),
    of_one_slope(MISH),
    lambda: activation_cases("Mish", 1.4),
    aten=aten("mish"),
    functions=(MISH,),
)
