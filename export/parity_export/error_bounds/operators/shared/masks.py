"""Masks of attention: what is added to scores, or put in their place, so that a Softmax gives those nothing.

A masked score is minus infinity, float32's lowest number or -1e9: no error bound of it says anything, and none is
needed, because e to its power is zero in every evaluation. What the Softmax asks instead is a **ceiling**: a number
that no evaluation's score exceeds, and the exact one neither.
"""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import UNIT, U

_MASKING = -128.0
"""A constant that is less masks what it is added to, or put in the place of."""

_SLACK = 2.0**-8
"""Of a mask: more than it may be off by, with what is rounded where it is added, also as the bias of a long sum."""

_KEPT = 5
"""Roundings to the format of a lower precision: of up to three sums, and of the mask; one to spare."""

_LONGEST = 2**15
_MOST_SUMS = 3
_MOVING = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Identity"})


def ceiling(builder: BoundBuilder, value: ir.Value | None, sums: int = _MOST_SUMS) -> ir.Value | None:
    """Return the ceiling of a value, of a shape that broadcasts against it; None where nothing masks it.

    Of s + m, m a mask: s' + 8e_s + m + |m| / 256. Every s is at most s' + 2e_s; what is rounded in the sum with m is at
    most gamma_(n+1) / gamma_n <= 2 times what e_s holds of it, if m is fused as the bias of the n products that give s,
    and gamma_(n+1) |m| more. Of Where(c, m, s): m + |m| / 256 or s' + 8e_s. Minus infinity stays.

    Args:
        builder: the graph.
        value: of a node.
        sums: with masks and constants, one in another, that are looked through: gamma_(n+3) <= 4 gamma_n.
    """
    node = None if value is None else value.producer()
    if node is None:
        return None
    if node.op_type in _MOVING:
        found = ceiling(builder, node.inputs[0], sums)
        return None if found is None else builder.emit(node.op_type, [found, *node.inputs[1:]], dict(node.attributes))
    if node.op_type == "Add" and sums:
        for summand, other in (node.inputs, node.inputs[::-1]):
            masked = ceiling(builder, summand, sums - 1)
            mask = _mask(builder, other, _MASKING if masked is None else np.inf)
            base = masked if masked is not None or mask is None else _base(builder, summand)
            if mask is not None and base is not None:
                return builder.emit("Add", [base, mask])
    if node.op_type == "Where" and sums and builder.alike(node.inputs[0]):
        parts = [_mask(builder, part) for part in node.inputs[1:]]
        others = [mask or ceiling(builder, part, sums - 1) or _base(builder, part)
                  for part, mask in zip(node.inputs[1:], parts, strict=True)]  # fmt: skip
        if any(part is not None for part in parts) and None not in others:
            return builder.emit("Where", [node.inputs[0], *others])
    return None


def _base(builder: BoundBuilder, value: ir.Value | None) -> ir.Value | None:
    """Return s' + 8e_s and 16 u |s'|, which pay for the roundings of that sum, with those to a lower precision."""
    if value is None or not builder.knows(value):
        return None
    folding = builder.bound(value).folding
    if folding is not None and folding.roundings > _LONGEST:
        return None
    total, scale = builder.tensor(value)
    reach = builder.emit("Mul", [total, builder.number(8 * UNIT * scale * (1 + 32 * U))])
    size = builder.emit("Mul", [builder.magnitude(value), builder.number(16 * U + _KEPT * builder.precision.unit)])
    return builder.emit("Add", [builder.emit("Add", [value, reach]), size])


def _mask(builder: BoundBuilder, value: ir.Value | None, least: float = _MASKING) -> ir.Value | None:
    """Return m + |m| / 256 of a mask; None of anything else.

    A mask is a constant some of which is less than `least`, or a number that is computed from integers and constants
    alone: every evaluation computes the same, but for a flush, within a few roundings of the exact one.
    """
    slack = _SLACK + _KEPT * builder.precision.unit
    constant = None if value is None else builder.constant(value, masks=True)
    if constant is not None:
        if constant.dtype != np.float32 or not (constant < least).any():
            return None
        return builder.number(_raised(constant.astype(np.float64), slack))
    if value is None or builder.least(value) is None:
        return None
    parts = [builder.emit("Mul", [value, builder.number(1 + sign * slack)]) for sign in (1, -1)]
    return builder.emit("Max", parts)


def _raised(mask: NDArray[np.float64], slack: float) -> NDArray[np.float64]:
    return np.where(np.isfinite(mask), mask + np.abs(np.where(np.isfinite(mask), mask, 0)) * slack, mask)
