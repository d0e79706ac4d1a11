"""Resize by a fraction, made exact: torch's sizes, and torch's places to read from, on every backend.

Torch multiplies in float64, the nearest place it finds in float32; ONNX keeps a scale in float32, and backends multiply
and divide by it in either: 2.3 times 10 is 23 or 22.999999, and a place on the border is that of its neighbour.
"""

import math
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.graph.shape_inference import infer_shapes

Sizes = tuple[list[Any], list[Any]]
"""Sizes of the axes before and after: a whole number, or a dynamic dimension."""

_MOST_STEPS = 8  # neighbouring float32 scales that are tried; one is enough (107,000 pairs of scale and size to 4096)


def resized(graph: ir.Graph) -> dict[ir.Node, Sizes]:
    """Return what torch wrote of the sizes before and after each Resize by a fraction."""
    return {node: (_sizes(node.inputs[0]), _sizes(node.outputs[0])) for node in graph if _by_fraction(node)}


def settle_resizing(model: ir.Model, written: dict[ir.Node, Sizes]) -> ir.Model:
    """Return a graph whose shapes are inferred with each Resize by a fraction made exact where its sizes are known.

    The nearest places become indices of a Gather; interpolation, which has no jumps, gets the neighbouring scales that
    give torch's sizes however they are rounded.

    Args:
        model: its inner shapes inferred.
        written: what `resized` returned of it before; it counts where inference finds the same sizes.
    """
    for node, (before, after) in written.items():
        moved = [axis for axis, scale in enumerate(_scales(node)) if scale != 1]
        sizes = [[sizes[axis] for axis in moved] for sizes in (before, _sizes(node.inputs[0]), after)]
        if sizes[0] != sizes[1] or not all(isinstance(size, int) for size in sizes[0] + sizes[2]):
            continue
        if node.attributes.get_string("mode", "nearest") != "nearest":
            _settle_scales(model.graph, node, before, after)
        elif node.attributes.get_string("coordinate_transformation_mode") == "asymmetric":
            _gather(model.graph, node, before, after)
        model = infer_shapes(model)
    return model


def _by_fraction(node: ir.Node) -> bool:
    """Whether a node is a Resize by constant scales, a fraction among them, of every axis of a known rank."""
    if node.op_type != "Resize":
        return False
    scales, ranks = _scales(node), {len(_sizes(value)) for value in (node.inputs[0], node.outputs[0])}
    return ranks == {len(scales)} and bool((scales != np.rint(scales)).any())


def _scales(node: ir.Node) -> NDArray[np.float32]:
    """Return a Resize's constant scales; none where sizes are given instead."""
    scales = node.inputs[2] if len(node.inputs) > 2 else None
    if scales is None or scales.const_value is None:
        return np.ones(0, np.float32)
    return np.asarray(scales.const_value.numpy(), np.float32)


def _sizes(value: ir.Value | None) -> list[Any]:
    return [] if value is None or value.shape is None else list(value.shape)


def _gather(graph: ir.Graph, node: ir.Node, before: list[int], after: list[int]) -> None:
    """Put a Gather for each axis in the place of a Resize that reads the nearest place."""
    value: Any = node.inputs[0]
    nodes: list[ir.Node] = []
    for axis, scale in enumerate(_scales(node)):
        if scale != 1:
            places = _places(scale, before[axis], after[axis])
            indices = _constant(graph, f"{node.outputs[0].name}.places_{axis}", places)
            nodes.append(ir.node("Gather", [value, indices], {"axis": axis}))
            value = nodes[-1].outputs[0]
            value.type = node.outputs[0].type
    ir.convenience.replace_nodes_and_values(graph, node, [node], nodes, node.outputs, [value])


def _settle_scales(graph: ir.Graph, node: ir.Node, before: list[int], after: list[int]) -> None:
    """Give a Resize that interpolates scales of which no rounding gives another size."""
    scales = [
        one if one == 1 else _settled(one, *sizes) for one, *sizes in zip(_scales(node), before, after, strict=True)
    ]
    node.replace_input_with(2, _constant(graph, f"{node.outputs[0].name}.scales", np.array(scales, np.float32)))


def _places(scale: np.float32, size: int, wanted: int) -> NDArray[np.int64]:
    """Return where torch reads each element: ``aten.upsample_nearest``, a float32 product with the scale's inverse."""
    inverse = np.float32(1 / float(str(scale)))  # the shortest decimal of a float32 is what the code says
    places = np.floor(np.arange(wanted, dtype=np.float32) * inverse)
    return np.asarray(np.minimum(places, size - 1), np.int64)


def _settled(scale: np.float32, size: int, wanted: int) -> np.float32:
    """Return the nearest scale that gives the wanted size however it is rounded; the given one where none does."""
    up = down = scale
    for _ in range(_MOST_STEPS):
        for candidate in (up, down):
            rounded, exact = math.floor(candidate * np.float32(size)), math.floor(float(candidate) * size)
            if rounded == exact == wanted:
                return candidate
        up, down = np.nextafter(up, np.float32(np.inf)), np.nextafter(down, np.float32(0))
    return scale


def _constant(graph: ir.Graph, name: str, array: NDArray[np.generic]) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    value.dtype, value.shape = ir.DataType.from_numpy(array.dtype), ir.Shape(array.shape)
    graph.register_initializer(value)
    return value
