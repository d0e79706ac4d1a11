"""LSTM: written out once more, each gate by the rules of sums, Sigmoid and Tanh."""

from collections.abc import Sequence

import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.gemm import gemm
from parity_export.error_bounds.operators.concat import concat
from parity_export.error_bounds.operators.mul import multiply
from parity_export.error_bounds.operators.shared.one_operation import add_or_subtract
from parity_export.error_bounds.operators.shared.recurrence import Gates, Step, recurrence
from parity_export.error_bounds.operators.sigmoid import SIGMOID, sigmoid
from parity_export.error_bounds.operators.split import split
from parity_export.error_bounds.operators.tanh import TANH, tanh


def lstm(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound of every h; see `recurrence.recurrence`.

        i, o, f, g = W x + R h + Wb + Rb;    c <- sigmoid(f) c + sigmoid(i) tanh(g);    h <- sigmoid(o) tanh(c)

    The sums of the gates are inner products of k = features + hidden terms and a bias, behind which another constant is
    added, so that each term may take part in k + 2 roundings: Wb and Rb may be added first, W x may be computed for all
    steps at once, and in any other order.
    """
    return recurrence(builder, node, 4, 2, _step)


def _step(step: Step, gates: Gates, x: ir.Value, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
    h, c = states
    size = int(h.shape[1])  # type: ignore[index, arg-type]
    both = step.ask(concat, "Concat", [x, h], size + int(x.shape[1]), {"axis": 1})  # type: ignore[index, arg-type]
    weights = step.joined(gates.weights, gates.recurrent)
    z = step.ask(gemm, "Gemm", [both, weights, gates.biases[0]], 4 * size, {"transB": 1})
    z = step.ask(add_or_subtract, "Add", [z, gates.biases[1]], 4 * size)
    between, g = step.split(split, z, [3 * size, size])
    between = step.ask(sigmoid, "Sigmoid", [between], 3 * size)
    i, o, f = step.split(split, between, [size] * 3)
    for gate in (i, o, f):
        step.builder.never_negative(gate)
    g = step.ask(tanh, "Tanh", [g], size)
    kept, taken = (step.ask(multiply, "Mul", pair, size) for pair in ([f, c], [i, g]))
    c = step.ask(add_or_subtract, "Add", [kept, taken], size)
    bent = step.ask(tanh, "Tanh", [c], size)
    return step.ask(multiply, "Mul", [o, bent], size), c


def worst_cases() -> list[WorstCase]:
    return []


OPERATOR = OperatorRule(
    "LSTM",
    "written out once more, every step by the rules of Gemm, Sigmoid, Tanh, Mul and Add",
    lstm,
    worst_cases,
    no_aten="torch runs an LSTM of oneDNN's, whose functions were not measured",
)
