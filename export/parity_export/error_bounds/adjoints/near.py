"""Operators whose S lies near to a linear map that the graph computes.

The elements of x and of y lie in blocks, and S is one matrix for each block: the numbers of one normalization, of one
softmax, of one product of two matrices. With d the nominal map, and for each block C at least ||S - d|| and R at least
||S||,

    A_x - a_x = S^T (A_y - a_y) + (S - d)^T a_y + (a_x - d^T a_y)
    ||A_x - a_x|| <= max R rho_y + ||(C + p R) a_y||

because the norm of blocks that do not overlap is the root of the sum of their squares. What d^T a_y rounds is at most
so many times the norm of a block of a_y as C holds for it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Adjoint, Pull
from parity_export.error_bounds.adjoints.pulls import behind_seeds, carried, euclidean
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import length
from parity_export.error_bounds.rounding_model import FLUSH, U, gamma


@dataclass(frozen=True)
class Near:
    """A linear S that lies near to d.

    Attributes:
        apply: d^T: appends the nodes that make of an adjoint of y, ``[batch or 1, seeds, *sizes]``, one of x.
        sizes: of x, without the batch.
        off: C, at least ||S - d|| and what d^T a rounds, of each block; it broadcasts against y.
        reach: R, at least ||S||, likewise.
        flushes: how often an element of x may be flushed on the way, each times what it is multiplied by.
    """

    apply: Callable[[ir.Value], ir.Value]
    sizes: tuple[int, ...]
    off: ir.Value
    reach: ir.Value
    flushes: float = 16.0


def near(builder: BoundBuilder, made: Callable[[], Near]) -> Pull:
    """S near to what the graph computes, which is put into it only where the pass goes through."""

    def pull(adjoint: Adjoint) -> Adjoint:
        known = made()
        more = builder.number((adjoint.relative + builder.prepaid) * (1 + 8 * U))
        column = builder.emit("Add", [known.off, builder.emit("Mul", [known.reach, more])])
        found = euclidean(builder, adjoint, column)
        flushes = known.flushes * FLUSH * np.prod([*adjoint.sizes, *known.sizes], dtype=np.float64)
        steepest = largest(builder, known.reach)
        return carried(builder, adjoint, (steepest, found, float(flushes)), known.apply(adjoint.nominal), known.sizes)

    return pull


def largest(builder: BoundBuilder, tensor: ir.Value) -> ir.Value:
    """Return the largest element of each row, ``[batch or 1, 1, 1]``.

    Some backends lose a NaN in a maximum; where a reach is NaN the own error of its operator is, too.
    """
    rows = builder.once("Reshape", [tensor, builder.initializer(np.array([0, -1, 1]))])
    found = builder.emit("ReduceMax", [rows, builder.initializer(np.array([1]))], {"keepdims": 1})
    return builder.emit("Mul", [found, builder.number([[[1 + 8 * U]]])])


def block_norm(builder: BoundBuilder, tensor: ir.Value, axes: tuple[int, ...], count: int) -> ir.Value:
    """Return the norm of a tensor over axes, which stay with one element, rounded upward.

    Args:
        builder: the graph.
        tensor: of at least two axes.
        axes: without that of the batch.
        count: elements of a block.
    """
    found = length(builder, tensor, axes, count)
    scaled = builder.emit("Mul", [found.tensor, builder.number(found.scale * (1 + 8 * U))])
    return builder.emit("Add", [scaled, builder.number(found.constant * np.sqrt(count) * (1 + 8 * U))])


@dataclass(frozen=True)
class Factors:
    """The slopes of an operator in one operand, element by element of its result.

    Attributes:
        nominal: d; all of them broadcast against the result.
        off: at least |S - d|.
        reach: at least |S|.
    """

    nominal: ir.Value
    off: ir.Value
    reach: ir.Value


def by_elements(builder: BoundBuilder, sizes: tuple[tuple[int, ...], ...], made: Callable[[], Factors]) -> Pull:
    """Return the pull of an operator that works element by element, in an operand that may be broadcast.

    An element of x stands in a block of results; d^T a sums as many products as those are.

    Args:
        builder: the graph.
        sizes: of the operand and of the result, without the batch.
        made: makes the slopes.
    """
    operand, result = sizes
    axes = tuple(index + 1 for index, (own, whole) in enumerate(zip(operand, result, strict=True)) if own != whole)
    count = int(np.prod([result[axis - 1] for axis in axes], dtype=np.int64))

    def found() -> Near:
        slopes = made()

        def apply(adjoint: ir.Value) -> ir.Value:
            products = builder.emit("Mul", [adjoint, behind_seeds(builder, slopes.nominal)])
            if not axes:
                return products
            places = builder.initializer(np.array([axis + 1 for axis in axes]))
            return builder.emit("ReduceSum", [products, places], {"keepdims": 1})

        off, reach = slopes.off, slopes.reach
        if axes:
            off, reach = (block_norm(builder, one, axes, count) for one in (off, reach))
        rounded = builder.emit("Mul", [reach, builder.number(gamma(count + 1) * (1 + 8 * U))])
        return Near(apply, operand, builder.emit("Add", [off, rounded]), reach)

    return near(builder, found)


