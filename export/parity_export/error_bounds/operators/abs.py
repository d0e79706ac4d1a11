"""Abs: the magnitude of x, which is exact."""

from functools import cache

import onnx_ir as ir

from parity_export.error_bounds.adjoints.pulls import Slopes
from parity_export.error_bounds.adjoints.steps import pass_through, sloping
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.leaky import between_zero_and_one, not_below
from parity_export.error_bounds.operators.shared.worst_case_graphs import at_its_steepest, behind_gemm
from parity_export.error_bounds.rounding_model import FLUSHED


def absolute(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = |x| = 2 max(x, 0) - x: exact, and no two values come further apart; a slope is twice that of Relu, less 1."""
    x = builder.operand(node)

    @cache
    def slopes() -> Slopes:
        side, _, off = between_zero_and_one(builder, x, not_below(builder, x))
        nominal = builder.emit("Sub", [builder.emit("Add", [side, side]), builder.number(1.0)])
        off = builder.emit("Add", [off, off])
        reach = builder.emit("Add", [builder.magnitude(nominal), off])
        return Slopes(nominal, reach, off, 1.0, rounded=False)

    def rule(total: ir.Value, scale: float) -> Bound:
        return Bound(total, scale, 0.0, 2 * FLUSHED)

    bound = builder.bound(x)
    result = Bound(bound.tensor, bound.scale, bound.relative, bound.constant, norm=bound.norm)
    pass_through(builder, node, x, sloping(rule, builder, x, slopes), result)
    return result


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    return [behind_gemm("Abs", [("Abs", ["Gemm0"], {})]), at_its_steepest("Abs", 1.0)]


OPERATOR = OperatorRule("Abs", "e", absolute, worst_cases, aten=aten("abs"), never_negative=True)
