"""Softsign: x / (1 + |x|)."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, narrow, ones
from parity_export.error_bounds.rounding_model import FLUSHED, U


def softsign(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x / (1 + |x|): its slope is at most 1; the sum and the quotient round once each."""
    total, scale = builder.tensor(builder.operand(node))
    return Bound(total, scale * (1 + 4 * U), 2 * ROUNDED, 6 * FLUSHED)


def worst_cases() -> list[WorstCase]:
    """Return quotients whose sum rounds too, and a sum near zero, where it is steepest."""
    own = WorstCase("Softsign", [("Softsign", ["features"], {})], {}, narrow(), overflows=False)
    return [own, behind_gemm("Softsign of a sum", [("Mul", ["Gemm0", "c"], {}), ("Softsign", ["Mul1"], {})],
                             {"c": ones(1) * np.float32(0.25)}, least=0.4)]  # fmt: skip


OPERATOR = OperatorRule(
    "Softsign", "e, rounded twice", softsign, worst_cases, no_aten="torch's softsign runs abs, add and div"
)
