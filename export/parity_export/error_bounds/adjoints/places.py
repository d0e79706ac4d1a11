"""From the adjoints of some elements to those of all: what an operator takes out of a tensor, the other way round.

Elements that are not taken have the adjoint 0. Nothing is rounded, and no norm grows.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Pull
from parity_export.error_bounds.adjoints.pulls import moved
from parity_export.error_bounds.bound_graph import BoundBuilder

Part = tuple[int, int, int]
"""An axis, the batch's counted, and the first and the last place but one of those that are taken along it."""


def put_back(builder: BoundBuilder, sizes: tuple[int, ...], part: Part, *, without: bool = False) -> Pull:
    """Return the pull through what takes a part of x along an axis.

    Args:
        builder: the graph.
        sizes: of x, without the batch.
        part: that is taken.
        without: whether the result lacks the axis, of which one place is taken.
    """
    axis, first, last = part
    around = [0] * (2 * (len(sizes) + 2))  # the seeds' axis stands behind the batch's
    around[axis + 1], around[len(sizes) + 2 + axis + 1] = first, sizes[axis - 1] - last
    pads = builder.initializer(np.array(around))

    def move(adjoint: ir.Value) -> ir.Value:
        if without:
            adjoint = builder.emit("Unsqueeze", [adjoint, builder.initializer(np.array([axis + 1]))])
        return builder.emit("Pad", [adjoint, pads]) if any(around) else adjoint

    return moved(move, sizes)


def taken_out(builder: BoundBuilder, sizes: tuple[int, ...], parts: Sequence[Part]) -> Pull:
    """Return the pull through what puts x somewhere: x has the adjoint of that part, along each axis.

    Args:
        builder: the graph.
        sizes: of x, without the batch.
        parts: where x stands in the result.
    """
    axes = [axis + 1 for axis, _, _ in parts]
    places = [[first for _, first, _ in parts], [last for _, _, last in parts], axes]
    given = [builder.initializer(np.array(numbers)) for numbers in places]
    return moved(lambda adjoint: builder.emit("Slice", [adjoint, *given]), sizes)
