"""Erf: the error function."""

import math

import numpy as np
import onnx_ir as ir
import torch

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, accuracy, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import Derivative, formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases
from parity_export.error_bounds.rounding_model import U

ERF = Elementary("Erf", torch.erf, torch.erf, one_node("Erf"), 1.1284, bounded=True)


def _derivative(builder: BoundBuilder, _: ir.Node, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return 2 / sqrt(pi) exp(-x^2), which lies within 1.13 (alpha + beta) of the exponential and 4 u.

    x^2 rounds once, by which e^-t changes by at most u t e^-t < u / 2; the constant and the product round once each.
    """
    power = builder.emit("Exp", [builder.emit("Neg", [builder.emit("Mul", [x, x])])])
    known, factor = accuracy("Exp"), builder.initializer(np.float32(2 / math.sqrt(math.pi)))
    return builder.emit("Mul", [power, factor]), builder.number(1.13 * (known.alpha + known.beta) + 8 * U)


OPERATOR = OperatorRule(
    "Erf",
    formula(ERF),
    of_one_slope(ERF, derivatives={"Erf": Derivative(_derivative, 0.968)}),
    lambda: activation_cases("Erf", 0.0),
    aten=aten("erf"),
    functions=(ERF,),
)
