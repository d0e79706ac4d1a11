"""Tanh, its slope taken where x is."""

import onnx_ir as ir
import torch

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.elementary import with_local_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import activation_cases
from parity_export.error_bounds.rounding_model import U

CURVATURE = 0.7699
"""max |tanh''| = 4 / (3 sqrt 3), at tanh^2 = 1/3."""

TANH = Elementary("Tanh", torch.tanh, torch.tanh, one_node("Tanh"), 1.0, bounded=True)


def tanh(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = tanh x, its slope 1 - f'^2 + 2 * 0.7699 e + 2.01 (alpha + beta): see `elementary.with_local_slope`.

    Over [x' - 2e, x' + 2e] the slope 1 - tanh^2 changes by at most 2e max |tanh''|, and tanh(x')^2 differs from f'^2
    by at most (alpha + beta)(2 + alpha + beta).
    """
    known, f = TANH.accuracy(), node.outputs[0]
    highest = 1 + 2.01 * (known.alpha + known.beta)
    base = builder.emit("Sub", [builder.number(highest + 16 * U), builder.emit("Mul", [f, f])])
    return with_local_slope(builder, TANH, node, base, CURVATURE)


OPERATOR = OperatorRule(
    "Tanh",
    "L e + alpha abs(f') + beta, L = 1 - f'^2 + 2.01 (alpha + beta) + 2 * 0.7699 e",
    tanh,
    lambda: activation_cases("Tanh", 0.0),
    aten=aten("tanh"),
    functions=(TANH,),
)
