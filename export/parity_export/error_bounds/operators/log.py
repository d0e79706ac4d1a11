"""Log: the natural logarithm."""

import math
from functools import partial

import numpy as np
import onnx_ir as ir
import torch

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import evaluated
from parity_export.error_bounds.operators.shared.quotients import inverse, lowest, over
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm
from parity_export.error_bounds.rounding_model import U

LOG = Elementary("Log", torch.log, torch.log, one_node("Log"), math.inf)


def log(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = log x: L = 1 / (x' - 2e), because every x lies in [x' - 2e, x' + 2e]; infinite where that reaches zero."""
    x = builder.operand(node)
    total, scale = builder.tensor(x)
    low = lowest(builder, x, x)
    result = evaluated(LOG, over(builder, total, low), scale * (1 + 2 * LOG.accuracy().alpha) * (1 + 16 * U))
    record_operands(builder, node, evaluated(LOG, None, 1.0), result, [(x, partial(inverse, builder, (x, low)))])
    return result


def worst_cases() -> list[WorstCase]:
    """Return the function of positive numbers, and behind a sum."""
    rows = np.geomspace(1e-6, 1e6, 20_000).astype(np.float32)[:, None]
    own = WorstCase("Log", [("Log", ["features"], {})], {}, rows, overflows=False)
    return [own, behind_gemm("Log of a sum", [("Log", ["Gemm0"], {})])]


OPERATOR = OperatorRule(
    "Log",
    "L e + alpha abs(f') + beta, L = 1 / (x' - 2e)",
    log,
    worst_cases,
    aten=aten("log"),
    functions=(LOG,),
)
