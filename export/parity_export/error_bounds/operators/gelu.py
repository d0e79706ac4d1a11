"""Gelu: x times the normal distribution of x, by the error function or by tanh."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases, over_a_range

_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)


def _by_tanh(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-2 * _SQRT_2_OVER_PI * (x + 0.044715 * x**3)))


GELU = Elementary(
    "Gelu", lambda x: 0.5 * x * torch.special.erfc(-x / math.sqrt(2)), functional.gelu, one_node("Gelu"), 1.1290
)

GELU_BY_TANH = Elementary(
    "GeluTanh",
    _by_tanh,
    lambda x: functional.gelu(x, approximate="tanh"),
    one_node("Gelu", approximate="tanh"),
    1.1290,
)


def worst_cases() -> list[WorstCase]:
    """Return both functions over a range, and the first where it is steepest."""
    by_tanh = over_a_range("Gelu by tanh", [("Gelu", ["features"], {"approximate": "tanh"})])
    return [*activation_cases("Gelu", 1.4142), by_tanh]


OPERATOR = OperatorRule(
    "Gelu",
    formula(GELU, GELU_BY_TANH),
    of_one_slope(GELU, GELU_BY_TANH),
    worst_cases,
    aten=aten("gelu"),
    opset=20,
    functions=(GELU, GELU_BY_TANH),
)
