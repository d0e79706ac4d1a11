"""Resize and Upsample: each result is a few neighbours, weighted by how far away they lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given, whole
from parity_export.onnx_module.values import tensor_of

_SCALES_ALONE = 10
"""Up to that opset there were scales alone, and places were counted from an axis' beginning."""

_Places = NDArray[Any]


@dataclass(frozen=True)
class _Axis:
    """One axis: its sizes, the scale between them, and the part of it that is looked at."""

    before: int
    after: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)


def _resize(x: Inputs, node: Node) -> Tensor:
    if node.integer("antialias", 0) or not x[0].is_floating_point():
        raise NotThisOperatorError
    result = x[0]
    for number, axis in _axes(x, node).items():
        if axis.before != axis.after or axis.scale != 1 or _rule(node) == "tf_crop_and_resize":
            result = _along(result, number, axis, node)
    return result


def _axes(x: Inputs, node: Node) -> dict[int, _Axis]:
    shape = list(x[0].shape)
    if node.version <= _SCALES_ALONE:
        scales = node.attributes["scales"] if given(x, 1) is None else x[1].tolist()
        return {number: _scaled(size, scale) for number, (size, scale) in enumerate(zip(shape, scales, strict=True))}
    numbers = [one % len(shape) for one in node.integers("axes", list(range(len(shape))))]
    roi = _roi(x, node, len(numbers))
    if given(x, 2) is not None and x[2].numel():
        found = [_scaled(shape[number], scale) for number, scale in zip(numbers, x[2].tolist(), strict=True)]
    else:
        found = _sized(whole(x[3]), [shape[number] for number in numbers], node)
    return {
        number: _Axis(one.before, one.after, one.scale, part)
        for number, one, part in zip(numbers, found, roi, strict=True)
    }


def _scaled(size: int, scale: float) -> _Axis:
    return _Axis(size, int(np.floor(np.float32(size) * np.float32(scale))), scale)


def _roi(x: Inputs, node: Node, count: int) -> list[tuple[float, float]]:
    if _rule(node) != "tf_crop_and_resize" or given(x, 1) is None:
        return [(0.0, 1.0)] * count
    ends = x[1].tolist()
    return list(zip(ends[:count], ends[count:], strict=True))


def _sized(sizes: list[int], before: list[int], node: Node) -> list[_Axis]:
    """Return axes of given sizes; where proportions are kept, all have one scale, and the sizes follow from that."""
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    scales = [size / old for size, old in zip(sizes, before, strict=True)]
    if policy == "stretch":
        return [_Axis(*one) for one in zip(before, sizes, scales, strict=True)]
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [_Axis(old, int(np.floor(scale * old + 0.5)), scale) for old in before]


def _rule(node: Node) -> str:
    default = "half_pixel" if node.version > _SCALES_ALONE else "asymmetric"
    return node.text("coordinate_transformation_mode", default)


def _along(x: Tensor, number: int, axis: _Axis, node: Node) -> Tensor:
    mode = node.text("mode", "nearest")
    # Which neighbour is the nearest is decided in float32 by every backend.
    floats = np.float64 if node.double and mode != "nearest" else np.float32
    places = _places(axis, _rule(node), floats)
    taps = _TAPS.get(mode)
    if taps is None:
        raise NotThisOperatorError
    parts = []
    if mode == "nearest" and node.version <= _SCALES_ALONE and axis.scale < 1:
        places = np.ceil(places)  # ONNX left it open; onnxruntime takes the lower one only where an axis grows
    for index, weight in taps(places, axis.before, node):
        chosen = x.index_select(number, tensor_of(index.clip(0, axis.before - 1).astype(np.int64)))
        shape = [-1 if one == number else 1 for one in range(x.ndim)]
        parts.append(chosen if weight is None else chosen * tensor_of(weight).to(x.dtype).reshape(shape))
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    if _rule(node) != "tf_crop_and_resize":
        return result
    outside = tensor_of((places < 0) | (places > axis.before - 1)).reshape([-1 if one == number else 1
                                                                            for one in range(x.ndim)])  # fmt: skip
    return torch.where(outside, torch.full_like(result, node.number("extrapolation_value", 0.0)), result)


def _places(axis: _Axis, rule: str, floats: Any) -> _Places:
    """Return where each element of the new axis lies in the old one."""
    at, scale, before, after = np.arange(axis.after, dtype=floats), floats(axis.scale), axis.before, axis.after
    half, last = floats(0.5), floats(before - 1)
    centred = (at + half) / scale
    first, end = map(floats, axis.roi)
    shift = floats(before / 2 * (1 - after / (float(axis.scale) * before))) - half
    rules = {
        "asymmetric": at / scale,
        "half_pixel": centred - half,
        "pytorch_half_pixel": at * 0 if after == 1 else centred - half,
        "tf_half_pixel_for_nn": centred,
        "half_pixel_symmetric": centred + shift,
        "align_corners": at * last / floats(max(1, after - 1)),
        "tf_crop_and_resize": (
            at + half * (first + end) * last
            if after == 1
            else first * last + at * (end - first) * last / floats(after - 1)
        ),
    }
    return np.asarray(rules[rule])


_Taps = list[tuple[_Places, _Places | None]]


def _nearest(places: _Places, _: int, node: Node) -> _Taps:
    default = "round_prefer_floor" if node.version > _SCALES_ALONE else "floor"
    how = node.text("nearest_mode", default)
    low = np.floor(places)
    rounded = {
        "floor": low,
        "ceil": np.ceil(places),
        "round_prefer_floor": np.ceil(places - 0.5),
        "round_prefer_ceil": np.floor(places + 0.5),
    }
    return [(rounded[how], None)]


def _linear(places: _Places, size: int, _: Node) -> _Taps:
    inside = places.clip(0, size - 1)
    low = np.floor(inside)
    return [(low, 1 - (inside - low)), (low + 1, inside - low)]


def _cubic(places: _Places, size: int, node: Node) -> _Taps:
    a = node.number("cubic_coeff_a", -0.75)
    low = np.floor(places)
    taps = []
    for step in (-1, 0, 1, 2):
        away = np.abs(places - low - step)
        near = ((a + 2) * away - (a + 3)) * away * away + 1
        far = ((a * away - 5 * a) * away + 8 * a) * away - 4 * a
        taps.append((low + step, np.where(away <= 1, near, np.where(away < 2, far, 0))))
    if node.integer("exclude_outside", 0):
        taps = [(index, np.where((index < 0) | (index >= size), 0, weight)) for index, weight in taps]
        total = sum(weight for _, weight in taps)
        taps = [(index, weight / total) for index, weight in taps]
    return [(index, weight) for index, weight in taps]


_TAPS: dict[str, Callable[[_Places, int, Node], _Taps]] = {"nearest": _nearest, "linear": _linear, "cubic": _cubic}


OPERATORS: dict[str, Operator] = {"Resize": _resize, "Upsample": _resize}
