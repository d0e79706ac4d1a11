"""Where, which chooses by a comparison: only where every backend chooses alike."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.worst_case_graphs import filled_cases
from parity_export.error_bounds.rounding_model import FLUSHED


def where(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = IsNaN(x) ? fill : x, or IsNaN(x) ? c : d; x read from inputs, fill, c and d constant.

    Every backend reads the same x, NaN in the same places, and so chooses alike. What it chooses is a constant, or x
    itself: one flush where it is written and one where it is read.
    """
    condition, filling, other = node.inputs
    asked = None if condition is None else condition.producer()
    if asked is None or asked.op_type != "IsNaN" or not builder.begins(asked.inputs[0]):
        raise refusal(node, "it chooses by something else than an input's IsNaN")
    if other is not asked.inputs[0]:
        _check_constant(builder, node, other)
    _check_constant(builder, node, filling)
    return Bound(constant=2 * FLUSHED)


def _check_constant(builder: BoundBuilder, node: ir.Node, value: ir.Value | None) -> None:
    constant = builder.constant(value)
    if constant is None or not np.isfinite(constant).all():
        raise refusal(node, "it puts something else than a constant in the place of a missing number")


OPERATOR = OperatorRule(
    "Where",
    "one flush, of constants chosen by whether an input is NaN, or of one in its place",
    where,
    lambda: filled_cases("Where"),
    aten=aten("where"),
)
