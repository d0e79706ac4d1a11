"""Split: a tensor's parts along an axis."""

from dataclasses import replace
from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.places import Part, put_back
from parity_export.error_bounds.adjoints.steps import fits, held, hold, record, sizes_of
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import attribute
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm


def split(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound of the first part, and record those of the others: the same part of e."""
    bound, axis, start = builder.bound(builder.operand(node)), int(attribute(node, "axis", 0)), 0
    if len(node.inputs) > 1 and node.inputs[1] is not None and builder.constant(node.inputs[1]) is None:
        raise refusal(node, "its sizes must be constant")
    parts = []
    for output in node.outputs:
        size = None if output.shape is None else output.shape[axis]
        if not isinstance(size, int):
            raise refusal(node, "its sizes are unknown")
        parts.append(_part(builder, bound, (start, start + size), axis))
        builder.set(output, parts[-1])
        _record(builder, node, len(parts) - 1, (axis, start, start + size))
        if bound.folding is not None and builder.backwards:
            places = start, start + size
            hold(builder, output, partial(_held, builder, builder.operand(node), places, axis), whole=False)
        start += size
    return parts[0]


def _record(builder: BoundBuilder, node: ir.Node, output: int, part: Part) -> None:
    """Record the step of one part."""
    x, (axis, *places) = builder.operand(node), part
    axis %= len(x.shape or ())
    if axis and fits(builder, node, x, alike=False):
        record(builder, node, Bound(), [(x, put_back(builder, sizes_of(x), (axis, places[0], places[1])))], output)


def _held(builder: BoundBuilder, x: ir.Value, places: tuple[int, int], axis: int) -> Bound:
    return _part(builder, held(builder, x), places, axis)


def _part(builder: BoundBuilder, bound: Bound, places: tuple[int, int], axis: int) -> Bound:
    if bound.tensor is None:
        return bound
    inputs = [builder.initializer(np.array([number])) for number in (*places, axis)]
    return replace(bound, tensor=builder.emit("Slice", [bound.tensor, *inputs]))


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass in both parts."""
    nodes: list[Node] = [
        ("Split", ["Gemm0"], {"axis": 1, "num_outputs": 2}),
        ("Concat", ["Split1.second", "Split1"], {"axis": 1}),
    ]
    return [behind_gemm("Split", nodes)]


OPERATOR = OperatorRule(
    "Split",
    "e, moved alike",
    split,
    worst_cases,
    aten=aten("split", "split_with_sizes", "chunk"),
    moves="selects",
    operands=1,
)
