"""Operators whose S lies near to a linear map that the graph computes.

With d the nominal map, y~ - y = d (x~ - x) + (S - d)(x~ - x) + eta. The second is paid for where it arises: x~ - x is
at most the error bound of x, so that it is of second order, and it is own as eta is. What is carried back is d alone,

    A_x - a_x = d^T (A_y - a_y) + (d^T a_y - a_x)
    ||A_x - a_x|| <= max R rho_y + ||(C + p R) a_y||

where the elements of x and of y lie in blocks, and d is one matrix for each: the numbers of one normalization, of one
softmax, of one product of two matrices. R is at least ||d|| of a block, and C R what d^T a_y rounds; the norm of blocks
that do not overlap is the root of the sum of their squares.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Adjoint, Pull
from parity_export.error_bounds.adjoints.pulls import behind_seeds, carried, euclidean, plus
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import length
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma


@dataclass(frozen=True)
class Near:
    """A linear map d that S lies near to.

    Attributes:
        apply: d^T: appends the nodes that make of an adjoint of y, ``[batch or 1, seeds, *sizes]``, one of x.
        sizes: of x, without the batch.
        reach: R, at least ||d|| of each block; it broadcasts against y.
        rounded: C.
        flushes: how often an element of x may be flushed on the way, each times what it is multiplied by.
    """

    apply: Callable[[ir.Value], ir.Value]
    sizes: tuple[int, ...]
    reach: ir.Value
    rounded: float
    flushes: float = 16.0


def near(builder: BoundBuilder, made: Callable[[], Near]) -> Pull:
    """S near to what the graph computes, which is put into it only where the pass goes through."""

    def pull(adjoint: Adjoint) -> Adjoint:
        known = made()
        more = (known.rounded + adjoint.relative + builder.prepaid) * (1 + 8 * U)
        found = euclidean(builder, adjoint, builder.emit("Mul", [known.reach, builder.number(more)]))
        flushes = known.flushes * FLUSH * math.prod([*adjoint.sizes, *known.sizes])
        steepest = largest(builder, known.reach)
        return carried(builder, adjoint, (steepest, found, flushes), known.apply(adjoint.nominal), known.sizes)

    return pull


@dataclass(frozen=True)
class Curved:
    """A bound of (S - d)(x~ - x), by the norm of each block: A . (S - d)(x~ - x) <= ||c A|| for any adjoint A of it.

    Attributes:
        column: c, which broadcasts against y.
        axes: of y that a block has, the batch's counted.
        count: elements of a block.
    """

    column: ir.Value
    axes: tuple[int, ...]
    count: int


def paid_for(builder: BoundBuilder, pull: Pull, made: Callable[[], Curved]) -> Pull:
    """Return a pull that adds what S - d is worth to the answers: ||c a|| of each block, and rho c."""

    def pull_and_pay(adjoint: Adjoint) -> Adjoint:
        curved = made()
        product = builder.emit("Mul", [adjoint.nominal, behind_seeds(builder, curved.column)])
        known = length(builder, product, tuple(axis + 1 for axis in curved.axes), curved.count)
        blocks = math.prod(adjoint.sizes) // curved.count
        scale = known.scale * (1 + gamma(blocks + 16)) * (1 + adjoint.relative) / UNIT
        total = builder.emit("Mul", [_summed(builder, known.tensor), builder.number([[[scale]]])])
        lost = builder.number([[[blocks * scale * known.constant * math.sqrt(curved.count) + FLUSHED]]])
        total = builder.emit("Add", [total, lost])
        if adjoint.norm is not None or adjoint.floor:
            axes = builder.initializer(np.array(curved.axes))
            most = builder.emit("ReduceMax", [curved.column, axes], {"keepdims": 1})
            most = builder.emit("Reshape", [most, builder.initializer(np.array([0, -1, 1]))])
            most = builder.emit("ReduceSum", [most, builder.initializer(np.array([1]))], {"keepdims": 1})
            norm = plus(builder, adjoint.norm, builder.number([[[adjoint.floor + FLUSH]]]))
            more = builder.emit("Mul", [norm, builder.number([[[adjoint.scale * scale]]])])
            total = builder.emit("Add", [total, builder.emit("Mul", [more, most])])
        builder.paid.append(total)
        return pull(adjoint)

    return pull_and_pay


def _summed(builder: BoundBuilder, blocks: ir.Value) -> ir.Value:
    """Return the sum over everything behind the seeds."""
    rows = builder.emit("Reshape", [blocks, builder.initializer(np.array([0, 0, -1]))])
    return builder.emit("ReduceSum", [rows, builder.initializer(np.array([2]))], {"keepdims": 1})


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

        reach = block_norm(builder, slopes.reach, axes, count) if axes else slopes.reach
        return Near(apply, operand, reach, gamma(count + 1))

    return near(builder, found)
