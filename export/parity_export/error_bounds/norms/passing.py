"""How a norm passes through operators that are no linear map with constant weights.

A rule that says nothing of the norm loses it: the next linear map begins anew, with what the elements' bounds imply.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound, Norm
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import (
    Axes,
    constant_of,
    elements,
    length,
    norm_of,
    whole,
    widened,
)
from parity_export.error_bounds.rounding_model import U

Parts = Sequence[tuple[float, ir.Value]]


def elementwise(builder: BoundBuilder, x: ir.Value, result: Bound, slope: float = 1.0) -> Bound:
    """Return the error bound of v = f(x), element by element, with its norm: slope times that of x.

    An element's error is f(x~) - f(x), at most slope |x~ - x|, which is what t stands for, and what computing f adds,
    which is what the relative and the constant part stand for. A rule whose t claims nothing for any other reason than
    the error of x (`elementary.ended`) must not ask: its norm would stay finite there.

    Args:
        builder: the graph.
        x: has an error bound.
        result: of v; its tensor stands for f(x~) - f(x).
        slope: of f, at most, times 1 + 2 alpha where f is computed within alpha |f| + beta (`elementary`).
    """
    norm = whole(builder, x)
    if norm is None or result.tensor is None:
        return result
    total, scale = norm.tensor, norm.scale * max(1.0, slope) * (1 + 4 * U)
    if slope < 1:
        total = builder.emit("Mul", [total, constant_of(builder, x, slope)])
    return replace(result, norm=replace(norm, tensor=total, scale=scale, beside=result.tensor))


def added(
    builder: BoundBuilder, values: tuple[ir.Value, ir.Value], parts: Parts, growth: float, result: Bound
) -> Bound:
    """Return the error bound of x + y with its norm: those of both, added up, of shapes that are the same.

    Args:
        builder: the graph.
        values: x and y.
        parts: factors, in units, of the magnitudes of values that t holds as well.
        growth: of all that t holds.
        result: of the sum.
    """
    known = [norm for value in values if (norm := norm_of(builder, value)) is not None]
    if not known or values[0].shape is None or values[0].shape != values[1].shape:
        return result
    axes = tuple(sorted({axis for norm in known for axis in norm.axes}))
    norms = [whole(builder, value, axes) for value in values]
    count = elements(values[0], axes)
    if None in norms or count is None:
        return result
    first, second = (norm for norm in norms if norm is not None)
    total, constant = builder.emit("Add", [first.tensor, second.tensor]), 0.0
    for factor, value in parts:
        size = length(builder, value, axes, count)
        part = builder.emit("Mul", [size.tensor, constant_of(builder, value, factor * size.scale)])
        total, constant = builder.emit("Add", [total, part]), constant + factor * size.constant
    scale, constant = max(first.scale, second.scale) * growth * (1 + 8 * U), growth * constant
    layers = max(first.layers, second.layers)
    return replace(result, norm=Norm(total, axes, layers, result.tensor, scale, 0.0, constant))


def reshaped(builder: BoundBuilder, node: ir.Node, result: Bound) -> Bound:
    """Return the error bound of elements that stay in their order, with the norm over the axes behind those that stay.

    The first axes that both shapes share say which elements belong together; the norm is taken over all axes behind
    them.
    """
    value, output = builder.operand(node), node.outputs[0]
    norm = norm_of(builder, value)
    if norm is None or value.shape is None or output.shape is None or result.tensor is None:
        return result
    first = min(_shared(list(value.shape), list(output.shape)), norm.axes[0], len(output.shape) - 1)
    norm = widened(builder, value, norm, tuple(range(first, len(value.shape)))) if first else None
    if norm is None or len(value.shape) <= first:
        return result
    shape = builder.initializer(np.array([0] * first + [1] * (len(output.shape) - first)))
    moved = builder.emit("Reshape", [norm.tensor, shape])
    axes = tuple(range(first, len(output.shape)))
    return replace(result, norm=replace(norm, tensor=moved, axes=axes, beside=result.tensor))


def _shared(before: list[int | ir.SymbolicDim], after: list[int | ir.SymbolicDim]) -> int:
    """Return how many of the first sizes are the same before and after; those without a name or a number are not."""
    rest = [[size for size in sizes[1:] if isinstance(size, int)] for sizes in (before, after)]
    known = all(len(sizes) == len(found) + 1 for sizes, found in zip((before, after), rest, strict=True))
    shared = 1 if known and math.prod(rest[0]) == math.prod(rest[1]) else 0  # as many elements behind the first
    for place, (first, second) in enumerate(zip(before, after, strict=False)):
        if place >= shared and (first != second or (not isinstance(first, int) and first.value is None)):
            break
        shared = max(shared, place + 1)
    return shared


def transposed(builder: BoundBuilder, node: ir.Node, result: Bound) -> Bound:
    """Return the error bound of elements whose axes change places, with the norm over the same elements."""
    value = builder.operand(node)
    norm = norm_of(builder, value)
    if norm is None or value.shape is None or result.tensor is None:
        return result
    given = node.attributes.get("perm")
    places = list(range(len(value.shape)))[::-1] if given is None else list(given.as_ints())
    moved = builder.emit("Transpose", [norm.tensor], {"perm": places})
    axes = tuple(sorted(places.index(axis) for axis in norm.axes))
    return replace(result, norm=replace(norm, tensor=moved, axes=axes, beside=result.tensor))


def joined(builder: BoundBuilder, values: Sequence[ir.Value], axis: int, result: Bound) -> Bound:
    """Return the error bound of tensors that are joined along an axis of their norms, with the norm of all of them."""
    known = [norm for value in values if (norm := norm_of(builder, value)) is not None]
    axes = known[0].axes if known else ()
    norms = [whole(builder, value, axes) for value in values] if axis in axes else []
    if not norms or any(norm is None or norm.axes != axes for norm in norms):
        return result
    found = [norm for norm in norms if norm is not None]
    side_by_side = builder.emit("Concat", [norm.tensor for norm in found], {"axis": axis})
    total = length(builder, side_by_side, axes, len(found))
    scale, layers = max(norm.scale for norm in found), max(norm.layers for norm in found)
    # The constant is of the few norms, not of all elements: as one of each element it is more.
    return replace(result, norm=replace(total, layers=layers, beside=result.tensor, scale=scale * total.scale,
                                        constant=scale * total.constant))  # fmt: skip


def scaled_and_shifted(
    builder: BoundBuilder,
    x: ir.Value,
    result: Bound,
    affine: tuple[float, float, NDArray[np.float64]],
    axes: Axes | None = None,
) -> Bound:
    """Return the error bound of an affine map of each element, with its norm.

    Args:
        builder: the graph.
        x: what it maps.
        result: of the map's result, whose t stands for the three parts below.
        affine: a factor of the error of x; one, in units, of x' itself; what is added, in units, broadcast against x.
        axes: that the norm is to be over, at least.
    """
    norm, (slope, relative, shift) = whole(builder, x, axes), affine
    if norm is None or result.tensor is None:
        return result
    total, constant = norm.tensor, _length_of(shift, x, norm.axes)
    if slope * norm.scale != 1:
        total = builder.emit("Mul", [total, constant_of(builder, x, slope * norm.scale)])
    if relative:
        size = length(builder, x, norm.axes, elements(x, norm.axes) or 1)
        part = builder.emit("Mul", [size.tensor, constant_of(builder, x, relative * size.scale)])
        total = builder.emit("Add", [total, part])
        constant += relative * size.constant * math.sqrt(elements(x, norm.axes) or 1)
    if constant:
        total = builder.emit("Add", [total, constant_of(builder, x, constant)])
    return replace(result, norm=replace(norm, tensor=total, scale=1 + 8 * U, beside=result.tensor))


def over_windows(
    builder: BoundBuilder, node: ir.Node, result: Bound, axes: Axes, factors: tuple[float, float]
) -> Bound:
    """Return the error bound of sums or maxima over windows or whole axes, with its norm.

    Args:
        builder: the graph.
        node: of x, its first input.
        result: of the node's result; its tensor stands for what x's error makes of it, and for the sums' roundings.
        axes: of x that the windows lie in.
        factors: at least the norm of the map; what is added, in units, of the norm of x' itself.
    """
    x = builder.operand(node)
    norm = norm_of(builder, x)
    if norm is None or widened(builder, x, norm, axes) is None or result.tensor is None:
        return result
    known = whole(builder, x, axes)
    if known is None:
        return result
    result = scaled_and_shifted(builder, x, replace(result, norm=None), (*factors, np.zeros(1)), axes)
    kept = [axis for axis in known.axes if axis not in axes]
    after = node.outputs[0].shape
    if result.norm is None or after is None or len(after) == len(x.shape or ()):
        return result
    if not kept:  # the norms of single elements
        return replace(result, norm=None)
    total = builder.emit("Squeeze", [result.norm.tensor, builder.initializer(np.array(axes))])
    renumbered = tuple(axis - sum(gone < axis for gone in axes) for axis in kept)
    return replace(result, norm=replace(result.norm, tensor=total, axes=renumbered))


def _length_of(array: NDArray[np.float64], value: ir.Value, axes: Axes) -> float:
    """Return at least the norm, over some axes, of a constant that is broadcast against a value."""
    sizes = [size if isinstance(size, int) else 1 for size in value.shape or ()]
    squares = np.broadcast_to(array, np.broadcast_shapes(array.shape, tuple(sizes))) ** 2
    return float(np.sqrt(squares.sum(axis=axes)).max()) * (1 + 2.0**-40)
