"""SiLU, x Sigmoid(x): two nodes of a graph, one function of the table."""

import onnx_ir as ir
from torch.nn import functional

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import exact_sigmoid, formula, with_one_slope
from parity_export.error_bounds.operators.shared.worst_case_graphs import over_a_range

SILU = Elementary(
    "Silu",
    lambda x: x * exact_sigmoid(x),
    functional.silu,
    (*one_node("Sigmoid"), ("Mul", ("x", "Sigmoid"), {})),
    1.0999,
)


def silu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x sigmoid(x): see `elementary.with_one_slope`."""
    x = _argument(node)
    if x is None:
        raise refusal(node)
    return with_one_slope(builder, SILU, x)


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
