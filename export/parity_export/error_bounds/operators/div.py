"""Div: a quotient by constants, which some backends compute as a product with the rounded reciprocals."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import checked_constant, scaled
from parity_export.error_bounds.operators.shared.worst_case_graphs import narrow


def divide(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x / c: pre = e_x / |c| (`one_operation.scaled`). The divisor must be constant and not zero."""
    constant = builder.constant(node.inputs[1])
    if constant is None or (constant == 0).any():
        raise refusal(node, "the divisor must be constant, and not zero")
    return scaled(builder, node, 0, 1 / checked_constant(builder, node, 0, constant), folded=2)


def worst_cases() -> list[WorstCase]:
    """Return quotients just above 1."""
    divisor = np.array([0.9 + 321 * 2.0**-20], np.float32)
    return [WorstCase("Div constant", [("Div", ["features", "c"], {})], {"c": divisor}, narrow())]


OPERATOR = OperatorRule(
    "Div",
    "e_x / abs(c), rounded twice; the divisor must be constant",
    divide,
    worst_cases,
    aten=(AtenOperator("div", tensors_and_numbers, {"rounding_mode": None}),),
)
