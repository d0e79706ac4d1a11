"""Results that are rounded to a lower precision: what that adds to an error bound, its norm and its step.

Let v~0 be what an operator computes in float32, within e of the exact v, and v~ what is kept of it,
|v~ - v~0| <= r |v~0| + t. v' is computed by the graph at hand, which rounds nothing to the lower precision, and lies
within e of v as well. So

    |v~ - v| <= e + r |v~0| + t <= e + r (|v'| + 2e) + t = (1 + 2r) e + r |v'| + t

The error r v~0 is r v' and r times a difference of two errors, so that of the two parts that an error is the sum of
(`bound.Bound`) the first, and its norm, grow by the factor 1 + 2r, and r |v'| + t belongs to the second. An operator's
own error grows by r |v~0| + t <= 2r e + r |v'| + t.
"""

from dataclasses import replace
from functools import reduce

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.steps import with_share
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import accuracy
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.low_precision.lowered_graph import Loose, Lowered
from parity_export.error_bounds.precision import Storage
from parity_export.error_bounds.registry import moving, rule_of
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U

_MOVING = moving("keeps", "selects", "joins")
_REPRESENTED = _MOVING | {
    "Abs", "Clip", "GlobalMaxPool", "Max", "MaxPool", "Min", "Neg", "Pad", "ReduceMax", "Relu", "Trilu", "Where"
}  # fmt: skip
"""Operators whose result is one of their operands', or a constant's, but for a sign: it is in the format already."""

_SILU = 90.0
"""The |x| up to which what rounding adds to its sigmoid counts by its absolute part; see `_of_a_sigmoid`."""


def round_result(builder: BoundBuilder, node: ir.Node, graph: Lowered) -> None:
    """Let the error bound of a node's results hold for what a lower precision keeps of them.

    Raises:
        CannotCertifyError: a constant is computed in the graph, which would be rounded in a way that is not known.
    """
    for value in node.outputs:
        if value in graph.operands:
            if builder.knows(value):  # else it is a weight, whose rounding stands in the rule of the product
                _round(builder, value, builder.precision.operands, FLUSH)
        elif builder.precision.storage is not None and value.dtype == ir.DataType.FLOAT:
            _store(builder, node, value, builder.precision.storage, graph.loose.get(node, Loose()))


def _store(builder: BoundBuilder, node: ir.Node, value: ir.Value, storage: Storage, loose: Loose) -> None:
    constant = builder.constant(value, masks=True)
    if constant is not None:
        if not np.array_equal(storage.rounded(constant), constant):
            raise refusal(node, f"it computes a constant that is rounded to {builder.precision.name}")
        return
    chosen = node.op_type in _MOVING or (node.op_type == "Where" and loose == Loose())
    if builder.is_rounded(value) or (builder.begins(value) and not chosen):
        raise refusal(
            node, f"it computes a constant, or a number of integers, that is rounded to {builder.precision.name}"
        )
    if not builder.knows(value):
        return
    relative, more = loose.relative, loose.constant
    if node.op_type not in _REPRESENTED:
        rule = rule_of(builder, node)
        twice = rule is not None and rule.name == "Silu"  # the sigmoid may be rounded before
        unit, lost = _of_a_sigmoid(storage) if twice else (storage.unit, 0.0)
        relative = unit + relative * (1 + unit)
        more = more * (1 + unit) + storage.tiny + lost
    if relative or more:
        _round(builder, value, relative, more)
        if np.isfinite(storage.largest):
            _guard(builder, value, storage.largest)


def _of_a_sigmoid(storage: Storage) -> tuple[float, float]:
    """Return the relative and the absolute part of what x s errs by, where s was rounded before and x s is after.

    s = s0 (1 + d) + h, |h| <= t and |h| <= |s0|, x s0 within Silu's row. |x h| is at most 90 t up to |x| = 90. Above,
    s0 is nearly 1 and |x h| at most t (1 + 2^-10) |x s0|. Below, |x h| <= |x s0| <= beta + 1e-37: silu(x) is less.
    """
    beta = accuracy("Silu").beta * (1 + 2.0**-10) + 1e-37
    return (1 + storage.unit) ** 2 - 1 + storage.tiny * (1 + 2.0**-9), max(_SILU * storage.tiny, beta)


def _round(builder: BoundBuilder, value: ir.Value, relative: float, more: float) -> None:
    """Let |v~ - v~0| be at most relative |v~0| + more."""
    bound, growth = builder.bound(value), 1 + 2 * relative
    step = builder.steps.get(value)
    if step is not None:
        builder.steps[value] = replace(step, own=_own(builder, step.own, bound, (relative, more)))
    norm = bound.norm and replace(
        bound.norm,
        scale=bound.norm.scale * growth,
        relative=bound.norm.relative * growth,
        constant=bound.norm.constant * growth,
    )
    builder.set(
        value,
        replace(
            bound,
            scale=bound.scale * growth,
            relative=bound.relative * growth + relative / UNIT,
            constant=bound.constant * growth + more / UNIT + FLUSHED,
            norm=norm,
        ),
    )
    if bound.folding is not None:  # what may be folded into the map before takes the error as one tensor
        builder.tensor(value)


def _own(builder: BoundBuilder, own: Bound, whole: Bound, rounding: tuple[float, float]) -> Bound:
    relative, more = rounding
    found = with_share(builder, own, whole, 2 * relative)
    if whole.tensor is None:
        found = replace(
            found,
            relative=found.relative + 2 * relative * whole.relative,
            constant=found.constant + 2 * relative * whole.constant,
        )
    return replace(found, relative=found.relative + relative / UNIT, constant=found.constant + more / UNIT + FLUSHED)


def _guard(builder: BoundBuilder, value: ir.Value, largest: float) -> None:
    """Note in which rows a value may be larger than the format's largest number: there nothing is claimed.

    What a mask has put to minus infinity is that in every evaluation.
    """
    total, scale = builder.tensor(value)
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])
    size = builder.emit("Add", [builder.magnitude(value), reach])
    least = builder.initializer(np.float32(largest * (1 - 4 * U)))
    infinite, zero = builder.initializer(np.float32(np.inf)), builder.initializer(np.float32(0))
    masked = builder.emit("Equal", [value, builder.initializer(np.float32(-np.inf))])
    held = builder.emit("Or", [builder.emit("Less", [size, least]), masked])
    beyond = builder.emit("Where", [held, zero, infinite])
    beyond.shape, beyond.dtype = value.shape, ir.DataType.FLOAT
    builder.overflow.append(beyond)


def beyond_range(builder: BoundBuilder, answer: ir.Value) -> ir.Value | None:
    """Return a tensor that broadcasts against an answer: infinite in rows where a value may overflow, else 0.

    A value whose rows are not those of the batch takes all rows with it. None where no value can overflow.
    """
    if not builder.overflow:
        return None
    found = [_by_row(builder, value, answer) for value in builder.overflow]
    return reduce(lambda first, second: builder.emit("Add", [first, second]), found)


def _by_row(builder: BoundBuilder, beyond: ir.Value, answer: ir.Value) -> ir.Value:
    shape, batch = beyond.shape, answer.shape[0] if answer.shape else None
    if not shape:
        return beyond
    if not isinstance(batch, ir.SymbolicDim) or batch.value is None or shape[0] != batch:
        return builder.emit("ReduceMax", [beyond, builder.initializer(np.arange(len(shape)))], {"keepdims": 0})
    rest = builder.initializer(np.array([0, -1]))
    rows = builder.emit("Reshape", [beyond, rest])
    return builder.emit("ReduceMax", [rows, builder.initializer(np.array([1]))], {"keepdims": 1})
