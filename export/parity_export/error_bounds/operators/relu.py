"""Relu: the larger of x and 0."""

import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.passing import elementwise
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.worst_case_graphs import at_its_steepest, behind_gemm
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U


def relu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = max(x, 0): exact; e, and 0 where x' + 2e < 0, so that every compliant x is negative.

    A comparison that fails where x' or e is NaN leaves 0 times an error bound that is not finite, which is not finite.
    """
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    lowest = builder.emit("Mul", [total, builder.number(-2 * UNIT * scale * (1 + 8 * U))])
    reaches = builder.emit("Cast", [builder.emit("GreaterOrEqual", [x, lowest])], {"to": ir.DataType.FLOAT})
    return elementwise(builder, x, Bound(builder.emit("Mul", [total, reaches]), scale, 0.0, 3 * FLUSHED))


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass, and a result of both signs."""
    return [behind_gemm("Relu", [("Relu", ["Gemm0"], {})]), at_its_steepest("Relu", 1.0)]


OPERATOR = OperatorRule("Relu", "e; 0 where x' + 2e < 0", relu, worst_cases, aten=aten("relu"), never_negative=True)
