"""What a certified graph claims: the error bound of its answers, and for a classifier whether the label is certain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.backward_pass import backward_pass, worth
from parity_export.error_bounds.adjoints.seeds import MOST, Seeds, all_answers, runners_up
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import UNIT, U
from parity_runtime import ModelContract

_TWICE = 2 * (1 + 8 * U)


@dataclass(frozen=True)
class Answer:
    """What the graph answers.

    Attributes:
        values: logits or values.
        label: ``[batch]``, of a classifier.
        near: an error bound of the values that the graph at hand computes, where that is known better than what every
            bounded evaluation keeps to.
        beyond: infinite in rows where nothing may be claimed, else 0.
    """

    values: ir.Value
    label: ir.Value | None
    near: ir.Value | None = None
    beyond: ir.Value | None = None


def claims(
    builder: BoundBuilder, nodes: Sequence[ir.Node], answer: Answer, contract: ModelContract
) -> tuple[ir.Value, ir.Value | None]:
    """Return the error bound of the answers, and for a classifier the truth values ``certified [batch]``.

    With a backward pass the smaller of both bounds is taken, where the forward one is finite.
    """
    bound = finished(builder, answer.values)
    if answer.beyond is not None:
        bound = builder.emit("Add", [bound, answer.beyond])
    several = answer.label is not None and contract.task != "binary"
    column = builder.emit("Unsqueeze", [answer.label, builder.initializer(np.array([1]))]) if several else None
    margins: Callable[[ir.Value], ir.Value] = _unchanged
    seeds = _seeds(builder, answer.values, bound, column) if builder.backwards else None
    if seeds is not None:
        found, apart = worth(builder, backward_pass(builder, nodes, answer.values, seeds))
        bound = seeds.merged(builder, _in_its_unit(builder, found), bound)
        margins = _unchanged if apart is None else partial(seeds.merged, builder, _in_its_unit(builder, apart))
    if answer.label is None:
        return bound, None
    if column is None:
        return bound, _binary(builder, answer, bound, contract.logit_threshold or 0.0)
    return bound, _multiclass(builder, answer, bound, column, margins)


def _unchanged(bounds: ir.Value) -> ir.Value:
    return bounds


def _seeds(builder: BoundBuilder, values: ir.Value, bound: ir.Value, column: ir.Value | None) -> Seeds | None:
    """Return from which answers to go back; None where those are many, and no label is among them."""
    count = None if values.shape is None or len(values.shape) != 2 else values.shape[1]
    if not isinstance(count, int) or (count > MOST and column is None):
        return None
    if count <= MOST or column is None:
        return all_answers(builder, count, column)
    margin, reach = _compared(builder, values, bound, column)
    return runners_up(builder, column, count, builder.emit("Sub", [reach, margin]))


def _in_its_unit(builder: BoundBuilder, found: ir.Value) -> ir.Value:
    return builder.emit("Mul", [builder.shielded(found), builder.number([[UNIT * (1 + 8 * U)]])])


def finished(builder: BoundBuilder, answer: ir.Value) -> ir.Value:
    """Return the error bound in the answer's own unit, +inf where nothing is claimed: where it is NaN, or negative."""
    found, scale = builder.tensor(answer)
    bound = builder.emit("Mul", [builder.shielded(found), builder.number([[UNIT * scale * (1 + 4 * U)]])])
    infinite = builder.initializer(np.array([[np.inf]], np.float32))
    zero = builder.initializer(np.array([[0.0]], np.float32))
    known = builder.emit(
        "And", [builder.emit("Less", [bound, infinite]), builder.emit("GreaterOrEqual", [bound, zero])]
    )  # fmt: skip
    return builder.emit("Where", [known, bound, infinite])


def _binary(builder: BoundBuilder, answer: Answer, bound: ir.Value, threshold: float) -> ir.Value:
    """Certify z >= c: |z' - c| > 2 R, because z' lies within R of the exact z, and so does every compliant one.

    The difference rounds by at most u of itself, which 2 R (1 + 8u) pays for. Nothing that is NaN is greater.
    """
    constant = builder.initializer(np.array([[threshold]], np.float32))
    margin = builder.emit("Abs", [builder.emit("Sub", [answer.values, constant])])
    reach = _apart(builder, bound, answer.near)
    return builder.emit("Squeeze", [builder.emit("Greater", [margin, reach]), builder.initializer(np.array([1]))])


def _apart(builder: BoundBuilder, bound: ir.Value, near: ir.Value | None) -> ir.Value:
    """Return 2 R, or R and the error bound of the values at hand, which need not be as large."""
    if near is None:
        return builder.emit("Mul", [bound, builder.number([[_TWICE]])])
    return builder.emit("Mul", [builder.emit("Add", [bound, near]), builder.number([[_TWICE / 2]])])


def _multiclass(
    builder: BoundBuilder,
    answer: Answer,
    bound: ir.Value,
    column: ir.Value,
    margins: Callable[[ir.Value], ir.Value],
) -> ir.Value:
    """Certify the largest logit: z'_i - z'_j > 2 (R_i + R_j) for every other j, or > 2 R_ij, counted.

    Args:
        builder: the graph.
        answer: z, ``[batch, classes]``.
        bound: R.
        column: the label, ``[batch, 1]``.
        margins: makes of R_i + R_j the smaller of that and R_ij.

    The label itself is never counted (0 > 4 R_i is false), so that all others are iff there are one less than classes.
    """
    margin, reach = _compared(builder, answer.values, bound, column)
    near = None if answer.near is None else _compared(builder, answer.values, answer.near, column)[1]
    reach = _apart(builder, margins(reach), near)
    behind = builder.emit("Cast", [builder.emit("Greater", [margin, reach])], {"to": ir.DataType.INT32})
    count = builder.emit("ReduceSum", [behind, builder.initializer(np.array([1]))], {"keepdims": 0})
    classes = int(answer.values.shape[1])  # type: ignore[index, arg-type]  # as many as the contract's (`check_graph`)
    return builder.emit("Equal", [count, builder.initializer(np.array([classes - 1], np.int32))])


def _compared(builder: BoundBuilder, logits: ir.Value, bound: ir.Value, column: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return how much larger the label's logit is than each, and the sum of both error bounds."""
    best, best_bound = (builder.emit("GatherElements", [values, column], {"axis": 1}) for values in (logits, bound))
    return builder.emit("Sub", [best, logits]), builder.emit("Add", [best_bound, bound])
