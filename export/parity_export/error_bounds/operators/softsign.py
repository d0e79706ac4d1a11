"""Softsign: x / (1 + |x|)."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.steps import pass_through, sloping
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import Derivative, ended, slopes_of
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, ones, uniform
from parity_export.error_bounds.rounding_model import FLUSHED, U


def softsign(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x / (1 + |x|): its slope is at most 1; the sum, its reciprocal and the product with x round once each.

    onnxruntime computes it by the reciprocal, which is flushed above 2^126: where 8 x' overflows nothing is claimed.
    """
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    result = Bound(ended(builder, x, total), scale * (1 + 8 * U), 3 * ROUNDED, 6 * FLUSHED)
    slopes = slopes_of(builder, node, (x, Derivative(_derivative, 2.0)), 1.0)

    def rule(error: ir.Value, factor: float) -> Bound:
        return Bound(builder.emit("Mul", [error, slopes().reach]), factor * (1 + 8 * U), 3 * ROUNDED, 6 * FLUSHED)

    pass_through(builder, node, x, sloping(rule, builder, x, slopes, 8 * U), result)
    return result


def _derivative(builder: BoundBuilder, node: ir.Node, _: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return (1 - |f|)^2, which is 1 / (1 + |x|)^2 of the exact f; f is within 3.01 u, so that it is within 10 u.

    Its slope is -2 / (1 + |x|)^3 or the same with the other sign; it has no jump.
    """
    rest = builder.emit("Sub", [builder.number(1.0), builder.magnitude(node.outputs[0])])
    return builder.emit("Mul", [rest, rest]), builder.number(16 * U)


def worst_cases() -> list[WorstCase]:
    """Return quotients whose sum and reciprocal round too, and a sum near zero, where it is steepest."""
    own = WorstCase("Softsign", [("Softsign", ["features"], {})], {}, 1 + uniform(0, 1, 40_000, 1), overflows=False)
    return [own, behind_gemm("Softsign of a sum", [("Mul", ["Gemm0", "c"], {}), ("Softsign", ["Mul1"], {})],
                             {"c": ones(1) * np.float32(0.25)}, least=0.4)]  # fmt: skip


OPERATOR = OperatorRule(
    "Softsign", "e, rounded three times", softsign, worst_cases, no_aten="torch's softsign runs abs, add and div"
)
