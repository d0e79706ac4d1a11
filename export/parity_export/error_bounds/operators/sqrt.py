"""Sqrt: the square root, which not every backend rounds correctly."""

import math
from functools import partial

import onnx_ir as ir
import torch

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import evaluated
from parity_export.error_bounds.operators.shared.quotients import root_error, root_slopes
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, narrow
from parity_export.error_bounds.rounding_model import U

SQRT = Elementary("Sqrt", torch.sqrt, torch.sqrt, one_node("Sqrt"), math.inf)


def sqrt(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x^(1/2): the slope where x is least, infinite where that reaches zero (`quotients.root_error`).

    onnxruntime 1.20 computes it by Newton's method, within 4.6 u, and of a subnormal x as zero.
    """
    total, scale = root_error(builder, builder.operand(node))
    result = evaluated(SQRT, total, scale * (1 + 2 * SQRT.accuracy().alpha) * (1 + 2 * U))
    slopes = partial(root_slopes, builder, node.outputs[0])
    record_operands(builder, node, evaluated(SQRT, None, 1.0), result, [(builder.operand(node), slopes)])
    return result


def worst_cases() -> list[WorstCase]:
    """Return roots just above 1, and of a sum."""
    own = WorstCase("Sqrt", [("Sqrt", ["features"], {})], {}, narrow(), overflows=False)
    return [own, behind_gemm("Sqrt of a sum", [("Sqrt", ["Gemm0"], {})])]


OPERATOR = OperatorRule(
    "Sqrt",
    "L e + alpha abs(f'), L = 1 / (2 sqrt(x' - 2e))",
    sqrt,
    worst_cases,
    aten=aten("sqrt"),
    never_negative=True,
    functions=(SQRT,),
)
