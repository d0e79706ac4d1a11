"""CumSum: the sums of all numbers up to each one."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import FIXED_SIZE, refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.windows import summed_again
from parity_export.error_bounds.operators.shared.worst_case_graphs import one_and_halves_lost


def cumulative_sum(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V_i = x_1 + ... + x_i, of at most k terms: the same sums of (1 + 2 gamma_k) e + gamma_k |x'|.

    Each is a sum of its own, in any order or as the last one and one more: see `windows.pooled_sum`.
    """
    x, axis = builder.operand(node), builder.constant(node.inputs[1])
    if x.shape is None or axis is None or axis.size != 1:
        raise refusal(node, "how many numbers it sums is unknown")
    size = x.shape[int(axis.reshape(()))]
    if not isinstance(size, int):
        raise refusal(node, "it sums over a dynamic dimension", FIXED_SIZE)
    return summed_again(builder, node, size, size)


def worst_cases() -> list[WorstCase]:
    """Return a sum whose halves are lost."""
    rows = one_and_halves_lost()[:, :16]
    return [WorstCase("CumSum", [("CumSum", ["features", "axis"], {})], {"axis": np.array(1)}, rows, 16)]


OPERATOR = OperatorRule(
    "CumSum",
    "the same sums of (1 + 2 gamma_k) e + gamma_k abs(x'), k all of them",
    cumulative_sum,
    worst_cases,
    aten=(AtenOperator("cumsum", fixed={"dtype": None}),),
    operands=1,
)
