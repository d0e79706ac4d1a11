"""Softplus: log(1 + e^x)."""

import onnx_ir as ir
from torch.nn import functional

from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, accuracy, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import Derivative, exact_softplus, formula, of_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases
from parity_export.error_bounds.rounding_model import U

SOFTPLUS = Elementary("Softplus", exact_softplus, functional.softplus, one_node("Softplus"), 1.0)


def _derivative(builder: BoundBuilder, _: ir.Node, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return sigmoid x, which is at most 1 and within alpha + beta; its slope is at most 1/4."""
    known = accuracy("Sigmoid")
    return builder.emit("Sigmoid", [x]), builder.number(known.alpha + known.beta + 4 * U)


OPERATOR = OperatorRule(
    "Softplus",
    formula(SOFTPLUS),
    of_one_slope(SOFTPLUS, derivatives={"Softplus": Derivative(_derivative, 0.2501)}),
    lambda: activation_cases("Softplus", 30.0),
    no_aten="torch's Softplus is x from 20 on, ThresholdedSoftplus",
    functions=(SOFTPLUS,),
)
