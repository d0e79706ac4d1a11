"""The norm of an error, carried by the graph: how a rule reads it, and how it hands one on.

Let d be v~ - v, its norm taken over some axes of v and for each place of the other axes on its own. An evaluation's
error is bounded by its elements and by its norm independently of one another: where the one claims nothing the other
may.

The length of a value that the graph computes, ||v'||, is the root of a sum of n squares. Each square and each partial
sum may be flushed, at most n of them that matter and the sum itself (`inner_products`), and the rest is rounded n
times at most, so that

    ||v'|| <= sqrt(s' (1 + gamma_(n+1)) + 2 n 2^-126) <= sqrt(s') (1 + gamma_(n+1)) + 2^-62 sqrt(n)

with s' as it is computed, and the root itself may be off by 2^-18 of itself. Where a square overflows the length is
infinite, and then nothing is claimed of the norm.
"""

import math
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Norm
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import FLUSHED, U, gamma

_ROOT = 1 + 2.0**-18
"""What a root may be off by: far more than one that is correctly rounded, for those by Newton's method."""

_SHORTEST = 2.0**-62
"""What may be lost of a length by flushing, for each root of n."""

Axes = tuple[int, ...]


def norm_of(builder: BoundBuilder, value: ir.Value) -> Norm | None:
    """Return the norm of the part of a value's error that t stands for; None if none is known."""
    bound = builder.bound(value)
    return bound.norm if bound.norm is not None and bound.norm.beside is bound.tensor else None


def elements(value: ir.Value, axes: Axes) -> int | None:
    """Return how many elements a value has over some axes; None if that is not known."""
    if value.shape is None:
        return None
    sizes = [size for axis in axes if isinstance(size := value.shape[axis], int)]
    return math.prod(sizes) if len(sizes) == len(axes) else None


def constant_of(builder: BoundBuilder, value: ir.Value, number: float) -> ir.Value:
    """Return a number as a constant of as many axes as a value has: with fewer, onnxruntime computes row by row."""
    return builder.number(np.full((1,) * len(value.shape or ()), number))


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
        part = builder.emit("Mul", [known.tensor, constant_of(builder, value, norm.relative * known.scale)])
        total, constant = builder.emit("Add", [total, part]), constant + norm.relative * known.constant
    if constant or total is not norm.tensor:
        more = constant_of(builder, value, (constant + FLUSHED) * math.sqrt(count))
        total, scale = builder.emit("Add", [total, more]), scale * (1 + 4 * U)
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
