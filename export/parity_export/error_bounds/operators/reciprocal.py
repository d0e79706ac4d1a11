"""Reciprocal: 1 / x."""

import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.quotients import lowest
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, narrow
from parity_export.error_bounds.rounding_model import FLUSHED, U


def reciprocal(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = 1 / x: pre = e / (abs(x') - 2e)^2, infinite where that reaches zero; a quotient, so it rounds once.

    |1/x~ - 1/x| = |x~ - x| / |x~ x|, and both are at least |x'| - 2e. It is divided by it twice, because its square
    might overflow or be flushed.
    """
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    low = lowest(builder, x, builder.magnitude(x))
    total = builder.emit("Div", [builder.emit("Div", [total, low]), low])
    return Bound(total, scale * (1 + 24 * U), ROUNDED, 5 * FLUSHED)


def worst_cases() -> list[WorstCase]:
    """Return reciprocals of numbers below 1, and of a sum."""
    own = WorstCase("Reciprocal", [("Reciprocal", ["features"], {})], {}, 2 - narrow(), overflows=False)
    return [own, behind_gemm("Reciprocal of a sum", [("Reciprocal", ["Gemm0"], {})])]


OPERATOR = OperatorRule(
    "Reciprocal",
    "e / (abs(x') - 2e)^2, rounded once",
    reciprocal,
    worst_cases,
    aten=aten("reciprocal"),
)
