"""Clip: x between two constant bounds."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import elementwise
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm
from parity_export.error_bounds.rounding_model import FLUSHED


def clip(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = min(max(x, low), high): exact, and no two values come further apart."""
    if all(bound is None for bound in node.inputs[1:]):
        return builder.bound(builder.operand(node))
    for bound in node.inputs[1:]:
        if bound is not None and builder.constant(bound) is None:
            raise refusal(node, "its bounds must be constant")
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    return elementwise(builder, x, Bound(total, scale, 0.0, 2 * FLUSHED))


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    constants = {"low": np.float32(-8), "high": np.float32(8)}
    return [behind_gemm("Clip", [("Clip", ["Gemm0", "low", "high"], {})], constants)]


OPERATOR = OperatorRule(
    "Clip", "e; its bounds must be constant", clip, worst_cases, aten=aten("clamp", "hardtanh"), operands=1
)
