"""Pad: more elements around a tensor, a constant or its own."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.places import taken_out
from parity_export.error_bounds.adjoints.steps import fits, record, sizes_of
from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import attribute
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, behind_gemm
from parity_export.error_bounds.rounding_model import FLUSHED


def pad(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound, padded alike; a constant beside the elements is exact, but for a flush.

    What is folded into a map before it would change the constant too, so that nothing is.
    """
    bound = builder.bound(builder.operand(node))
    places = [node.inputs[index] for index in (1, 3) if index < len(node.inputs)]
    if any(builder.knows(value) for value in places):
        raise refusal(node, "where it puts elements is computed")
    filling = node.inputs[2] if len(node.inputs) > 2 else None
    if filling is not None and builder.constant(filling) is None:
        raise refusal(node, "what it puts around is computed")
    total = bound.tensor
    if total is not None:
        inputs = [total, node.inputs[1], builder.number(FLUSHED), *node.inputs[3:]]
        total = builder.emit("Pad", inputs, dict(node.attributes))
    _record(builder, node)
    return Bound(total, bound.scale, bound.relative, bound.constant + FLUSHED)


def _record(builder: BoundBuilder, node: ir.Node) -> None:
    """Record the step of what puts constants around x: x has the adjoint of its part, and around it is a flush."""
    x, around = builder.operand(node), builder.constant(node.inputs[1])
    rank = len(x.shape or ())
    constant = attribute(node, "mode", "constant") == "constant"
    if not constant or around is None or len(node.inputs) > 3 or (around < 0).any() or around[:: max(rank, 1)].any():
        return
    if fits(builder, node, x, alike=False):
        sizes = sizes_of(x)
        parts = [(axis, int(around[axis]), int(around[axis]) + sizes[axis - 1]) for axis in range(1, rank)]
        record(builder, node, Bound(None, 1.0, 0.0, 2 * FLUSHED), [(x, taken_out(builder, sizes, parts))])


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass, padded by zeros and by itself."""
    constants = dict(INTEGERS) | {"pads": np.array([0, 1, 0, 2]), "c": np.float32(0.5)}
    middle: Node = ("Slice", ["Pad1", "1", "5", "1"], {})  # what stands around it is constant in any case
    return [
        behind_gemm("Pad", [("Pad", ["Gemm0", "pads", "c"], {}), middle], constants),
        behind_gemm("Pad, reflected", [("Pad", ["Gemm0", "pads"], {"mode": "reflect"})], constants, outputs=7),
    ]


OPERATOR = OperatorRule(
    "Pad",
    "e, padded alike; beside it one flush",
    pad,
    worst_cases,
    aten=(
        AtenOperator("constant_pad_nd", fixed={"value": 0}),
        *(AtenOperator(f"{kind}_pad{rank}d") for kind in ("reflection", "replication") for rank in (1, 2, 3)),
    ),
    operands=1,
)
