"""PRelu: x, or a x where x is negative, a constant."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.leaky import leaky
from parity_export.error_bounds.operators.shared.worst_case_graphs import narrow


def prelu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x, or a x below zero: see `leaky.leaky`."""
    builder.operand(node)
    slope = builder.constant(node.inputs[1])
    if slope is None:
        raise refusal(node, "its slope must be constant")
    return leaky(builder, node, slope)


def worst_cases() -> list[WorstCase]:
    """Return products just above a power of two."""
    return [WorstCase("PRelu", [("PRelu", ["features", "c"], {})], {"c": np.array([0.26], np.float32)}, -narrow())]


OPERATOR = OperatorRule("PRelu", "max(1, abs(a)) e, rounded once", prelu, worst_cases, aten=aten("_prelu_kernel"))
