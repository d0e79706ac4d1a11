"""Where the windows of convolutions and poolings lie."""

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from parity_export.onnx_module.operators.operator import Node, UndefinedError


@dataclass(frozen=True)
class Windows:
    """How a window moves, a number for each axis but batch and channels.

    Attributes:
        strides: how far it moves.
        dilations: how far its elements lie apart.
        before: how much is padded before an axis.
        behind: and behind it.
    """

    strides: list[int]
    dilations: list[int]
    before: list[int]
    behind: list[int]


def windows(x: Tensor, kernel: list[int], node: Node) -> Windows:
    """Return how a window of some size moves over a tensor ``[batch, channels, ...]``."""
    rank = len(kernel)
    strides = node.integers("strides", [1] * rank)
    dilations = node.integers("dilations", [1] * rank)
    pads = node.integers("pads", [0] * 2 * rank)
    before, behind = pads[:rank], pads[rank:]
    auto = node.text("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        for axis, size in enumerate(x.shape[2:]):
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            total = max(0, (math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size)
            small = total // 2
            before[axis], behind[axis] = (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
    return Windows(strides, dilations, before, behind)


def check_fits(planes: Tensor, kernel: list[int], window: Windows) -> None:
    """Raise `UndefinedError` where a window is larger than the padded tensor ``[batch, channels, ...]``.

    By ONNX's formula there are no windows then; onnxruntime, which divides towards zero, answers with one.
    """
    for size, elements, dilation in zip(planes.shape[2:], kernel, window.dilations, strict=True):
        reach = (elements - 1) * dilation + 1
        if 0 < size < reach:
            raise UndefinedError(f"a window of {reach} elements moves over {size}: ONNX leaves its result open")


def padded(x: Tensor, before: list[int], behind: list[int], value: float = 0.0) -> Tensor:
    """Return a tensor with a value around its last axes; a negative number takes elements away."""
    if not any(before) and not any(behind):
        return x
    pairs = list(zip(before, behind, strict=True))[::-1]
    return functional.pad(x, [size for pair in pairs for size in pair], value=value)


def beyond(size: int, reach: int, stride: int, elements: int) -> int:
    """Return how far the last window reaches beyond a padded axis; one that starts behind its elements is no window."""
    last = math.ceil((size - reach) / stride) * stride
    last -= stride if last >= elements else 0
    return max(0, last + reach - size)
