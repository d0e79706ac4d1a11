"""The norm of the error of a linear map, and what a norm before it says of each of its results.

y = W x + b is computed as y~ = W x~ + b + r, r the roundings and flushes of its sums. With d = x~ - x, ||d|| <= rho:

    ||y~ - y|| <= ||W|| rho + ||r||
    |y~_i - y_i| <= min(sum_j |w_ij| e_j, ||w_i|| rho) + |r_i|

where |r| <= gamma_n (|W| |x~| + |b|) + f, f the flushes (`inner_products`), and |x~| <= |x'| + |x~ - x'|. A subnormal
weight may be read as zero: it counts as 2^-126 / gamma_n more in |W|. Of x~ - x', a difference of two errors, the
same holds with 2 e and 2 rho, so that

    ||r|| <= gamma_n (|| |W| |x'| || + 2 || |W| || rho + ||b||) + sqrt(m) f                    m results
    |r_i| <= gamma_n (|w_i| |x'| + 2 min(|w_i| e, ||w_i|| rho) + |b_i|) + f

|| |W| |x'| || is at most the sum of |x'_j| times the norms of |W|'s columns, which lie so near to one direction that
little is lost, and at most || |W| || ||x'||, which is taken for a map of many places at once.

The smaller of both is not taken for every result, which would take another product with |W|, but for every row: where

    (sum of |W|) / count sum_j e_j < (sum_i ||w_i||) rho

the elements' bounds stand in the product and the norm is left out, elsewhere the other way round. Each is a bound,
whichever is chosen; on the left is what the elements make of all results of one place where their errors are of one
size.

The overflow guard (proof.md) holds: rho is at least gamma_n || |W| |x'| + |b| || and so in units at least 2 n
times the sum of the magnitudes of any result.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound, Norm
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import (
    Axes,
    as_tensor,
    constant_of,
    elements,
    length,
    norm_of,
    of_elements,
    widened,
)
from parity_export.error_bounds.norms.spectral_norm import spectral_norm
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma

NEEDED_LAYERS = 3
"""So many linear maps stand before the first that takes a norm: with fewer the elements' bounds are hardly larger,
and a small network's graph stays as small as it is."""

_FLOAT64 = 1 + 2.0**-40
"""More than float64 loses in a sum of squares of some million numbers."""

SpectralNorms = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[float, float]]
"""From W and |W| to bounds of ||W|| and || |W| ||, W as the matrix of the whole map between the axes of the norms."""


@dataclass(frozen=True)
class LinearMap:
    """A linear map between the axes that norms are taken over.

    Attributes:
        axes: of x, over which a norm before it is taken; those of a norm before it may be more.
        rows: ``[outputs]``, ||w_i||.
        columns: ``[inputs, 1]``, the norms of the columns of |W|; None for a map of many places at once.
        ratio: the sum of |W| over that of the rows' norms.
        signed: at least ||W||.
        absolute: at least || |W| ||.
        bias: ||b|| for one place of y.
    """

    axes: Axes
    rows: NDArray[np.float64]
    columns: NDArray[np.float64] | None
    ratio: float
    signed: float
    absolute: float
    bias: float


def linear_map(
    weight: NDArray[np.float64],
    bias: NDArray[np.float32] | None,
    axes: tuple[Axes, Axes],
    n: int,
    norms: SpectralNorms | None,
) -> LinearMap:
    """Return what the norms of a linear map need.

    Args:
        weight: W.
        bias: ``[outputs]``, or None.
        axes: of W that are summed over, and of x that a norm is taken over.
        n: roundings of a term.
        norms: bounds the spectral norms of a map of many places at once; None for that of the matrix W.
    """
    magnitudes = np.abs(weight)
    flushed = (magnitudes > 0) & (magnitudes < FLUSH)
    magnitudes = np.where(flushed, magnitudes + FLUSH / gamma(n), magnitudes)
    rows = _root_of_squares(weight, axes[0]) + 4 * FLUSH * np.sqrt(flushed.sum(axis=axes[0]))
    ratio = float(magnitudes.sum()) / max(float(rows.sum()), FLUSH)
    size_of_bias = 0.0 if bias is None else float(_root_of_squares(bias.astype(np.float64), (0,)))
    if norms is not None:
        return LinearMap(axes[1], rows, None, ratio, *norms(weight, magnitudes), size_of_bias)
    columns = _root_of_squares(magnitudes, (1 - axes[0][0],))[:, None]
    return LinearMap(axes[1], rows, columns, ratio, spectral_norm(weight), spectral_norm(magnitudes), size_of_bias)


def _root_of_squares(array: NDArray[np.float64], axes: Axes) -> NDArray[np.float64]:
    return np.asarray(np.sqrt((array**2).sum(axis=axes)) * _FLOAT64)


@dataclass(frozen=True)
class Before:
    """What is known of a linear map's operand: norms of the part of its error that t stands for.

    Attributes:
        linear: the map.
        least: the smallest.
        count: how many elements of x it is over.
        known: by its rules; None where the norm begins.
        summed: of the elements' bounds, which a norm does not exceed; None where the norm begins.
    """

    linear: LinearMap
    least: Norm
    count: int
    known: Norm | None = None
    summed: Norm | None = None


def before(builder: BoundBuilder, x: ir.Value, linear: LinearMap) -> Before | None:
    """Return what is known of an operand's norm; None where its error is the first, or its size unknown."""
    known = norm_of(builder, x)
    if known is not None:
        known = widened(builder, x, known, linear.axes)
    if known is None:
        begun, count = of_elements(builder, x, linear.axes), elements(x, linear.axes)
        return None if begun is None or count is None else Before(linear, replace(begun, layers=1), count)
    known, count, bound = as_tensor(builder, x, known), elements(x, known.axes), builder.bound(x)
    if count is None or bound.tensor is None:
        return None
    total = builder.emit("ReduceSum", [bound.tensor, builder.initializer(np.array(known.axes))], {"keepdims": 1})
    summed = replace(known, tensor=total, scale=bound.scale * (1 + gamma(count + 4)))
    least = replace(known, tensor=builder.emit("Min", [known.tensor, total]), scale=max(known.scale, summed.scale))
    return Before(linear, least, count, known, summed)


def choose(builder: BoundBuilder, x: ir.Value, given: Before) -> tuple[ir.Value | None, ir.Value | None]:
    """Return t, 0 in rows where the norm is smaller, and the norm, 0 in the other rows; t and None where none is taken.

    A comparison with NaN is false, and its row takes the norm, which is NaN.
    """
    known, summed, total = given.known, given.summed, builder.bound(x).tensor
    if known is None or summed is None or total is None or known.layers < NEEDED_LAYERS:
        return total, None
    factor = constant_of(builder, x, given.linear.ratio / given.count * summed.scale / known.scale)
    smaller = builder.emit("Less", [builder.emit("Mul", [summed.tensor, factor]), known.tensor])
    nothing, everything = constant_of(builder, x, 0.0), constant_of(builder, x, np.inf)
    most = builder.emit("Where", [smaller, everything, nothing])
    return builder.emit("Min", [total, most]), builder.emit("Where", [smaller, nothing, known.tensor])


def after(builder: BoundBuilder, node: ir.Node, given: Before, rounding: tuple[float, float], result: Bound) -> Bound:
    """Return the error bound of y with its norm.

    Args:
        builder: the graph.
        node: the linear map, of x.
        given: of x.
        rounding: gamma_n, and what one result's flushes may be, in units.
        result: the bound of y.
    """
    x, y = builder.operand(node), node.outputs[0]
    bound, linear, (error, flushes) = builder.bound(x), given.linear, rounding
    axes, results = given.least.axes, elements(y, given.least.axes)
    if results is None:
        return result
    carried = linear.signed + 2 * error * linear.absolute
    constant = carried * (given.least.constant + bound.constant) * math.sqrt(given.count)
    constant += math.sqrt(results) * flushes + error / UNIT * linear.bias * math.sqrt(results / linear.rows.size)
    if linear.columns is not None and axes == linear.axes:
        columns = error / UNIT * linear.columns + carried * bound.relative
        weights = builder.number(columns * (1 + gamma(given.count + 8)))
        own = builder.emit("MatMul", [builder.magnitude(x), weights])
        constant += float(columns.sum()) * FLUSHED
    else:
        size, factor = length(builder, x, axes, given.count), error / UNIT * linear.absolute + carried * bound.relative
        own = builder.emit("Mul", [size.tensor, constant_of(builder, x, factor * size.scale)])
        constant += factor * size.constant * math.sqrt(given.count)
    own = builder.emit("Add", [own, constant_of(builder, x, constant)])
    before = builder.emit("Mul", [given.least.tensor, constant_of(builder, x, carried * given.least.scale)])
    total = builder.emit("Add", [before, own])
    return replace(result, norm=Norm(total, axes, given.least.layers + 1, result.tensor, 1 + 8 * U))
