"""Mul: the product of two tensors, or of one and constants."""

from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors
from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import (
    ROUNDED,
    checked_constant,
    rounded_factor,
    scaled,
)
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, behind_gemm, narrow, two_columns
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U


def multiply(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x c: pre = |c| e_x (`one_operation.scaled`). V = x y: see `product`.

    The roundings of a c that is computed from constants count beside the product's own: a backend may fold it.
    """
    for index in (0, 1):
        other = node.inputs[1 - index]
        if builder.is_rounded(other):
            _, largest, count = rounded_factor(builder, node, index, other)
            return scaled(builder, node, index, largest, folded=1 + count, alike=False)
        constant = builder.constant(other)
        if constant is not None:
            return scaled(builder, node, index, checked_constant(builder, node, index, constant))
    return product(builder, node)


def product(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x y, both computed: pre = |x'| e_y + |y'| e_x + 3 e_x e_y.

    For compliant x, y and the exact X, Y: |x y - X Y| <= |x| |y - Y| + |Y| |x - X|, where |x| <= |x'| + 2 e_x and
    |Y| <= |y'| + e_y. A magnitude may be read as zero when it is subnormal: 2^-100 is added to it.

    For a backward pass x~ y~ - x y = y~ (x~ - x) + x (y~ - y): S is y~ in x, and the exact x in y.
    """
    x, y = builder.operand(node, 0), builder.operand(node, 1)
    (e_x, x_scale), (e_y, y_scale) = builder.tensor(x), builder.tensor(y)
    tiny, scale = builder.number(2.0**-100), max(x_scale, y_scale)
    reach = builder.emit("Mul", [e_x, builder.number(3 * UNIT * scale)])
    reach = builder.emit("Add", [builder.emit("Add", [reach, tiny]), builder.magnitude(x)])
    first = builder.emit("Mul", [reach, e_y])
    second = builder.emit("Mul", [builder.emit("Add", [builder.magnitude(y), tiny]), e_x])
    result = Bound(builder.emit("Add", [first, second]), scale * (1 + 12 * U), ROUNDED, 5 * FLUSHED)
    record_operands(builder, node, Bound(None, 1.0, ROUNDED, 5 * FLUSHED), result, [
        (x, partial(_factors, builder, y, 2.0)), (y, partial(_factors, builder, x, 1.0))
    ])  # fmt: skip
    return result


def _factors(builder: BoundBuilder, other: ir.Value, times: float) -> Factors:
    """Return the slopes of x y in x, which are y~; and in y, which are the exact x: within 2e and e of y' and x'."""
    off = builder.absolute(other, times)
    return Factors(other, off, builder.emit("Add", [builder.magnitude(other), off]))


def worst_cases() -> list[WorstCase]:
    """Return products just above 1, and factors that a backend may fold into a Gemm."""
    factor, half = np.array([1 + 321 * 2.0**-20], np.float32), np.float32(0.5)
    return [
        WorstCase("Mul constant", [("Mul", ["features", "c"], {})], {"c": factor}, narrow()),
        WorstCase("Mul", [*two_columns(), ("Mul", ["Slice0", "Slice1"], {})], INTEGERS, narrow(2)),
        behind_gemm("Gemm, Mul", [("Mul", ["Gemm0", "c"], {})], {"c": np.full(4, 0.7, np.float32)}),
        behind_gemm(
            "Gemm, Mul by a root",
            [("Sqrt", ["c"], {}), ("Mul", ["Gemm0", "Sqrt1"], {})],
            {"c": np.full(4, 0.7, np.float32)},
        ),
        behind_gemm("Mul by a half", [("Relu", ["Gemm0"], {}), ("Mul", ["Relu1", "c"], {})], {"c": half}),
    ]


OPERATOR = OperatorRule(
    "Mul",
    "abs(c) e_x, or abs(x') e_y + abs(y') e_x + 3 e_x e_y; rounded once",
    multiply,
    worst_cases,
    aten=(AtenOperator("mul", tensors_and_numbers),),
)
