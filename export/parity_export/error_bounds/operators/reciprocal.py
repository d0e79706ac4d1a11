"""Reciprocal: 1 / x."""

from dataclasses import replace
from functools import partial

import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.quotients import lowest
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, narrow
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, U


def reciprocal(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = 1 / x: pre = e / (abs(x') - 2e)^2, infinite where that reaches zero; a quotient, so it rounds once.

    |1/x~ - 1/x| = |x~ - x| / |x~ x|, and both are at least |x'| - 2e. It is divided by it twice, because its square
    might overflow or be flushed.
    """
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    low = lowest(builder, x, builder.magnitude(x))
    total = builder.emit("Div", [builder.emit("Div", [total, low]), low])
    result = Bound(total, scale * (1 + 24 * U), ROUNDED, 5 * FLUSHED)
    own, slopes = replace(result, tensor=None, scale=1.0), partial(_slopes, builder, node.outputs[0])
    record_operands(builder, node, own, result, [(x, slopes)])
    return result


def _slopes(builder: BoundBuilder, v: ir.Value) -> Factors:
    """Return -1 / (x x~), of the exact 1 / x and of 1 / x~, both of which lie within 2e_v of v'.

    Of -v'^2 it is at most 4 |v'| e_v + 4 e_v^2 off.
    """
    error, size = builder.absolute(v, 2.0), builder.magnitude(v)
    most = builder.emit("Add", [size, error])
    reach = builder.emit("Mul", [builder.emit("Mul", [most, most]), builder.number([1 + 16 * U])])
    both = builder.emit("Add", [builder.emit("Add", [size, most]), builder.number([FLUSH])])
    off = builder.emit("Mul", [both, error])
    off = builder.emit("Add", [off, builder.emit("Mul", [reach, builder.number([16 * U])])])
    return Factors(builder.emit("Neg", [builder.emit("Mul", [v, v])]), off, reach)


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
