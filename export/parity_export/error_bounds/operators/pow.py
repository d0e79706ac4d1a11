"""Pow with a constant exponent of 2, 3 or 1/2: a product or a root."""

from dataclasses import replace
from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors
from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.operators.shared.quotients import loosened, root_error, root_slopes
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, narrow
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U

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
        own = Bound(None, 1.0, ROUNDED * _AS_A_POWER, 4 * FLUSHED)
        result = replace(own, tensor=total, scale=scale * (1 + 2 * U))
        record_operands(builder, node, own, result, [(x, partial(root_slopes, builder, node.outputs[0]))])
        return result
    if chosen not in (2.0, 3.0):
        raise refusal(node, "its exponent must be the constant 2, 3 or 0.5")
    total, scale = builder.tensor(x)
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])
    size = builder.emit("Add", [builder.emit("Add", [builder.magnitude(x), builder.number(2.0**-100)]), reach])
    times = int(chosen) - 1
    for _ in range(times):
        total = builder.emit("Mul", [size, total])
    own = Bound(None, 1.0, ROUNDED * times * _AS_A_POWER, 8 * FLUSHED)
    result = replace(own, tensor=total, scale=scale * chosen * (1 + 24 * U))
    record_operands(builder, node, own, result, [(x, partial(_slopes, builder, x, times))])
    return result


def _slopes(builder: BoundBuilder, x: ir.Value, times: int) -> Factors:
    """Return x + x~, or x^2 + x x~ + x~^2: within 3e of 2x', or within 9e |x'| + 7e^2 of 3x'^2.

    x lies within e of x' and x~ within 2e.
    """
    error, size = builder.absolute(x), builder.magnitude(x)
    if times == 1:
        nominal, off = builder.emit("Add", [x, x]), builder.emit("Mul", [error, builder.number([3.0])])
    else:
        nominal = builder.emit("Mul", [builder.emit("Mul", [x, x]), builder.initializer(np.array([3.0], np.float32))])
        parts = [builder.emit("Mul", [one, builder.number([by])]) for one, by in ((size, 9.0), (error, 7.0))]
        off = builder.emit("Mul", [builder.emit("Add", parts), error])
    off = loosened(builder, builder.emit("Add", [off, builder.number([FLUSH])]), builder.magnitude(nominal))
    return Factors(nominal, off, builder.emit("Add", [builder.magnitude(nominal), off]))


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
