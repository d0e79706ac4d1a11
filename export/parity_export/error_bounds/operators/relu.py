"""Relu: the larger of x and 0."""

from functools import cache

import onnx_ir as ir

from parity_export.error_bounds.adjoints.pulls import Slopes
from parity_export.error_bounds.adjoints.steps import sloping, through
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.passing import elementwise
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.leaky import between_zero_and_one, not_below
from parity_export.error_bounds.operators.shared.worst_case_graphs import at_its_steepest, behind_gemm
from parity_export.error_bounds.rounding_model import FLUSHED


def relu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = max(x, 0): exact; e, and 0 where x' + 2e < 0, so that every compliant x is negative.

    A comparison that fails where x' or e is NaN leaves 0 times an error bound that is not finite, which is not finite.
    """
    x = builder.operand(node)
    reaches = not_below(builder, x)

    def rule(total: ir.Value, scale: float) -> Bound:
        return Bound(builder.emit("Mul", [total, reaches]), scale, 0.0, 3 * FLUSHED)

    @cache
    def slopes() -> Slopes:
        return Slopes(*between_zero_and_one(builder, x, reaches), 1.0, rounded=False)

    return elementwise(builder, x, through(builder, node, x, sloping(rule, builder, x, slopes)))


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass, and a result of both signs."""
    return [behind_gemm("Relu", [("Relu", ["Gemm0"], {})]), at_its_steepest("Relu", 1.0)]


OPERATOR = OperatorRule("Relu", "e; 0 where x' + 2e < 0", relu, worst_cases, aten=aten("relu"), never_negative=True)
