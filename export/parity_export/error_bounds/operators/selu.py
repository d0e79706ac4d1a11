"""Selu: an Elu with a slope and a factor of its own."""

import numpy as np
import torch
from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases

_ALPHA, _SCALE = float(np.float32(1.6732632423543772)), float(np.float32(1.0507009873554805))
"""Klambauer et al., Self-Normalizing Neural Networks, 2017; as binary32, which is what a graph holds."""

SELU = Elementary(
    "Selu",
    lambda x: _SCALE * torch.where(x > 0, x, _ALPHA * torch.expm1(x)),
    functional.selu,
    one_node("Selu"),
    1.7581,
)

OPERATOR = OperatorRule(
    "Selu",
    formula(SELU),
    of_one_slope(SELU),
    lambda: activation_cases("Selu", -0.01),
    aten=aten("elu"),
    operations=("elu",),
    functions=(SELU,),
)
