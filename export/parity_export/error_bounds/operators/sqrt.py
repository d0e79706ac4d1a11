"""Sqrt: the square root, which is correctly rounded."""

import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.quotients import root_error
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, narrow
from parity_export.error_bounds.rounding_model import FLUSHED, U


def sqrt(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = sqrt(x): pre = e / (2 sqrt(x' - 2e)), infinite where that reaches zero (`quotients.root_error`)."""
    total, scale = root_error(builder, builder.operand(node))
    return Bound(total, scale * (1 + 2 * U), ROUNDED, 4 * FLUSHED)


def worst_cases() -> list[WorstCase]:
    """Return roots just above 1, and of a sum."""
    own = WorstCase("Sqrt", [("Sqrt", ["features"], {})], {}, narrow(), overflows=False)
    return [own, behind_gemm("Sqrt of a sum", [("Sqrt", ["Gemm0"], {})])]


OPERATOR = OperatorRule(
    "Sqrt",
    "e / (2 sqrt(x' - 2e)), rounded once",
    sqrt,
    worst_cases,
    aten=aten("sqrt"),
    never_negative=True,
)
