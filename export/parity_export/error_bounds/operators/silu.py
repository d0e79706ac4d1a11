"""SiLU, x Sigmoid(x): two nodes of a graph, one function of the table."""

import onnx_ir as ir
from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, accuracy, one_node
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import (
    Derivative,
    exact_sigmoid,
    formula,
    go_through,
    with_one_slope,
)
from parity_export.error_bounds.operators.shared.worst_case_graphs import over_a_range
from parity_export.error_bounds.rounding_model import U

SILU = Elementary(
    "Silu",
    lambda x: x * exact_sigmoid(x),
    functional.silu,
    (*one_node("Sigmoid"), ("Mul", ("x", "Sigmoid"), {})),
    1.0999,
)


def silu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x sigmoid(x): see `elementary.with_one_slope`. The largest |f''| is f''(0) = 1/2."""
    x = _argument(node)
    if x is None:
        raise refusal(node)
    result = with_one_slope(builder, SILU, x)
    go_through(builder, SILU, node, (x, Derivative(_derivative, 0.5)), result)
    return result


def _derivative(builder: BoundBuilder, node: ir.Node, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return s (1 + x (1 - s)), s the sigmoid of x in the graph, within alpha + beta of the exact one.

    Its slope in s is at most 1 + |x| and a little; five operations round numbers of at most 1 + |x|.
    """
    s = next(value for value in node.inputs if value is not None and value is not x)
    one = builder.number(1.0)
    rest = builder.emit("Mul", [x, builder.emit("Sub", [one, s])])
    known = accuracy("Sigmoid")
    loose = builder.number(1.01 * (known.alpha + known.beta) + 8 * U)
    loose = builder.emit("Mul", [builder.emit("Add", [builder.magnitude(x), builder.number(1.0001)]), loose])
    return builder.emit("Mul", [s, builder.emit("Add", [one, rest])]), loose


def _argument(node: ir.Node) -> ir.Value | None:
    """Return x if a Mul is of x and its sigmoid."""
    for x, other in (node.inputs, node.inputs[::-1]):
        producer = None if other is None else other.producer()
        if x is not None and producer is not None and producer.op_type == "Sigmoid" and producer.inputs[0] is x:
            return x
    return None


def worst_cases() -> list[WorstCase]:
    """Return the function over a range."""
    nodes: list[Node] = [("Sigmoid", ["features"], {}), ("Mul", ["features", "Sigmoid0"], {})]
    return [over_a_range("Silu", nodes)]


OPERATOR = OperatorRule(
    "Silu",
    formula(SILU),
    silu,
    worst_cases,
    aten=aten("silu"),
    functions=(SILU,),
    ends_in="Mul",
    matches=lambda _, node: _argument(node) is not None,
)
