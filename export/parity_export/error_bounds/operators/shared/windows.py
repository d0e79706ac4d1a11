"""Sums and maxima over windows or axes, the error bounds that pooling and reductions share."""

import math
from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.steps import Passing, Rule, pass_through
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import FIXED_SIZE, refusal
from parity_export.error_bounds.norms.passing import over_windows
from parity_export.error_bounds.operators.shared.tiles import largest_of, shared_out, tiles
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma


def maximum(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = max of a window: exact, and no maximum comes further apart than one of its elements: the same maximum of e.

    Some backends lose a NaN in a maximum; an error bound that is NaN becomes infinite before it.
    """
    x = builder.operand(node)
    _refuse_empty_windows(node)
    if _window(builder, node) < 1:
        raise refusal(node, "it takes the maximum of nothing")
    axes, infinite = _axes(builder, node), builder.initializer(np.array([np.inf], np.float32))

    def rule(total: ir.Value, scale: float) -> Bound:
        known = builder.emit("Where", [builder.emit("Less", [total, infinite]), total, infinite])
        return Bound(_again(builder, node, known), scale, 0.0, 2 * FLUSHED)

    result, parts = rule(*builder.tensor(x)), tiles(node, axes)
    if parts is not None and parts.are_of_images and not node.op_type.startswith("Reduce"):
        pull, slopes = largest_of(builder, node, parts, partial(_again, builder, node))

        def remainder() -> Bound:
            total, scale = builder.summed(node.outputs[0], result)
            return Bound(builder.emit("Mul", [slopes().off, total]), scale * (1 + 8 * U))

        pass_through(builder, node, x, Passing(rule, pull, 0.0, remainder), result, alike=False)
    return over_windows(builder, node, result, axes, (math.sqrt(_overlap(node)), 0.0))


def _refuse_empty_windows(node: ir.Node) -> None:
    """Refuse a window that may lie in the padding alone: its maximum is no element's."""
    if "pads" not in node.attributes or not any(node.attributes["pads"].as_ints()):
        if node.attributes.get("auto_pad") is None or node.attributes["auto_pad"].as_string() in ("NOTSET", "VALID"):
            return
        raise refusal(node, "auto_pad")
    kernel = list(node.attributes["kernel_shape"].as_ints())
    dilations = node.attributes["dilations"].as_ints() if "dilations" in node.attributes else (1,)
    pads = node.attributes["pads"].as_ints()
    if any(dilation != 1 for dilation in dilations) or any(
        pad >= size for pad, size in zip(pads, kernel * 2, strict=True)
    ):
        raise refusal(node, "a window may lie in the padding alone")


def pooled_sum(builder: BoundBuilder, node: ir.Node, *, divided: bool) -> Bound:
    """V = sum of k elements, or that / k: the same sum of (1 + 2 gamma_n) e + gamma_n |x'|.

    The norm of the map is at most the root of its largest sum of a row times that of a column: each element is in some
    windows, with 1, 1/k, or with fewer elements beside the padding up to 1.

    The bound of `inner_products.inner_products` with weights 1 and n = k. With weights 1/k a term takes part in k - 1
    additions, the rounding of 1/k or none, and one product or quotient: n = k + 1.

    Args:
        builder: the graph.
        node: sums x, its first input.
        divided: whether it divides by k.
    """
    count = _window(builder, node)
    if "ceil_mode" in node.attributes and node.attributes["ceil_mode"].as_int():
        raise refusal(node, "ceil_mode: backends divide by different numbers")
    n = count + divided
    x, axes, error = builder.operand(node), _axes(builder, node), gamma(n)
    result, parts = summed_again(builder, node, count, n), tiles(node, axes)
    if parts is not None:
        pull = shared_out(builder, parts, 1 / count if divided else 1.0)
        passing = Passing(_summing(builder, node, count, n), pull, 2 * error * (1 + 4 * U))
        pass_through(builder, node, x, passing, result, alike=False)
    norm = math.sqrt(_overlap(node) * (_of_the_padding(node) / count if divided else count))
    return over_windows(builder, node, result, axes, (norm * (1 + 2 * error), norm * error / UNIT))


def summed_again(builder: BoundBuilder, node: ir.Node, count: int, n: int) -> Bound:
    """Return the error bound, without a norm, of what a node sums: the same sums of (1 + 2 gamma_n) e + gamma_n |x'|.

    Args:
        builder: the graph.
        node: sums x, its first input.
        count: how many numbers, at most.
        n: roundings that one takes part in.
    """
    return _summing(builder, node, count, n)(*builder.tensor(builder.operand(node)))


def _summing(builder: BoundBuilder, node: ir.Node, count: int, n: int) -> Rule:
    x, error = builder.operand(node), gamma(n)

    def rule(total: ir.Value, scale: float) -> Bound:
        p = (1 + 2 * error) * scale
        part = builder.emit("Mul", [builder.magnitude(x), builder.number(error / UNIT / p)])
        summed = _again(builder, node, builder.emit("Add", [total, part]))
        constant = (n + 1) * (1 + error) * FLUSHED + 4 * count * FLUSH
        return Bound(summed, p * (1 + gamma(count + 8)), 0.0, constant)

    return rule


def _again(builder: BoundBuilder, node: ir.Node, value: ir.Value) -> ir.Value:
    return builder.emit(node.op_type, [value, *node.inputs[1:]], dict(node.attributes))


def _overlap(node: ir.Node) -> int:
    """Return how many windows an element lies in, at most."""
    if "kernel_shape" not in node.attributes:
        return 1
    kernel = list(node.attributes["kernel_shape"].as_ints())
    strides, dilations = (
        list(node.attributes[name].as_ints()) if name in node.attributes else [1] * len(kernel)
        for name in ("strides", "dilations")
    )
    parts = zip(kernel, strides, dilations, strict=True)
    return math.prod(math.ceil(size / stride) if dilation == 1 else size for size, stride, dilation in parts)


def _of_the_padding(node: ir.Node) -> int:
    """Return how many times fewer elements a window beside the padding may count: all but one, or none."""
    counted = "count_include_pad" in node.attributes and node.attributes["count_include_pad"].as_int()
    padded = "pads" in node.attributes and any(node.attributes["pads"].as_ints())
    return math.prod(node.attributes["kernel_shape"].as_ints()) if padded and not counted else 1


def _axes(builder: BoundBuilder, node: ir.Node) -> tuple[int, ...]:
    """Return the axes that windows lie in."""
    rank = len(builder.operand(node).shape or ())
    if not node.op_type.startswith("Reduce"):
        return tuple(range(2, rank))
    given = builder.constant(node.inputs[1])
    return tuple(sorted(int(axis) % rank for axis in (() if given is None else given.reshape(-1))))


def _window(builder: BoundBuilder, node: ir.Node) -> int:
    """Return how many elements one result is made of."""
    x = builder.operand(node)
    if x.shape is None:
        raise refusal(node, "the shape of its input is unknown")
    sizes = list(x.shape)
    if "kernel_shape" in node.attributes:
        return int(np.prod(list(node.attributes["kernel_shape"].as_ints())))
    axes = list(range(2, len(sizes)))
    if node.op_type.startswith("Reduce"):
        given = builder.constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if given is None:
            raise refusal(node, "its axes must be constant")
        axes = [int(axis) for axis in given.reshape(-1)]
        if not all(-len(sizes) <= axis < len(sizes) for axis in axes):
            raise refusal(node, f"it has no axes {axes}")
    found = [sizes[axis] for axis in axes]
    if not found or not all(isinstance(size, int) for size in found):
        raise refusal(node, "it sums over a dynamic dimension", FIXED_SIZE)
    return int(np.prod([int(size) for size in found if isinstance(size, int)]))
