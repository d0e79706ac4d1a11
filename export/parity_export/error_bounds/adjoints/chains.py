"""Through several operators that move elements, where the rows of the batch are elsewhere in between.

As a network splits what one map gives into queries, keys and values: heads come before the batch, or heads and rows
share an axis. From the result, whose first axis is the batch, to the value before all of them, whose first axis is the
batch too, every element is moved within its row. The adjoints go back with the seeds in front of everything.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Pull
from parity_export.error_bounds.adjoints.places import Part
from parity_export.error_bounds.adjoints.pulls import moved
from parity_export.error_bounds.adjoints.rows import FIRST
from parity_export.error_bounds.bound_graph import BoundBuilder

_LONGEST = 8
_IN_ORDER = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})

Back = Callable[[ir.Value], ir.Value]
TakenOut = Callable[[ir.Node, ir.Value], Part | None]


def chain(builder: BoundBuilder, node: ir.Node, part: TakenOut) -> tuple[ir.Value, Pull] | None:
    """Return the value before all operators that move elements, up to a node's result, and the pull through them.

    Args:
        builder: the graph.
        node: the last of them.
        part: returns which part along which axis an operator takes out of a value.
    """
    steps, last = list[Back](), node
    while len(steps) < _LONGEST:
        x = last.inputs[0]
        one = None if x is None else _back(builder, last, x, part)
        if x is None or one is None:
            return None
        steps.append(one)
        before = x.producer()
        if builder.rows.get(x) == FIRST:
            return (x, _pull(builder, node.outputs[0], x, steps)) if len(steps) > 1 else None
        if before is None:
            return None
        last = before
    return None


def _pull(builder: BoundBuilder, result: ir.Value, x: ir.Value, steps: list[Back]) -> Pull:
    rank, sizes = len(result.shape or ()), tuple(size for size in (x.shape or ())[1:] if isinstance(size, int))

    def swapped(adjoint: ir.Value, axes: int) -> ir.Value:
        return builder.emit("Transpose", [adjoint], {"perm": [1, 0, *range(2, axes + 1)]})

    def move(adjoint: ir.Value) -> ir.Value:
        adjoint = swapped(adjoint, rank)
        for step in steps:
            adjoint = step(adjoint)
        return swapped(adjoint, len(sizes) + 1)

    return moved(move, sizes)


def _back(builder: BoundBuilder, node: ir.Node, x: ir.Value, part: TakenOut) -> Back | None:
    """Return what takes adjoints of a node's result, the seeds in front, to those of x; None where it is not known."""
    if x.shape is None or node.outputs[0].shape is None:
        return None
    if node.op_type in _IN_ORDER:
        return lambda adjoint: _reshaped(builder, adjoint, x)
    if node.op_type == "Transpose" and "perm" in node.attributes:
        perm = list(node.attributes["perm"].as_ints())
        places = [perm.index(axis) + 1 for axis in range(len(perm))]
        return lambda adjoint: builder.emit("Transpose", [adjoint], {"perm": [0, *places]})
    taken, rank = part(node, x), len(x.shape)
    if taken is None:
        return None
    axis, first, last = taken
    size = x.shape[axis]
    if not isinstance(size, int):
        return None
    around = [0] * (2 * (rank + 1))
    around[axis + 1], around[rank + 1 + axis + 1] = first, size - last
    pads, without = builder.initializer(np.array(around)), len(node.outputs[0].shape) < rank

    def put_back(adjoint: ir.Value) -> ir.Value:
        if without:
            adjoint = builder.emit("Unsqueeze", [adjoint, builder.initializer(np.array([axis + 1]))])
        return builder.emit("Pad", [adjoint, pads])

    return put_back


def _reshaped(builder: BoundBuilder, adjoint: ir.Value, x: ir.Value) -> ir.Value:
    """Return adjoints in the shape of x, whose batch is of unknown size: 1 where all rows have the same adjoints."""
    sizes = [size if isinstance(size, int) else -1 for size in x.shape or ()]
    return builder.emit("Reshape", [adjoint, builder.initializer(np.array([0, *sizes]))])
