"""Softsign: x / (1 + |x|)."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import ended
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, ones, uniform
from parity_export.error_bounds.rounding_model import FLUSHED, U


def softsign(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x / (1 + |x|): its slope is at most 1; the sum, its reciprocal and the product with x round once each.

    onnxruntime computes it by the reciprocal, which is flushed above 2^126: where 8 x' overflows nothing is claimed.
    """
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    return Bound(ended(builder, x, total), scale * (1 + 8 * U), 3 * ROUNDED, 6 * FLUSHED)


def worst_cases() -> list[WorstCase]:
    """Return quotients whose sum and reciprocal round too, and a sum near zero, where it is steepest."""
    own = WorstCase("Softsign", [("Softsign", ["features"], {})], {}, 1 + uniform(0, 1, 40_000, 1), overflows=False)
    return [own, behind_gemm("Softsign of a sum", [("Mul", ["Gemm0", "c"], {}), ("Softsign", ["Mul1"], {})],
                             {"c": ones(1) * np.float32(0.25)}, least=0.4)]  # fmt: skip


OPERATOR = OperatorRule(
    "Softsign", "e, rounded three times", softsign, worst_cases, no_aten="torch's softsign runs abs, add and div"
)
