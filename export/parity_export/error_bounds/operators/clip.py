"""Clip: x between two constant bounds."""

from functools import cache, reduce

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.pulls import Slopes
from parity_export.error_bounds.adjoints.steps import pass_through, sloping
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import elementwise
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.leaky import above, middle
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED


def clip(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = min(max(x, low), high): exact, and no two values come further apart."""
    if all(bound is None for bound in node.inputs[1:]):
        return builder.bound(builder.operand(node))
    for bound in node.inputs[1:]:
        if bound is not None and builder.constant(bound) is None:
            raise refusal(node, "its bounds must be constant")
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    result = Bound(total, scale, 0.0, 2 * FLUSHED)
    limits = [None if bound is None else builder.constant(bound) for bound in node.inputs[1:]]
    if all(limit is None or limit == 0 or abs(limit) >= FLUSH for limit in limits):
        _go_through(builder, node, limits, result)
    return elementwise(builder, x, result)


def _go_through(builder: BoundBuilder, node: ir.Node, limits: list[NDArray[np.generic] | None], result: Bound) -> None:
    """Record the step: a slope of 1 between the bounds, 0 outside, and between where x' is within 2e of one."""
    x = builder.operand(node)

    @cache
    def slopes() -> Slopes:
        sides, error = [], builder.absolute(x, 2.0)
        for index, limit in enumerate(limits):
            if limit is not None:
                bound = builder.initializer(np.asarray(limit, np.float32))
                sides.append(above(builder, *((bound, x) if index else (x, bound)), error))
        reaches, stays = (reduce(lambda first, second: builder.emit("Mul", [first, second]), side)
                          for side in zip(*sides, strict=True))  # fmt: skip
        return Slopes(*middle(builder, reaches, stays), 1.0, rounded=False)

    def rule(total: ir.Value, scale: float) -> Bound:
        return Bound(builder.emit("Mul", [total, slopes().reach]), scale, 0.0, 3 * FLUSHED)

    pass_through(builder, node, x, sloping(rule, builder, x, slopes), result)


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass."""
    constants = {"low": np.float32(-8), "high": np.float32(8)}
    return [behind_gemm("Clip", [("Clip", ["Gemm0", "low", "high"], {})], constants)]


OPERATOR = OperatorRule(
    "Clip", "e; its bounds must be constant", clip, worst_cases, aten=aten("clamp", "hardtanh"), operands=1
)
