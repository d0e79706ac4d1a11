"""Relu: the larger of x and 0."""

import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import elementwise
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.worst_case_graphs import at_its_steepest, behind_gemm
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U


def relu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = max(x, 0): exact; slope 1, and 0 where x' + 2e < 0, so that every compliant x is negative.

    The slope is 2^126 (x' + 2e) clipped to [0, 1]: 1 from 2^-126 on, below which the maximum is zero but for one flush.
    Whatever Clip makes of NaN, its product with an error bound that is not finite is not finite.
    """
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    reach = builder.emit("Add", [x, builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])])
    steep = builder.emit("Mul", [reach, builder.number(1 / FLUSH)])
    slope = builder.emit("Clip", [steep, builder.number(0.0), builder.number(1.0)])
    return elementwise(builder, x, Bound(builder.emit("Mul", [total, slope]), scale, 0.0, 3 * FLUSHED))


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass, and a result of both signs."""
    return [behind_gemm("Relu", [("Relu", ["Gemm0"], {})]), at_its_steepest("Relu", 1.0)]


OPERATOR = OperatorRule("Relu", "e; 0 where x' + 2e < 0", relu, worst_cases, aten=aten("relu"), never_negative=True)
