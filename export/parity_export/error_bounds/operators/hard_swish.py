"""HardSwish: x times the HardSigmoid of x."""

from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

HARD_SWISH = Elementary(
    "HardSwish", lambda x: x * (x / 6 + 0.5).clamp(0, 1), functional.hardswish, one_node("HardSwish"), 1.5
)

OPERATOR = OperatorRule(
    "HardSwish",
    formula(HARD_SWISH),
    of_one_slope(HARD_SWISH),
    lambda: activation_cases("HardSwish", 2.98),
    aten=aten("hardswish"),
    functions=(HARD_SWISH,),
)
