"""Gelu: x times the normal distribution of x, by the error function or by tanh."""

import math

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor
from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, accuracy, one_node
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import Derivative, formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases, over_a_range
from parity_export.error_bounds.rounding_model import U

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


def _derivative(builder: BoundBuilder, _: ir.Node, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return the derivative of the first: (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi).

    The first part lies within (alpha |erf| + beta) / 2 and 3 u, the second, at most 0.25, within 4 u and 0.25 alpha of
    the exponential, whose argument of three roundings changes it by less than u.
    """
    half, root = builder.number(0.5), builder.initializer(np.float32(1 / math.sqrt(2)))
    below = builder.emit("Erf", [builder.emit("Mul", [x, root])])
    below = builder.emit("Mul", [builder.emit("Add", [below, builder.number(1.0)]), half])
    power = builder.emit("Mul", [builder.emit("Mul", [x, x]), builder.initializer(np.float32(-0.5))])
    density = builder.emit(
        "Mul", [builder.emit("Exp", [power]), builder.initializer(np.float32(1 / math.sqrt(2 * math.pi)))]
    )
    errors = [accuracy("Erf"), accuracy("Exp")]
    loose = builder.number(sum(one.alpha + one.beta for one in errors) + 32 * U)
    return builder.emit("Add", [below, builder.emit("Mul", [x, density])]), loose


def worst_cases() -> list[WorstCase]:
    """Return both functions over a range, and the first where it is steepest."""
    by_tanh = over_a_range("Gelu by tanh", [("Gelu", ["features"], {"approximate": "tanh"})])
    return [*activation_cases("Gelu", 1.4142), by_tanh]


OPERATOR = OperatorRule(
    "Gelu",
    formula(GELU, GELU_BY_TANH),
    of_one_slope(GELU, GELU_BY_TANH, derivatives={"Gelu": Derivative(_derivative, 0.798)}),
    worst_cases,
    aten=aten("gelu"),
    opset=20,
    functions=(GELU, GELU_BY_TANH),
)
