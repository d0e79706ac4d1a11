"""From the adjoint of an operator's result to that of its operand, and what that rounds.

A_y = a_y + d, |d| <= |d'| + p |a_y|, ||d'|| <= rho_y. Through a linear map, whose adjoint sums m products,

    a_x = W^T a_y        rho_x = ||W|| (rho_y + (gamma_m + p) ||a_y||_1)

since a_x is rounded by at most gamma_m |W|^T |a_y|, whose norm is at most that of the longest row of W, and so ||W||,
times ||a_y||_1. Through a slope S that lies within D of d and is at most G, G at most L,

    a_x = d a_y          rho_x = L rho_y + |a_y| . (D + (p + u) G)

Flushes of n elements add at most sqrt(n) times those of one, in a sum of n products n times.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.adjoint import Adjoint, Pull
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import length as length_of
from parity_export.error_bounds.rounding_model import FLUSH, U, gamma

_FLUSHES = 4 * FLUSH
"""Of one element of a: where it is written, and where it is read."""

_NEGLIGIBLE_SCALE = 1 + 2.0**-10


@dataclass(frozen=True)
class Slopes:
    """Between which numbers the slope S of an operator lies, element by element.

    Attributes:
        nominal: d, of the operand's shape.
        reach: G, at least |S|.
        off: D, at least |S - d|.
        steepest: L, at least every |S|; a number, or one of each row ``[batch, 1, 1]``.
        rounded: whether a product with d is.
    """

    nominal: ir.Value
    reach: ir.Value
    off: ir.Value
    steepest: float | ir.Value
    rounded: bool = True


@dataclass(frozen=True)
class Transposed:
    """A linear map, the other way round.

    Attributes:
        apply: from an adjoint of y to that of x.
        terms: m, how many products are summed for one element of x at most.
        norm: at least ||W||.
        ratio: at least || |W| || / ||W||.
        sizes: of x, without the batch.
    """

    apply: Callable[[ir.Value], ir.Value]
    terms: int
    norm: float
    ratio: float
    sizes: tuple[int, ...]


def unchanged(adjoint: Adjoint) -> Adjoint:
    """S = 1."""
    return adjoint


def negated(builder: BoundBuilder) -> Pull:
    """S = -1."""
    return lambda adjoint: replace(adjoint, nominal=builder.emit("Neg", [adjoint.nominal]))


@dataclass(frozen=True)
class Length:
    """A norm, at most ``scale tensor + constant``.

    Attributes:
        tensor: ``[batch or 1, seeds, 1]``.
        scale: at least 1.
        constant: what flushing may have lost.
    """

    tensor: ir.Value
    scale: float
    constant: float = 0.0


def euclidean(builder: BoundBuilder, adjoint: Adjoint, column: ir.Value) -> Length:
    """Return ||c a||, of a column that may be broadcast."""
    count, axes = math.prod(adjoint.sizes), tuple(range(2, 2 + len(adjoint.sizes)))
    product = builder.emit("Mul", [adjoint.nominal, behind_seeds(builder, column)])
    known = length_of(builder, product, axes, count)
    tensor = builder.emit("Reshape", [known.tensor, builder.initializer(np.array([0, 0, 1]))])
    return Length(tensor, known.scale * (1 + 8 * U), known.constant * math.sqrt(count) * (1 + 8 * U))


def behind_seeds(builder: BoundBuilder, tensor: ir.Value) -> ir.Value:
    """Return a tensor of a value's shape with an axis for the seeds."""
    return builder.once("Unsqueeze", [tensor, builder.initializer(np.array([1]))])


def sloped(builder: BoundBuilder, made: Callable[[], Slopes]) -> Pull:
    """S near to slopes that the graph computes, which are put into it only where the pass goes through.

    Rho takes (p + u + gamma) G of |a|, gamma that of the linear map which may stand before.
    """

    def pull(adjoint: Adjoint) -> Adjoint:
        slopes = made()
        found = rounded_off(builder, adjoint, slopes)
        nominal = builder.emit("Mul", [adjoint.nominal, behind_seeds(builder, slopes.nominal)])
        flushes = _FLUSHES * math.prod(adjoint.sizes)
        return carried(builder, adjoint, (slopes.steepest, found, flushes), nominal, adjoint.sizes)

    return pull


def rounded_off(builder: BoundBuilder, adjoint: Adjoint, slopes: Slopes) -> Length:
    """Return a bound of (p + u + gamma) G |a|, element by element, in its norm: the sum of |a| . G is at least that."""
    more = (adjoint.relative + U * slopes.rounded + builder.prepaid) * (1 + 8 * U)
    column = builder.emit("Mul", [slopes.reach, builder.number(more)])
    return Length(weighed(builder, flat(builder, adjoint), column), 1 + gamma(math.prod(adjoint.sizes) + 8))


def carried(
    builder: BoundBuilder,
    adjoint: Adjoint,
    norms: tuple[float | ir.Value, Length, float],
    nominal: ir.Value,
    sizes: tuple[int, ...],
) -> Adjoint:
    """Return the adjoint of x, which holds what the next product with a matrix rounds.

    Args:
        builder: the graph.
        adjoint: of y.
        norms: at least ||S||, a number or one of each row ``[batch, 1, 1]``; what is added to rho; what is flushed.
        nominal: of x.
        sizes: of x.
    """
    steepest, found, flushes = norms
    norm, floor = adjoint.norm, adjoint.floor
    if not isinstance(steepest, float):
        norm, floor = plus(builder, norm, builder.number([[[floor + flushes + FLUSH]]])), 0.0
        norm = builder.emit("Mul", [norm, steepest])
    elif norm is not None:
        norm = builder.emit("Mul", [norm, builder.number([[[steepest * (1 + 4 * U)]]])])
        floor *= steepest
    else:
        floor *= steepest
    norm = plus(builder, norm, found.tensor)
    scale, floor = adjoint.scale * found.scale * (1 + 8 * U), floor + found.constant + flushes
    return Adjoint(nominal, sizes, norm, scale, 0.0, floor, builder.prepaid)


def summed(adjoint: Adjoint) -> float:
    """Return the scale of a rho that a sum over the elements of |a| was added to, and two operations were done with."""
    return adjoint.scale * (1 + gamma(math.prod(adjoint.sizes) + 8))


def scaled(builder: BoundBuilder, operand: ir.Value, factor: NDArray[np.float64]) -> Pull:
    """S constant, of an array that is broadcast against x; rounded to float32, and so is the product with it."""
    missing = max(0, factor.ndim - len(operand.shape or ()) + 1)  # the seeds' axis stands behind that of the rows
    shaped = factor.reshape(factor.shape[:missing] + (1,) * missing + factor.shape[missing:])
    largest = float(np.abs(factor).max(initial=0.0))

    def pull(adjoint: Adjoint) -> Adjoint:
        if (factor == 1).all():
            return adjoint
        if (factor == -1).all():
            return negated(builder)(adjoint)
        norm = adjoint.norm
        if norm is not None:
            norm = builder.emit("Mul", [norm, builder.number([[[largest]]])])
        nominal = builder.emit("Mul", [adjoint.nominal, builder.initializer(shaped.astype(np.float32))])
        relative = (adjoint.relative + 2 * U) * (1 + 4 * U)
        floor = largest * adjoint.floor + _FLUSHES * (1 + largest) * math.sqrt(math.prod(adjoint.sizes))
        return Adjoint(nominal, adjoint.sizes, norm, adjoint.scale * (1 + 4 * U), relative, floor)

    return pull


def linear(builder: BoundBuilder, transposed: Transposed) -> Pull:
    """S = W."""
    rounded = rounding(transposed.terms)

    def pull(adjoint: Adjoint) -> Adjoint:
        norm, scale = adjoint.norm, adjoint.scale
        owed = adjoint.relative + (rounded if adjoint.paid < rounded * transposed.ratio else 0.0)
        if owed:
            norm = plus(builder, norm, builder.emit("Mul", [length(builder, adjoint), builder.number([[[owed]]])]))
            scale = summed(adjoint)
        factor = transposed.norm * (1 + 4 * U)
        if scale > _NEGLIGIBLE_SCALE:
            factor, scale = factor * scale, 1.0
        if norm is not None:
            norm = builder.emit("Mul", [norm, builder.number([[[factor]]])])
        flushes = (transposed.terms + 2) * _FLUSHES * math.sqrt(math.prod(transposed.sizes))
        floor = factor * (adjoint.floor + _FLUSHES * math.prod(adjoint.sizes)) + flushes
        nominal, scale = transposed.apply(adjoint.nominal), scale * (1 + 4 * U)
        return Adjoint(nominal, transposed.sizes, norm, scale, 0.0, floor, terms=transposed.terms)

    return pull


def rounding(terms: int) -> float:
    """Return gamma of a sum of products, one rounding more if a backend adds something to it as a bias."""
    return gamma(terms + 1)


def moved(move: Callable[[ir.Value], ir.Value], sizes: tuple[int, ...]) -> Pull:
    """S moves elements, to these sizes."""
    return lambda adjoint: replace(adjoint, nominal=move(adjoint.nominal), sizes=sizes)


def added(builder: BoundBuilder, adjoints: Sequence[Adjoint]) -> Adjoint:
    """Return the adjoint of a value that several operators take: the sum of theirs, in order."""
    return reduce(lambda first, second: _sum(builder, first, second), adjoints)


def _sum(builder: BoundBuilder, first: Adjoint, second: Adjoint) -> Adjoint:
    """Return the sum of two: a = a_1 + a_2 is rounded once, by u |a|.

    A backend may add a_2 to the product that gives a_1 as its bias: then it takes part in all of that sum's roundings.
    """
    norm: ir.Value | None = None
    for one, other in ((first, second), (second, first)):
        if one.norm is not None:
            norm = plus(builder, norm, one.norm)
        owed = one.relative + (rounding(other.terms) if other.terms else 0.0)
        if owed:
            part = builder.emit("Mul", [length(builder, one), builder.number([[[owed]]])])
            norm = plus(builder, norm, part)
    nominal, count = builder.emit("Add", [first.nominal, second.nominal]), math.prod(first.sizes)
    scale = max(summed(first), summed(second))
    floor = first.floor + second.floor + 2 * _FLUSHES * count
    return Adjoint(nominal, first.sizes, norm, scale, U * (1 + 4 * U), floor)


def weighed(builder: BoundBuilder, rows: ir.Value, tensor: ir.Value) -> ir.Value:
    """Return the sums of rows ``[., seeds, n]`` times a tensor of n elements a row, ``[batch, seeds, 1]``."""
    if builder.seeds == 1:  # onnxruntime multiplies many vectors one by one faster so
        row = builder.once("Reshape", [tensor, builder.initializer(np.array([0, 1, -1]))])
        products = builder.emit("Mul", [rows, row])
        return builder.emit("ReduceSum", [products, builder.initializer(np.array([2]))], {"keepdims": 1})
    column = builder.once("Reshape", [tensor, builder.initializer(np.array([0, -1, 1]))])
    return builder.emit("MatMul", [rows, column])


def length(builder: BoundBuilder, adjoint: Adjoint) -> ir.Value:
    """Return ||a||_1, ``[batch or 1, seeds, 1]``, rounded once for each element."""
    weights = builder.initializer(np.ones((math.prod(adjoint.sizes), 1), np.float32))
    return builder.once("MatMul", [flat(builder, adjoint), weights])


def flat(builder: BoundBuilder, adjoint: Adjoint) -> ir.Value:
    """Return |a| as ``[batch or 1, seeds, n]``."""
    return flattened(builder, builder.magnitude(adjoint.nominal), adjoint.sizes)


def flattened(builder: BoundBuilder, tensor: ir.Value, sizes: tuple[int, ...]) -> ir.Value:
    """Return a tensor that has a value's sizes, behind the seeds, as ``[., seeds, n]``."""
    if len(sizes) == 1:
        return tensor
    return builder.once("Reshape", [tensor, builder.initializer(np.array([0, 0, -1]))])


def plus(builder: BoundBuilder, first: ir.Value | None, second: ir.Value) -> ir.Value:
    """Return a sum, of one perhaps."""
    return second if first is None else builder.emit("Add", [first, second])
