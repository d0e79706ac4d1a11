"""Celu: x, or e^x - 1 where x is negative."""

from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import EXPONENTIAL, exact_elu, formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

CELU = Elementary("Celu", exact_elu, functional.celu, one_node("Celu"), 1.0)

OPERATOR = OperatorRule(
    "Celu",
    formula(CELU),
    of_one_slope(CELU, derivatives={"Celu": EXPONENTIAL}),
    lambda: activation_cases("Celu", 2.0),
    aten=aten("celu"),
    functions=(CELU,),
)
