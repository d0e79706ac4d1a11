"""Elu: x, or e^x - 1 where x is negative."""

from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import EXPONENTIAL, exact_elu, formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

ELU = Elementary("Elu", exact_elu, functional.elu, one_node("Elu"), 1.0)

OPERATOR = OperatorRule(
    "Elu",
    formula(ELU),
    of_one_slope(ELU, derivatives={"Elu": EXPONENTIAL}),
    lambda: activation_cases("Elu", 2.0),
    aten=aten("elu"),
    functions=(ELU,),
)
