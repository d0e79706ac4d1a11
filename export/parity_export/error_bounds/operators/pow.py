"""Pow with a constant exponent of 2, 3 or 1/2: a product or a root."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.quotients import root_error
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, narrow
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U

_AS_A_POWER = 1.125
"""Roundings of a power that a backend computes by logarithms in double and rounds: a little more than one."""


def power(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x^c: for 2 and 3 pre = c e (abs(x') + 2e)^(c - 1), rounded c - 1 times; for 1/2 as Sqrt.

    |x~^c - x^c| <= c |x~ - x| max(|x~|, |x|)^(c - 1), and both are at most |x'| + 2e. A square that is flushed in a
    cube is of a number below 2^-63, so that the cube is flushed too.
    """
    exponent = builder.constant(node.inputs[1])
    chosen = None if exponent is None or exponent.size != 1 else float(exponent.reshape(()))
    x = builder.operand(node)
    if chosen == 0.5:
        total, scale = root_error(builder, x)
        return Bound(total, scale * (1 + 2 * U), ROUNDED * _AS_A_POWER, 4 * FLUSHED)
    if chosen not in (2.0, 3.0):
        raise refusal(node, "its exponent must be the constant 2, 3 or 0.5")
    total, scale = builder.tensor(x)
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])
    size = builder.emit("Add", [builder.emit("Add", [builder.magnitude(x), builder.number(2.0**-100)]), reach])
    times = int(chosen) - 1
    for _ in range(times):
        total = builder.emit("Mul", [size, total])
    relative = ROUNDED * times * _AS_A_POWER
    return Bound(total, scale * chosen * (1 + 24 * U), relative, 8 * FLUSHED)


def worst_cases() -> list[WorstCase]:
    """Return powers just above 1, and of a sum."""
    cases = [
        WorstCase(f"Pow {number}", [("Pow", ["features", "c"], {})], {"c": np.float32(number)}, narrow(), **options)
        for number, options in ((2, {}), (3, {"least": 0.4}), (0.5, {"overflows": False}))
    ]
    return [*cases, behind_gemm("Pow of a sum", [("Pow", ["Gemm0", "c"], {})], {"c": np.float32(2)})]


OPERATOR = OperatorRule(
    "Pow",
    "c e (abs(x') + 2e)^(c - 1), rounded c - 1 times, for a constant exponent c of 2 or 3; of 1/2 as Sqrt",
    power,
    worst_cases,
    aten=(AtenOperator("pow", tensors_and_numbers),),
)
