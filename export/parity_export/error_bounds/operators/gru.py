"""GRU: written out once more, each gate by the rules of sums, Sigmoid and Tanh."""

from collections.abc import Sequence
from functools import reduce

import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import attribute
from parity_export.error_bounds.operators.shared.recurrence import WRITTEN_OUT, Gates, Step, columns_of, recurrence
from parity_export.error_bounds.operators.shared.worst_case_graphs import recurrent_case
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U, gamma


def gru(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound of every h; see `recurrence.recurrence`.

        z, r <- sigmoid(W x + R h + Wb + Rb);    n <- tanh(W x + Wb + r (R h + Rb));    h <- (1 - z) n + z h

    The sums of z and r are those of an LSTM's gates (`lstm`). In that of n the product may be added to the sum as its
    bias. Only ``linear_before_reset`` is torch's. h: see `blend`.
    """
    if not attribute(node, "linear_before_reset", 0):
        raise refusal(node, "linear_before_reset is 0, which torch has not")
    return recurrence(builder, node, 3, 1, _step)


def _step(step: Step, gates: Gates, x: ir.Value, states: Sequence[ir.Value]) -> Sequence[ir.Value]:
    (h,) = states
    size = columns_of(h)
    sums = step.gates(x, h, step.rows(gates, 0, 2 * size))
    z, r = step.split(step.compute("Sigmoid", sums), 2)
    last = step.rows(gates, 2 * size, 3 * size)
    reset = step.compute("Mul", r, step.sums(h, last.recurrent, last.biases[1]))
    n = step.compute("Tanh", step.compute("Add", step.sums(x, last.weights, last.biases[0]), reset))
    return [blend(step.builder, z, n, h)]


def blend(builder: BoundBuilder, z: ir.Value, n: ir.Value, h: ir.Value) -> ir.Value:
    """Return v = (1 - z) n + z h, with its error bound; it may be computed so, or as n + z (h - n).

    v is the same function of z, n and h in both, and with d the errors of one evaluation's

        v(z~, n~, h~) - v = (1 - z~) dn + z~ dh + (h - n) dz

    Written so, n is rounded three times and h twice; in the other form n three times in the product and once as itself,
    and h three times. Either adds at most

        gamma_3 ((|1 - z~| + |z~|) |n~| + |z~| |h~|) + u |n~|

    No magnitude of an evaluation's exceeds that of what is computed here and twice its error, and |h - n| is at most
    |h' - n'| + e_h + e_n. Of what is flushed on the way nothing is multiplied by more than one.
    """
    parts = [builder.tensor(value) for value in (z, n, h)]
    (e_z, e_n, e_h), scale = (error for error, _ in parts), max(factor for _, factor in parts)
    difference = builder.emit("Sub", [h, n])
    value = builder.emit("Add", [n, builder.emit("Mul", [z, difference])])
    value.shape, value.dtype = h.shape, ir.DataType.FLOAT

    def reach(size: ir.Value, error: ir.Value, times: float) -> ir.Value:
        more = builder.emit("Mul", [error, builder.number([[times * UNIT * scale * (1 + 4 * U)]])])
        return builder.emit("Add", [size, more])

    rest = reach(builder.emit("Abs", [builder.emit("Sub", [builder.number([[1.0]]), z])]), e_z, 2)
    z, n, h = (reach(builder.magnitude(one), error, 2) for one, error in ((z, e_z), (n, e_n), (h, e_h)))
    apart = reach(builder.emit("Abs", [difference]), builder.emit("Add", [e_n, e_h]), 1)
    total = _products(builder, [(rest, e_n), (z, e_h), (apart, e_z)])
    rounded = _products(builder, [(builder.emit("Add", [rest, z]), n), (z, h), (builder.number([[1 / 3]]), n)])
    total = builder.emit("Add", [total, builder.emit("Mul", [rounded, builder.number([[gamma(3) / UNIT]])])])
    builder.set(value, Bound(total, scale * (1 + 32 * U), 0.0, 16 * FLUSHED))
    return value


def _products(builder: BoundBuilder, pairs: Sequence[tuple[ir.Value, ir.Value]]) -> ir.Value:
    """Return a sum of products."""
    return reduce(
        lambda first, second: builder.emit("Add", [first, second]), [builder.emit("Mul", pair) for pair in pairs]
    )


def worst_cases() -> list[WorstCase]:
    """Return a step whose candidate is a sum that cancels, and takes the place of the state."""
    return [recurrent_case("GRU", [(0.0, -50.0), (0.0, 0.0), (1.0, 0.0)])]  # of z, r and n


OPERATOR = OperatorRule(
    "GRU",
    WRITTEN_OUT,
    gru,
    worst_cases,
    no_aten="torch runs one operator whose sums nothing compares with the graph's",
    inner_functions=("Sigmoid", "Tanh"),
)
