"""The backward pass through windows that lie side by side, and through whole axes: each element is in one of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Adjoint, Pull
from parity_export.error_bounds.adjoints.pulls import Slopes, behind_seeds, carried, rounded_off
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import FLUSH, UNIT, U

_NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@dataclass(frozen=True)
class Tiles:
    """How the elements of x are divided: an axis of x has counts times sizes elements.

    Attributes:
        counts: windows along each axis behind the batch.
        sizes: elements of a window along it.
    """

    counts: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def of_x(self) -> tuple[int, ...]:
        """The sizes of x behind the batch."""
        return tuple(count * size for count, size in zip(self.counts, self.sizes, strict=True))

    @property
    def are_of_images(self) -> bool:
        """Whether they are windows of two axes behind the channels."""
        return len(self.sizes) == 3 and self.sizes[0] == 1


def tiles(node: ir.Node, axes: tuple[int, ...]) -> Tiles | None:
    """Return the windows of a node's input; None where they overlap, leave something out, or reach beside it.

    Args:
        node: takes windows, or whole axes.
        axes: of x that they lie in.
    """
    x, y = node.inputs[0], node.outputs[0]
    if x is None or x.shape is None or y.shape is None or 0 in axes:
        return None
    before = [size for size in x.shape[1:] if isinstance(size, int)]
    if len(before) != len(x.shape) - 1 or not _side_by_side(node, before[1:]):
        return None
    kernel = list(node.attributes["kernel_shape"].as_ints()) if "kernel_shape" in node.attributes else None
    sizes = [1] * len(before)
    for place, axis in enumerate(axes):
        sizes[axis - 1] = before[axis - 1] if kernel is None else kernel[place]
    if any(whole % size for whole, size in zip(before, sizes, strict=True)):
        return None
    found = Tiles(tuple(whole // size for whole, size in zip(before, sizes, strict=True)), tuple(sizes))
    return found if found.are_of_images or kernel is None else None


def _side_by_side(node: ir.Node, places: list[int]) -> bool:
    """Whether windows, if there are any, lie beside one another without a gap, a single one perhaps."""
    given = {name: list(attribute.as_ints()) for name, attribute in node.attributes.items()
             if name in ("kernel_shape", "strides", "pads", "dilations")}  # fmt: skip
    kernel = given.get("kernel_shape", [])
    if kernel not in (given.get("strides", [1] * len(kernel)), places):
        return False
    return not any(given.get("pads", [])) and all(one == 1 for one in given.get("dilations", []))


def shared_out(builder: BoundBuilder, parts: Tiles, weight: float) -> Pull:
    """Return the pull through sums of windows, each element times a constant: its norm is weight sqrt(k)."""
    longest = weight * math.sqrt(math.prod(parts.sizes))

    def pull(adjoint: Adjoint) -> Adjoint:
        norm = adjoint.norm
        if norm is not None:
            norm = builder.emit("Mul", [norm, builder.number([[[longest]]])])
        relative = (adjoint.relative + 2 * U) * (1 + 4 * U)
        floor = longest * adjoint.floor + 8 * FLUSH * math.sqrt(math.prod(parts.of_x))
        nominal = _spread(builder, parts, adjoint.nominal, weight)
        return Adjoint(nominal, parts.of_x, norm, adjoint.scale * (1 + 4 * U), relative, floor)

    return pull


def _spread(builder: BoundBuilder, parts: Tiles, nominal: ir.Value, weight: float) -> ir.Value:
    """Return adjoints of windows, times a constant, in the shape of x."""
    if parts.are_of_images:
        if weight != 1:
            nominal = builder.emit("Mul", [nominal, builder.initializer(np.full((1,) * 5, weight, np.float32))])
        return _enlarged(builder, parts, nominal)
    kept = builder.emit("Reshape", [nominal, builder.initializer(np.array([0, 0, *parts.counts]))])
    return builder.emit("Mul", [kept, builder.initializer(np.full((1, 1, *parts.sizes), weight, np.float32))])


def _enlarged(builder: BoundBuilder, parts: Tiles, nominal: ir.Value) -> ir.Value:
    """Return adjoints of windows for every element of them."""
    images = builder.emit("Reshape", [nominal, builder.initializer(np.array([-1, *parts.counts]))])
    enlarged = repeated(builder, parts, images)
    return builder.emit("Reshape", [enlarged, builder.initializer(np.array([-1, builder.seeds, *parts.of_x]))])


def repeated(builder: BoundBuilder, parts: Tiles, images: ir.Value) -> ir.Value:
    """Return one number of a window ``[rows, channels, ., .]`` for every element of it."""
    scales = builder.initializer(np.array([1, *parts.sizes], np.float32))
    return builder.emit("Resize", [images, None, scales], _NEAREST)


def largest_of(
    builder: BoundBuilder, node: ir.Node, parts: Tiles, pooled: Callable[[ir.Value], ir.Value]
) -> tuple[Pull, Callable[[], Slopes]]:
    """Return the pull through a maximum, and its slopes, of which G and D are sums over each window.

    max x~ - max x = sum of S_i (x~_i - x_i) with S_i >= 0, their sum 1, and S_i = 0 for an element that is the largest
    in no evaluation: where x'_i + 2e_i < max (x'_j - 2e_j). A single other one has S = 1; of several each has 0 to 1.

    Args:
        builder: the graph.
        node: MaxPool or GlobalMaxPool, of x.
        parts: the windows.
        pooled: the node itself, of another tensor.
    """
    x, count = builder.operand(node), math.prod(parts.sizes)

    @cache
    def candidates() -> tuple[ir.Value, ir.Value]:
        """Return 1 for each element that may be the largest, and which share of its window those are."""
        total, scale = builder.tensor(x)
        infinite = builder.initializer(np.array([np.inf], np.float32))
        known = builder.emit("Where", [builder.emit("Less", [total, infinite]), total, infinite])
        reach = builder.emit("Mul", [known, builder.number(2 * UNIT * scale * (1 + 8 * U))])
        lowest = repeated(builder, parts, pooled(builder.emit("Sub", [x, reach])))
        highest = builder.emit("Add", [x, reach])
        may_be = builder.emit("Cast", [builder.emit("GreaterOrEqual", [highest, lowest])], {"to": ir.DataType.FLOAT})
        mean = "AveragePool" if "kernel_shape" in node.attributes else "GlobalAveragePool"
        kept = {name: node.attributes[name] for name in ("kernel_shape", "strides") if name in node.attributes}
        return may_be, builder.emit(mean, [may_be], kept)

    @cache
    def slopes() -> Slopes:
        may_be, share = candidates()
        alone = builder.emit("Less", [share, builder.number(1.5 / count)])
        one = builder.emit("Cast", [alone], {"to": ir.DataType.FLOAT})
        half = builder.number(0.5)
        middle = builder.emit("Add", [builder.emit("Mul", [one, half]), half])  # 1, or 1/2
        nominal = builder.emit("Mul", [may_be, repeated(builder, parts, middle)])
        summed = builder.emit("Mul", [share, builder.number(count * (1 + 8 * count * U))])
        width = builder.emit("Mul", [builder.emit("Sub", [builder.number(1.0), one]), half])
        return Slopes(nominal, summed, builder.emit("Mul", [width, summed]), 1.0, rounded=False)

    def pull(adjoint: Adjoint) -> Adjoint:
        known = slopes()
        nominal = _enlarged(builder, parts, adjoint.nominal)
        nominal = builder.emit("Mul", [nominal, behind_seeds(builder, known.nominal)])
        norms = 1.0, rounded_off(builder, adjoint, known), 8 * FLUSH * math.prod(parts.of_x)
        return carried(builder, adjoint, norms, nominal, parts.of_x)

    return pull, slopes
