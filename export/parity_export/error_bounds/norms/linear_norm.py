"""The norm of the error of a linear map, and what a norm before it says of each of its results.

y = W x + b is computed as y~ = W x~ + b + r, r the roundings and flushes of its sums. With d = x~ - x, ||d|| <= rho:

    ||y~ - y|| <= ||W|| rho + ||r||
    |y~_i - y_i| <= min(sum_j |w_ij| e_j, ||w_i|| rho) + |r_i|

where |r| <= gamma_n (|W| |x~| + |b|) + f, f the flushes (`inner_products`), and |x~| <= |x'| + |x~ - x'|. Of x~ - x', a difference
of two errors, the same holds with 2 e and 2 rho, so that

    ||r|| <= gamma_n (|| |W| || (||x'|| + 2 rho) + ||b||) + sqrt(m) f                    m results
    |r_i| <= gamma_n (|w_i| |x'| + 2 min(|w_i| e, ||w_i|| rho) + |b_i|) + f

The smaller of both is not taken for every result, which would take another product with |W|, but for every row: where
s ||e|| < rho the elements' bounds stand in the product and the norm is left out, elsewhere the other way round. Each is a bound,
whichever is chosen; s is the ratio of both for errors of one size, |W| 1 to ||w_i|| sqrt(k) added up over i.

The overflow guard (docs/proof.md) holds: rho is at least gamma_n || |W| |x'| + |b| || and so in units at least 2 n times the sum of
the magnitudes of any result.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound, Norm
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import as_tensor, elements, length, norm_of, of_elements, widened
from parity_export.error_bounds.rounding_model import UNIT, U

_NEEDED_LAYERS = 3
"""So many linear maps stand before the first that takes a norm: with fewer the elements' bounds are hardly larger, and a
small network's graph stays as small as it is."""

_FLOAT64 = 1 + 2.0**-40
"""More than float64 loses in a sum of squares."""

SpectralNorms = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[float, float]]
"""From W and |W| to bounds of ||W|| and || |W| ||, W as the matrix of the whole map between the axes of the norms."""


@dataclass(frozen=True)
class LinearMap:
    """A linear map between the axes that norms are taken over.

    Attributes:
        axes: of x, over which a norm before it is taken; those of a norm before it may be more.
        rows: ``[outputs, 1, ...]``, the norm of each result's weights; broadcasts against y.
        ratio: s sqrt(k) of the module's docstring, k elements of x.
        signed: at least ||W||.
        absolute: at least || |W| ||.
        bias: ||b|| for one place of y.
        outputs: results of one place.
    """

    axes: tuple[int, ...]
    rows: NDArray[np.float64]
    ratio: float
    signed: float
    absolute: float
    bias: float
    outputs: int


def linear_map(
    weights: tuple[NDArray[np.float64], NDArray[np.float64]],
    bias: NDArray[np.float32] | None,
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    norms: SpectralNorms,
) -> LinearMap:
    """Return what the norms of a linear map need.

    Args:
        weights: W, and |W| or more.
        bias: ``[outputs]``, or None.
        axes: of W that are summed over, and of x that a norm is taken over.
        norms: bounds the spectral norms.
    """
    weight, magnitudes = weights
    summed = axes[0]
    rows = np.sqrt((weight**2).sum(axis=summed)) * _FLOAT64
    signed, absolute = norms(weight, magnitudes)
    length_of_bias = 0.0 if bias is None else float(np.linalg.norm(bias.astype(np.float64))) * _FLOAT64
    ratio = float(magnitudes.sum()) / max(float(rows.sum()), 1e-300)
    return LinearMap(axes[1], rows, ratio, signed, absolute, length_of_bias, rows.size)


@dataclass(frozen=True)
class Before:
    """What is known of the norm of a linear map's operand, of the part of its error that t stands for.

    Attributes:
        least: the smaller of what its rules and its elements' bounds say.
        known: what its rules say; None where the norm begins.
        count: how many elements of x it is over.
        elements: what its elements' bounds say.
    """

    least: Norm
    known: Norm | None
    count: int
    elements: Norm


def before(builder: BoundBuilder, x: ir.Value, axes: tuple[int, ...]) -> Before | None:
    """Return what is known of an operand's norm; None where its elements' errors are the first, or its size is unknown."""
    known = norm_of(builder, x)
    if known is not None:
        known = widened(builder, x, known, axes)
    if known is not None:
        known = as_tensor(builder, x, known)
    wanted = axes if known is None else known.axes
    implied, count = of_elements(builder, x, wanted), elements(x, wanted)
    if implied is None or count is None:
        return None
    if known is None:
        return Before(replace(implied, layers=1), None, count, implied)
    least = builder.emit("Min", [known.tensor, implied.tensor])
    scale = max(known.scale, implied.scale)
    return Before(replace(known, tensor=least, scale=scale, constant=implied.constant), known, count, implied)


def choose(builder: BoundBuilder, total: ir.Value, given: Before, ratio: float) -> tuple[ir.Value, ir.Value]:
    """Return t, 0 in rows where the norm is smaller, and the norm, 0 in the other rows.

    A comparison with NaN is false, and its row takes the norm, which is NaN.
    """
    known = given.known
    assert known is not None  # noqa: S101
    factor = ratio / math.sqrt(given.count) * given.elements.scale / known.scale
    implied = builder.emit("Mul", [given.elements.tensor, builder.number(factor)])
    smaller = builder.emit("Less", [implied, known.tensor])
    nothing = builder.number(0.0)
    most = builder.emit("Where", [smaller, builder.initializer(np.float32(np.inf)), nothing])
    return builder.emit("Min", [total, most]), builder.emit("Where", [smaller, nothing, known.tensor])


def takes_norm(given: Before | None) -> bool:
    """Whether a linear map bounds its results by the norm as well."""
    return given is not None and given.known is not None and given.known.layers >= _NEEDED_LAYERS


def after(
    builder: BoundBuilder, node: ir.Node, given: Before, linear: LinearMap, rounding: tuple[float, float], result: Bound
) -> Bound:
    """Return the error bound of y with its norm.

    Args:
        builder: the graph.
        node: the linear map, of x.
        given: of x.
        linear: the map.
        rounding: gamma_n, and what one result's flushes may be, in units.
        result: the bound of y.
    """
    x, y = builder.operand(node), node.outputs[0]
    bound, (error, flushes) = builder.bound(x), rounding
    results = elements(y, given.least.axes)
    if results is None:
        return result
    known = length(builder, x, given.least.axes, given.count)
    carried = linear.signed + 2 * error * linear.absolute
    own = error / UNIT * linear.absolute + carried * bound.relative
    constant = carried * (given.least.constant + bound.constant) + own * known.constant
    constant = constant * math.sqrt(given.count) + math.sqrt(results) * flushes
    constant += error / UNIT * linear.bias * math.sqrt(results / linear.outputs)
    first = builder.emit("Mul", [given.least.tensor, builder.number(carried * given.least.scale)])
    second = builder.emit("Mul", [known.tensor, builder.number(own * known.scale)])
    total = builder.emit("Add", [builder.emit("Add", [first, second]), builder.number(constant)])
    layers = given.least.layers + 1
    return replace(result, norm=Norm(total, given.least.axes, layers, result.tensor, 1 + 8 * U))
