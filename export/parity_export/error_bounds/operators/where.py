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
    """V = IsNaN(x) ? fill : x, x an input of the graph and fill constant: every backend reads the same x."""
    condition, fill, x = node.inputs
    producer = None if condition is None else condition.producer()
    constant = builder.constant(fill)
    if (
        producer is None
        or producer.op_type != "IsNaN"
        or x is None
        or not x.is_graph_input()
        or producer.inputs[0] is not x
        or constant is None
        or not np.isfinite(constant).all()
    ):
        raise refusal(node, "it chooses by something else than an input's IsNaN")
    return Bound(constant=2 * FLUSHED)


OPERATOR = OperatorRule(
    "Where",
    "one flush, with a constant in the place of an input that is NaN",
    where,
    lambda: filled_cases("Where"),
    aten=aten("where"),
)
