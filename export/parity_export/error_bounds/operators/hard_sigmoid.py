"""HardSigmoid: x / 6 + 1/2 between 0 and 1."""

import numpy as np
from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

_SIXTH = float(np.float32(1 / 6))
"""The slope as a graph holds it."""

HARD_SIGMOID = Elementary(
    "HardSigmoid",
    lambda x: (x * _SIXTH + 0.5).clamp(0, 1),
    functional.hardsigmoid,
    one_node("HardSigmoid", alpha=_SIXTH, beta=0.5),
    1 / 6 + 1e-7,
    bounded=True,
)

OPERATOR = OperatorRule(
    "HardSigmoid",
    formula(HARD_SIGMOID),
    of_one_slope(HARD_SIGMOID),
    lambda: activation_cases("HardSigmoid", 0.0, {"alpha": 1 / 6, "beta": 0.5}),
    aten=aten("hardsigmoid"),
    never_negative=True,
    functions=(HARD_SIGMOID,),
)
