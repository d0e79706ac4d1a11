"""The norm of an error, carried by the graph: how a rule reads it, and how it hands one on.

Let d be v~ - v, its norm taken over some axes of v and for each place of the other axes on its own. An evaluation's error is
bounded by its elements and by its norm independently of one another: where the one claims nothing the other may.

The length of a value that the graph computes, ||v'||, is the root of a sum of n squares. Each square and each partial sum may be
flushed, at most n of them that matter and the sum itself (`inner_products`), and the rest is rounded n times at most, so that

    ||v'|| <= sqrt(s' (1 + gamma_(n+1)) + 2 n 2^-126) <= sqrt(s') (1 + gamma_(n+1)) + 2^-62 sqrt(n)

with s' as it is computed, and the root itself may be off by 2^-18 of itself. Where a square overflows the length is infinite, and
then nothing is claimed of the norm.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound, Norm
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import FLUSHED, U, gamma

_ROOT = 1 + 2.0**-18
"""What a root may be off by: far more than one that is correctly rounded, for those by Newton's method."""

_SHORTEST = 2.0**-62
"""What may be lost of a length by flushing, for each root of n."""

Axes = tuple[int, ...]
Parts = Sequence[tuple[float, ir.Value]]


def norm_of(builder: BoundBuilder, value: ir.Value) -> Norm | None:
    """Return the norm of the part of a value's error that t stands for; None if none is known."""
    bound = builder.bound(value)
    return bound.norm if bound.norm is not None and bound.norm.beside is bound.tensor else None


def elements(value: ir.Value, axes: Axes) -> int | None:
    """Return how many elements a value has over some axes; None if that is not known."""
    if value.shape is None:
        return None
    sizes = [value.shape[axis] for axis in axes]
    return math.prod(size for size in sizes if isinstance(size, int)) if all(isinstance(n, int) for n in sizes) else None


def length(builder: BoundBuilder, tensor: ir.Value, axes: Axes, count: int) -> Norm:
    """Return the length of a tensor that the graph computes, of so many elements: a norm without a relative part."""
    scale = _ROOT * (1 + gamma(count + 4))
    return Norm(builder.length(tensor, axes), axes, 0, None, scale, 0.0, _SHORTEST * scale)


def of_elements(builder: BoundBuilder, value: ir.Value, axes: Axes) -> Norm | None:
    """Return the norm that the bounds of the elements imply, ||t||, of the part of the error that t stands for."""
    bound, count = builder.bound(value), elements(value, axes)
    if bound.tensor is None or count is None:
        return None
    found = length(builder, bound.tensor, axes, count)
    return replace(found, beside=bound.tensor, scale=bound.scale * found.scale, constant=bound.scale * found.constant)


def whole(builder: BoundBuilder, value: ir.Value, axes: Axes | None = None) -> Norm | None:
    """Return the norm of a value's whole error as one tensor, without a relative or constant part.

    Args:
        builder: the graph.
        value: has an error bound.
        axes: those that the norm is to be over, at least; without them those that it is known over.

    Returns:
        The norm; of the elements' bounds where none is known and axes are given. None where there is none.
    """
    norm, bound = norm_of(builder, value), builder.bound(value)
    if axes is not None:
        norm = of_elements(builder, value, axes) if norm is None else widened(builder, value, norm, axes)
    if norm is None:
        return None
    found = as_tensor(
        builder,
        value,
        replace(norm, relative=norm.relative + bound.relative, constant=norm.constant + bound.constant),
    )
    if not bound.relative and not bound.constant:  # the next rule that asks need not compute it again
        builder.set(value, replace(bound, norm=found))
    return found


def as_tensor(builder: BoundBuilder, value: ir.Value, norm: Norm) -> Norm:
    """Return a norm without a relative or constant part: they are added to its tensor."""
    total, scale, constant = norm.tensor, norm.scale, norm.constant
    count = elements(value, norm.axes) or 1  # known: a norm is only begun where it is, and movement keeps it so
    if norm.relative:
        known = length(builder, value, norm.axes, count)
        part = builder.emit("Mul", [known.tensor, builder.number(norm.relative * known.scale)])
        total, constant = builder.emit("Add", [total, part]), constant + norm.relative * known.constant
    if constant or total is not norm.tensor:
        added = builder.number((constant + FLUSHED) * math.sqrt(count))
        total, scale = builder.emit("Add", [total, added]), scale * (1 + 4 * U)
    return replace(norm, tensor=total, scale=scale, relative=0.0, constant=0.0)


def widened(builder: BoundBuilder, value: ir.Value, norm: Norm, axes: Axes) -> Norm | None:
    """Return a norm over more axes: the places' norms squared and added up. None if their number is unknown."""
    if set(axes) <= set(norm.axes):
        return norm
    everything = tuple(sorted({*axes, *norm.axes}))
    count, before = elements(value, tuple(set(axes) - set(norm.axes))), elements(value, norm.axes)
    if not count or not before:
        return None
    found = length(builder, norm.tensor, everything, count)
    constant = norm.constant + norm.scale * found.constant / math.sqrt(before)
    return replace(norm, tensor=found.tensor, axes=everything, scale=norm.scale * found.scale, constant=constant)


def elementwise(builder: BoundBuilder, x: ir.Value, result: Bound, slope: float = 1.0) -> Bound:
    """Return the error bound of v = f(x), element by element, with its norm: slope times that of x.

    An element's error is f(x~) - f(x), at most slope |x~ - x|, which is what t stands for, and what computing f adds, which
    is what the relative and the constant part stand for.

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
        total = builder.emit("Mul", [total, builder.number(slope)])
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
        part = builder.emit("Mul", [size.tensor, builder.number(factor * size.scale)])
        total, constant = builder.emit("Add", [total, part]), constant + factor * size.constant
    scale, constant = max(first.scale, second.scale) * growth * (1 + 8 * U), growth * constant
    layers = max(first.layers, second.layers)
    return replace(result, norm=Norm(total, axes, layers, result.tensor, scale, 0.0, constant))


def reshaped(builder: BoundBuilder, node: ir.Node, result: Bound) -> Bound:
    """Return the error bound of elements that stay in their order, with the norm over the axes behind those that stay.

    The first axes that both shapes share say which elements belong together; the norm is taken over all axes behind them.
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
