"""Identity: x itself."""

import onnx_ir as ir

from parity_export.error_bounds.adjoints.steps import same
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def identity(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x: all that is known of x, because a backend may leave the operator out."""
    return same(builder, node, builder.operand(node))


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Identity", [("Identity", ["Gemm0"], {})])]


OPERATOR = OperatorRule(
    "Identity", "e", identity, worst_cases, aten=aten("clone", "detach", "alias", "_to_copy"), moves="keeps"
)
