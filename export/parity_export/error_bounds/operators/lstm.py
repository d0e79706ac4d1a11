"""LSTM: written out once more, each gate by the rules of sums, Sigmoid and Tanh."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.recurrence import WRITTEN_OUT, Gates, Step, columns_of, recurrence
from parity_export.error_bounds.operators.shared.worst_case_graphs import recurrent_case


def lstm(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound of every h; see `recurrence.recurrence`.

        i, o, f, g = W x + R h + Wb + Rb;    c <- sigmoid(f) c + sigmoid(i) tanh(g);    h <- sigmoid(o) tanh(c)

    A product and a sum that are fused round less often.
    """
    return recurrence(builder, node, 4, 2, _step)


def _step(step: Step, gates: Gates, x: ir.Value, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
    h, c = states
    size = columns_of(h)
    sums = step.gates(x, h, gates)
    sizes = step.builder.initializer(np.array([3 * size, size]))
    between, candidate = step.ask("Split", [sums, sizes], [3 * size, size], {"axis": 1})
    i, o, f = step.split(step.compute("Sigmoid", between), 3)
    taken = step.compute("Mul", i, step.compute("Tanh", candidate))
    c = step.compute("Add", step.compute("Mul", f, c), taken)
    return step.compute("Mul", o, step.compute("Tanh", c)), c


def worst_cases() -> list[WorstCase]:
    """Return a step whose candidate is a sum that cancels, its gates open."""
    return [recurrent_case("LSTM", [(0.0, 50.0), (0.0, 50.0), (0.0, -50.0), (1.0, 0.0)])]  # of i, o, f and g


OPERATOR = OperatorRule(
    "LSTM",
    WRITTEN_OUT,
    lstm,
    worst_cases,
    no_aten="torch runs an LSTM of oneDNN's, whose functions were not measured",
    inner_functions=("Sigmoid", "Tanh"),
)
