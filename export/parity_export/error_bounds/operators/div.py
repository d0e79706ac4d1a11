"""Div: a quotient, by constants perhaps, which some backends compute as a product with the rounded reciprocals."""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors
from parity_export.error_bounds.aten_operator import AtenOperator, tensors_and_numbers
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.one_operation import (
    ROUNDED,
    checked_constant,
    rounded_factor,
    scaled,
)
from parity_export.error_bounds.operators.shared.quotients import inverse, loosened, lowest
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.operators.shared.worst_case_graphs import (
    INTEGERS,
    K,
    halves_lost,
    narrow,
    ones,
    two_columns,
)
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U


def divide(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x / c: pre = e_x / |c| (`one_operation.scaled`), c not zero. V = x / y: see `quotient`."""
    if builder.is_rounded(node.inputs[1]):
        least, _, count = rounded_factor(builder, node, 0, node.inputs[1])
        return scaled(builder, node, 0, 1 / least, folded=2 + count, alike=False)
    constant = builder.constant(node.inputs[1])
    if constant is None:
        return quotient(builder, node)
    if (constant == 0).any():
        raise refusal(node, "the divisor must not be zero")
    return scaled(builder, node, 0, 1 / checked_constant(builder, node, 0, constant), folded=2)


def quotient(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x / y, y computed: pre = (e_x + (abs(x') + 2e_x) e_y / low) / low, low = abs(y') - 2e_y.

    |x~/y~ - x/y| <= (|x~ - x| + |x| |y~ - y| / |y|) / |y~|, where |y| and |y~| are at least low. What is flushed in
    e_y / low is less than 2^-125 of |v'|, or low is half of |y'| at most and nothing is; what is flushed in the product
    is less than 2u of e_x, which is at least one flush.

    For a backward pass x~ / y~ - x / y = (x~ - x) / y~ - (x / y) (y~ - y) / y~.
    """
    y = builder.operand(node, 1)
    (e_y, scale), low = builder.tensor(y), lowest(builder, y, builder.magnitude(y))
    constant = builder.constant(node.inputs[0])
    if constant is None:
        x = builder.operand(node, 0)
        e_x, x_scale = builder.tensor(x)
        scale = max(scale, x_scale)
        reach = builder.emit("Mul", [e_x, builder.number(2 * UNIT * scale * (1 + 8 * U))])
        size = builder.emit("Add", [builder.magnitude(x), reach])
    else:
        e_x, size = builder.number(FLUSHED), builder.number(np.abs(constant.astype(np.float64)))
    pre = builder.emit("Add", [e_x, builder.emit("Mul", [size, builder.emit("Div", [e_y, low])])])
    result = Bound(builder.emit("Div", [pre, low]), scale * (1 + 32 * U), ROUNDED, 6 * FLUSHED)
    divisor: list[tuple[ir.Value, Callable[[], Factors]]] = [(y, partial(_of_divisor, builder, node, (y, low)))]
    divided = [] if constant is not None else [(builder.operand(node, 0), partial(inverse, builder, (y, low)))]
    record_operands(builder, node, Bound(None, 1.0, ROUNDED, 6 * FLUSHED), result, [*divided, *divisor])
    return result


def _of_divisor(builder: BoundBuilder, node: ir.Node, divisor: tuple[ir.Value, ir.Value]) -> Factors:
    """Return -(x / y) / y~, of the exact quotient v: within (e_v + 2 |v'| e_y / |y'|) / low of -v' / y'."""
    (y, low), v = divisor, node.outputs[0]
    nominal = builder.emit("Neg", [builder.emit("Div", [v, y])])
    moved = builder.emit("Mul", [builder.magnitude(nominal), builder.absolute(y, 2.0)])
    off = builder.emit("Div", [builder.emit("Add", [moved, builder.absolute(v)]), low])
    reach = builder.emit("Div", [builder.emit("Add", [builder.magnitude(v), builder.absolute(v)]), low])
    reach = builder.emit("Mul", [reach, builder.number([1 + 16 * U])])
    return Factors(nominal, loosened(builder, off, reach), reach)


def worst_cases() -> list[WorstCase]:
    """Return quotients just above 1, and what is divided by a sum."""
    divisor = np.array([0.9 + 321 * 2.0**-20], np.float32)
    rows = narrow(2) * np.array([1, 0.875], np.float32)
    summed: list[Node] = [("Gemm", ["features", "w", "b"], {"transB": 1}), ("Div", ["c", "Gemm0"], {})]
    constants = {"w": ones(4, K), "b": ones(4), "c": np.full(1, 3, np.float32)}
    return [
        WorstCase("Div constant", [("Div", ["features", "c"], {})], {"c": divisor}, narrow()),
        WorstCase("Div", [*two_columns(), ("Div", ["Slice0", "Slice1"], {})], INTEGERS, rows, overflows=False),
        WorstCase("Div by a sum", summed, constants, halves_lost(), 4),
    ]


OPERATOR = OperatorRule(
    "Div",
    "e_x / abs(c), rounded twice; or (e_x + (abs(x') + 2e_x) e_y / low) / low, low = abs(y') - 2e_y, rounded once",
    divide,
    worst_cases,
    aten=(AtenOperator("div", tensors_and_numbers, {"rounding_mode": None}),),
)
