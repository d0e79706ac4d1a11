"""Sigmoid, its slope taken where x is."""

import onnx_ir as ir
import torch

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import exact_sigmoid, with_local_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases
from parity_export.error_bounds.rounding_model import U

CURVATURE = 0.09623
"""max |sigmoid''| = 1 / (6 sqrt 3), at sigmoid = 1/2 +- 1/sqrt 12."""

SIGMOID = Elementary("Sigmoid", exact_sigmoid, torch.sigmoid, one_node("Sigmoid"), 0.25, bounded=True)


def sigmoid(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = sigmoid x, its slope f'(1 - f') + 2 * 0.09623 e + 1.01 (alpha + beta): see `elementary.with_local_slope`.

    f (1 - f) = 1/4 - (f - 1/2)^2, whose slope in f is at most 1 in [0, 1].
    """
    known = SIGMOID.accuracy()
    middle = builder.emit("Sub", [node.outputs[0], builder.number(0.5)])
    highest = 0.25 + 1.01 * (known.alpha + known.beta)
    base = builder.emit("Sub", [builder.number(highest + 16 * U), builder.emit("Mul", [middle, middle])])
    return with_local_slope(builder, SIGMOID, node, base, CURVATURE)


OPERATOR = OperatorRule(
    "Sigmoid",
    "L e + alpha abs(f') + beta, L = f'(1 - f') + 1.01 (alpha + beta) + 2 * 0.09623 e",
    sigmoid,
    lambda: activation_cases("Sigmoid", 0.0),
    aten=aten("sigmoid"),
    never_negative=True,
    functions=(SIGMOID,),
)
