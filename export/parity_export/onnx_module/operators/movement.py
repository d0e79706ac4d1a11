"""Operators that move values and compute none: of constants they move what the file holds, before it is widened."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given, whole


def _axes(x: Inputs, index: int, node: Node, default: list[int]) -> list[int]:
    """Return the axes that stand in an attribute, or in an input since a later opset."""
    return node.integers("axes", default) if given(x, index) is None else whole(x[index])


def _reshape(x: Inputs, node: Node) -> Tensor:
    sizes = node.integers("shape", []) if given(x, 1) is None else whole(x[1])
    if not node.integer("allowzero", 0):
        sizes = [x[0].shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    if -1 in sizes and 0 in sizes:  # torch leaves open what -1 stands for
        known = math.prod(size for size in sizes if size > 0)
        sizes = [0 if size == -1 else size for size in sizes] if known else sizes
    return x[0].reshape(sizes)


def _flatten(x: Inputs, node: Node) -> Tensor:
    axis = node.integer("axis", 1)
    axis = axis + x[0].ndim if axis < 0 else axis
    return x[0].reshape(math.prod(x[0].shape[:axis]), math.prod(x[0].shape[axis:]))


def _transpose(x: Inputs, node: Node) -> Tensor:
    return x[0].permute(node.integers("perm", list(range(x[0].ndim))[::-1]))


def _squeeze(x: Inputs, node: Node) -> Tensor:
    ones = [axis for axis, size in enumerate(x[0].shape) if size == 1]
    axes = {axis % max(1, x[0].ndim) for axis in _axes(x, 1, node, ones)}
    if any(x[0].shape[axis] != 1 for axis in axes):
        raise NotThisOperatorError
    return x[0].reshape([size for axis, size in enumerate(x[0].shape) if axis not in axes])


def _unsqueeze(x: Inputs, node: Node) -> Tensor:
    axes = _axes(x, 1, node, [])
    rank = x[0].ndim + len(axes)
    result = x[0]
    for axis in sorted(axis % rank for axis in axes):
        result = result.unsqueeze(axis)
    return result


_AXIS_IS_SAID = 4
"""Before that opset Concat had a default axis."""


def _concat(x: Inputs, node: Node) -> Tensor:
    return torch.cat(x, node.integer("axis", 1 if node.version < _AXIS_IS_SAID else 0))


def _split(x: Inputs, node: Node) -> tuple[Tensor, ...]:
    axis = node.integer("axis", 0)
    sizes = node.integers("split", []) if given(x, 1) is None else whole(x[1])
    if not sizes:
        part = -(-x[0].shape[axis] // node.outputs)
        sizes = [max(0, min(part, x[0].shape[axis] - index * part)) for index in range(node.outputs)]
    return torch.split(x[0], sizes, axis)


def _slice(x: Inputs, node: Node) -> Tensor:
    if given(x, 1) is None:
        starts, ends = node.integers("starts", []), node.integers("ends", [])
        axes, steps = node.integers("axes", list(range(len(starts)))), [1] * len(starts)
    else:
        starts, ends = whole(x[1]), whole(x[2])
        axes = list(range(len(starts))) if given(x, 3) is None else whole(x[3])
        steps = [1] * len(starts) if given(x, 4) is None else whole(x[4])
    result = x[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        result = _cut(result, axis, slice(start, end, step))
    return result


def _cut(x: Tensor, axis: int, part: slice) -> Tensor:
    size, axis = x.shape[axis], axis % x.ndim
    if part.step > 0:
        start, stop, step = part.indices(size)
        return x[(*[slice(None)] * axis, slice(start, max(start, stop), step))]
    last = max(size - 1, 0)
    start = min(max(part.start + size if part.start < 0 else part.start, 0), last)
    stop = max(part.stop + size if part.stop < 0 else part.stop, -1)
    places = torch.arange(start, min(stop, start), part.step) if size else torch.arange(0)
    return x.index_select(axis, places)


def _gather(x: Inputs, node: Node) -> Tensor:
    axis = node.integer("axis", 0) % max(1, x[0].ndim)
    place: tuple[Any, ...] = (*[slice(None)] * axis, x[1].long())
    return x[0][place]


def _places(tensor: Tensor, size: int) -> Tensor:
    """Return indices that count from an axis' beginning."""
    tensor = tensor.long()
    return torch.where(tensor < 0, tensor + size, tensor) if tensor.numel() and bool((tensor < 0).any()) else tensor


def _gather_elements(x: Inputs, node: Node) -> Tensor:
    axis = node.integer("axis", 0)
    return torch.gather(x[0], axis, _places(x[1], x[0].shape[axis]))


def _gather_nd(x: Inputs, node: Node) -> Tensor:
    batch, indices = node.integer("batch_dims", 0), x[1].long()
    if not batch:
        return x[0][tuple(indices.unbind(-1))]
    rows = math.prod(x[0].shape[:batch])
    values, places = x[0].reshape(rows, *x[0].shape[batch:]), indices.reshape(rows, *indices.shape[batch:])
    found = torch.stack([one[tuple(place.unbind(-1))] for one, place in zip(values, places, strict=True)])
    return found.reshape(*x[0].shape[:batch], *found.shape[1:])


_SCATTERED = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _scatter_elements(x: Inputs, node: Node) -> Tensor:
    axis, how = node.integer("axis", 0), node.text("reduction", "none")
    places = _places(x[1], x[0].shape[axis])
    if how == "none":
        return x[0].scatter(axis, places, x[2])
    return x[0].scatter_reduce(axis, places, x[2], _SCATTERED[how])


def _scatter_nd(x: Inputs, node: Node) -> Tensor:
    how, places = node.text("reduction", "none"), tuple(x[1].long().unbind(-1))
    if how not in ("none", "add"):
        raise NotThisOperatorError
    return x[0].index_put(places, x[2], accumulate=how == "add")


def _expand(x: Inputs, node: Node) -> Tensor:
    shape = torch.broadcast_shapes(x[0].shape, tuple(whole(x[1])))  # type: ignore[no-untyped-call]
    return x[0].expand(shape)


def _tile(x: Inputs, node: Node) -> Tensor:
    return x[0].repeat(whole(x[1])) if x[0].ndim else x[0].clone()


def _pad(x: Inputs, node: Node) -> Tensor:
    mode, rank = node.text("mode", "constant"), x[0].ndim
    pads = node.integers("pads", node.integers("paddings", [])) if given(x, 1) is None else whole(x[1])
    axes = list(range(rank)) if given(x, 3) is None else [axis % rank for axis in whole(x[3])]
    before, behind = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        before[axis], behind[axis] = pads[index], pads[index + len(axes)]
    if mode == "constant":
        fill = node.number("value", 0.0) if given(x, 2) is None else x[2].reshape(-1)[0].item()
        pairs = list(zip(before, behind, strict=True))[::-1]
        return functional.pad(x[0], [size for pair in pairs for size in pair], value=fill)
    result = x[0]
    for axis, (first, last) in enumerate(zip(before, behind, strict=True)):
        if first or last:
            result = result.index_select(axis, _mirrored(result.shape[axis], first, last, mode))
    return result


def _mirrored(size: int, before: int, behind: int, mode: str) -> Tensor:
    if mode != "edge" and min(before, behind) < 0 < max(before, behind):
        raise NotThisOperatorError  # ONNX leaves open whether what is taken away is mirrored
    places = torch.arange(-before, size + behind)
    if mode == "edge":
        return places.clamp(0, size - 1)
    if mode == "wrap":
        return places % size
    period = max(1, 2 * (size - 1))
    places = places % period
    return torch.where(places >= size, period - places, places)


def _depth_to_space(x: Inputs, node: Node) -> Tensor:
    size = node.integer("blocksize", 1)
    batch, channels, height, width = x[0].shape
    parts = channels // size**2
    if node.text("mode", "DCR") == "DCR":
        grid = x[0].reshape(batch, size, size, parts, height, width).permute(0, 3, 4, 1, 5, 2)
    else:
        grid = x[0].reshape(batch, parts, size, size, height, width).permute(0, 1, 4, 2, 5, 3)
    return grid.reshape(batch, parts, height * size, width * size)


def _space_to_depth(x: Inputs, node: Node) -> Tensor:
    size = node.integer("blocksize", 1)
    batch, channels, height, width = x[0].shape
    grid = x[0].reshape(batch, channels, height // size, size, width // size, size).permute(0, 3, 5, 1, 2, 4)
    if node.text("mode", "DCR") == "CRD":
        grid = grid.permute(0, 3, 1, 2, 4, 5)
    return grid.reshape(batch, channels * size**2, height // size, width // size)


def _shape(x: Inputs, node: Node) -> Tensor:
    end = node.attributes.get("end")
    return torch.tensor(list(x[0].shape)[slice(node.integer("start", 0), end)], dtype=torch.int64)


def _size(x: Inputs, node: Node) -> Tensor:
    return torch.tensor(x[0].numel(), dtype=torch.int64)


def _constant_of_shape(x: Inputs, node: Node) -> Tensor:
    value = node.attributes.get("value", torch.zeros(1, dtype=torch.float32))
    if not isinstance(value, Tensor):
        raise NotThisOperatorError
    return value.reshape(-1)[0].expand(whole(x[0])).clone()


def _range(x: Inputs, node: Node) -> Tensor:
    if x[0].is_floating_point():
        count = max(0, math.ceil((x[1] - x[0]).item() / x[2].item()))
        return x[0] + torch.arange(count).to(x[0].dtype) * x[2]
    return torch.arange(x[0].item(), x[1].item(), x[2].item(), dtype=x[0].dtype)


def _trilu(x: Inputs, node: Node) -> Tensor:
    diagonal = 0 if given(x, 1) is None else int(x[1])
    return torch.triu(x[0], diagonal) if node.integer("upper", 1) else torch.tril(x[0], diagonal)


def _non_zero(x: Inputs, node: Node) -> Tensor:
    return torch.nonzero(x[0]).T if x[0].ndim else torch.nonzero(x[0].reshape(1)).T


def _compress(x: Inputs, node: Node) -> Tensor:
    axis = node.attributes.get("axis")
    values = x[0].reshape(-1) if axis is None else x[0]
    places = torch.nonzero(x[1].reshape(-1)).reshape(-1)
    return values.index_select(0 if axis is None else int(axis), places)


def _top_k(x: Inputs, node: Node) -> tuple[Tensor, Tensor]:
    if not node.integer("sorted", 1):  # in any order
        raise NotThisOperatorError
    axis, largest = node.integer("axis", -1), bool(node.integer("largest", 1))
    count = node.integer("k", 0) if given(x, 1) is None else int(x[1])
    # A stable sort: of equal values ONNX takes the lowest index first, where torch.topk takes any.
    values, places = torch.sort(x[0], dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


def _one_hot(x: Inputs, node: Node) -> Tensor:
    depth, axis = int(x[1].reshape(-1)[0]), node.integer("axis", -1)
    off, on = x[2].unbind(0)
    places = x[0].long().unsqueeze(axis if axis >= 0 else axis + x[0].ndim + 1)
    places = torch.where(places < 0, places + depth, places)
    shape = [1] * places.ndim
    shape[axis] = depth
    return torch.where(places == torch.arange(depth).reshape(shape), on, off)


def _reverse_sequence(x: Inputs, node: Node) -> Tensor:
    time, batch = node.integer("time_axis", 0), node.integer("batch_axis", 1)
    rows = x[0].movedim((batch, time), (0, 1))  # [batch, time, ...]
    steps, lengths = torch.arange(rows.shape[1])[None], x[1].long()[:, None]
    places = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return rows[torch.arange(len(rows))[:, None], places].movedim((0, 1), (batch, time))


_MASK_IS_SAID = 12
"""Before that opset it was open what Dropout's mask holds where nothing is dropped."""


def _dropout(x: Inputs, node: Node) -> Any:
    trains = given(x, 2)
    if (trains is not None and bool(trains)) or (node.outputs > 1 and node.version < _MASK_IS_SAID):
        raise NotThisOperatorError
    return x[0] if node.outputs == 1 else (x[0], torch.ones(x[0].shape, dtype=torch.bool))


def _identity(x: Inputs, node: Node) -> Any:
    return x[0]


OPERATORS: dict[str, Operator] = {
    "Identity": _identity,
    "Dropout": _dropout,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterElements": _scatter_elements,
    "Scatter": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Shape": _shape,
    "Size": _size,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Trilu": _trilu,
    "NonZero": _non_zero,
    "Compress": _compress,
    "TopK": _top_k,
    "OneHot": _one_hot,
    "ReverseSequence": _reverse_sequence,
}
