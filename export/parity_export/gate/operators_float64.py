"""ONNX operators by torch's, in float64: those for which onnxruntime has no float64 kernel, and the usual ones.

Each takes the node's inputs as tensors, those that are left out at the end not among them, and its attributes. What a
function does not cover it leaves to others by raising `NotThisOperatorError`.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Attributes = dict[str, Any]
Inputs = list[Tensor]


class NotThisOperatorError(Exception):
    """An operator, or some attribute of it, is not computed here."""


def _number(attributes: Attributes, name: str, default: float) -> float:
    return float(attributes.get(name, default))


def _gemm(x: Inputs, attributes: Attributes) -> Tensor:
    first = x[0].T if attributes.get("transA", 0) else x[0]
    second = x[1].T if attributes.get("transB", 0) else x[1]
    product = _number(attributes, "alpha", 1.0) * (first @ second)
    return product if len(x) < 3 else product + _number(attributes, "beta", 1.0) * x[2]


def _windows(x: Tensor, kernel: list[int], attributes: Attributes) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return the strides, the dilations, and the padding before and behind each axis of a window."""
    rank = len(kernel)
    strides = list(attributes.get("strides", [1] * rank))
    dilations = list(attributes.get("dilations", [1] * rank))
    pads = list(attributes.get("pads", [0] * 2 * rank))
    before, behind = pads[:rank], pads[rank:]
    auto = attributes.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        for axis, size in enumerate(x.shape[2:]):
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            total = max(0, (math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size)
            small = total // 2
            before[axis], behind[axis] = (
                (small, total - small) if auto == b"SAME_UPPER" else (total - small, small)
            )  # fmt: skip
    return strides, dilations, before, behind


def _padded(x: Tensor, before: list[int], behind: list[int], value: float = 0.0) -> Tensor:
    """Return a tensor with a value around its last axes; a negative number takes elements away."""
    pairs = list(zip(before, behind, strict=True))[::-1]
    return functional.pad(x, [size for pair in pairs for size in pair], value=value)


def _conv(x: Inputs, attributes: Attributes) -> Tensor:
    weight, rank = x[1], x[1].ndim - 2
    strides, dilations, before, behind = _windows(x[0], list(weight.shape[2:]), attributes)
    bias = x[2] if len(x) > 2 else None
    arguments = (strides, [0] * rank, dilations, False, [0] * rank, attributes.get("group", 1))
    return torch.convolution(_padded(x[0], before, behind), weight, bias, *arguments)


def _conv_transpose(x: Inputs, attributes: Attributes) -> Tensor:
    weight, rank = x[1], x[1].ndim - 2
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or "output_shape" in attributes:
        raise NotThisOperatorError
    strides, dilations, before, behind = _windows(x[0], list(weight.shape[2:]), attributes)
    more = attributes.get("output_padding", [0] * rank)
    arguments = (strides, [0] * rank, dilations, True, [0] * rank, attributes.get("group", 1))
    whole = torch.convolution(x[0], weight, None, *arguments)
    cut = _padded(whole, [-size for size in before], [extra - size for extra, size in zip(more, behind, strict=True)])
    return cut if len(x) < 3 else cut + x[2].reshape(-1, *[1] * rank)


def _average_pool(x: Inputs, attributes: Attributes) -> Tensor:
    """Sum each window, count its elements, and divide: what padding counts for is what the attributes say."""
    kernel = list(attributes["kernel_shape"])
    strides, dilations, before, behind = _windows(x[0], kernel, attributes)
    none = [0] * len(kernel)
    planes = x[0].reshape(-1, 1, *x[0].shape[2:])
    counted = _padded(torch.ones_like(planes[:1]), before, behind, float(attributes.get("count_include_pad", 0)))
    planes = _padded(planes, before, behind)
    if attributes.get("ceil_mode", 0):
        reaches = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
        missing = [
            _beyond(size, reach, stride, size - end)
            for size, reach, stride, end in zip(planes.shape[2:], reaches, strides, behind, strict=True)
        ]
        planes, counted = _padded(planes, none, missing), _padded(counted, none, missing)
    ones = torch.ones(1, 1, *kernel, dtype=torch.float64)
    sums, counts = (torch.convolution(planes_or_counts, ones, None, strides, none, dilations, False, none, 1)
                    for planes_or_counts in (planes, counted))  # fmt: skip
    mean = sums / counts
    return mean.reshape(*x[0].shape[:2], *mean.shape[2:])


def _beyond(size: int, reach: int, stride: int, elements: int) -> int:
    """Return how far the last window reaches beyond a padded axis; one that starts behind its elements is no window."""
    last = math.ceil((size - reach) / stride) * stride
    last -= stride if last >= elements else 0
    return max(0, last + reach - size)


def _batch_normalization(x: Inputs, attributes: Attributes) -> Tensor:
    if attributes.get("training_mode", 0):
        raise NotThisOperatorError
    scale, shift, mean, variance = (tensor.reshape(-1, *[1] * (x[0].ndim - 2)) for tensor in x[1:])
    return (x[0] - mean) / torch.sqrt(variance + _number(attributes, "epsilon", _EPSILON)) * scale + shift


def _normalized(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    centred = x - x.mean(dim=axes, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(dim=axes, keepdim=True) + epsilon)


def _instance_normalization(x: Inputs, attributes: Attributes) -> Tensor:
    normal = _normalized(x[0], list(range(2, x[0].ndim)), _number(attributes, "epsilon", _EPSILON))
    scale, shift = (tensor.reshape(-1, *[1] * (x[0].ndim - 2)) for tensor in x[1:])
    return normal * scale + shift


def _layer_normalization(x: Inputs, attributes: Attributes) -> Tensor:
    axis = int(attributes.get("axis", -1)) % x[0].ndim
    normal = _normalized(x[0], list(range(axis, x[0].ndim)), _number(attributes, "epsilon", _EPSILON))
    normal = normal * x[1]
    return normal if len(x) < 3 else normal + x[2]


def _group_normalization(x: Inputs, attributes: Attributes) -> Tensor:
    groups, channels = int(attributes["num_groups"]), x[0].shape[1]
    grouped = x[0].reshape(len(x[0]), groups, -1)
    normal = _normalized(grouped, [2], _number(attributes, "epsilon", _EPSILON)).reshape(x[0].shape)
    scale, shift = (
        tensor.repeat_interleave(channels // len(tensor)).reshape(-1, *[1] * (x[0].ndim - 2)) for tensor in x[1:]
    )  # before opset 21 they were one for each group
    return normal * scale + shift


def _rms_normalization(x: Inputs, attributes: Attributes) -> Tensor:
    axes = list(range(int(attributes.get("axis", -1)) % x[0].ndim, x[0].ndim))
    square = (x[0] * x[0]).mean(dim=axes, keepdim=True) + _number(attributes, "epsilon", _EPSILON)
    return x[0] / torch.sqrt(square) * x[1]


_EPSILON = 9.999999747378752e-06
"""1e-5 as float32, the default of every normalization in ONNX."""


def _sigmoid(x: Tensor) -> Tensor:
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _softplus(x: Tensor) -> Tensor:
    return torch.log1p(torch.exp(-x.abs())) + x.clamp(min=0)


def _gelu(x: Inputs, attributes: Attributes) -> Tensor:
    if attributes.get("approximate", b"none") == b"tanh":
        return x[0] * _sigmoid(2 * math.sqrt(2 / math.pi) * (x[0] + 0.044715 * x[0] * x[0] * x[0]))
    tail: Tensor = torch.special.erfc(-x[0] / math.sqrt(2))
    return 0.5 * x[0] * tail


def _elu(x: Inputs, attributes: Attributes) -> Tensor:
    return torch.where(x[0] > 0, x[0], _number(attributes, "alpha", 1.0) * torch.expm1(x[0]))


def _celu(x: Inputs, attributes: Attributes) -> Tensor:
    alpha = _number(attributes, "alpha", 1.0)
    return torch.where(x[0] > 0, x[0], alpha * torch.expm1(x[0] / alpha))


_SELU = {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}
"""Selu's defaults, as float32."""


def _selu(x: Inputs, attributes: Attributes) -> Tensor:
    given = _SELU | attributes
    return float(given["gamma"]) * torch.where(x[0] > 0, x[0], float(given["alpha"]) * torch.expm1(x[0]))


def _hard_sigmoid(x: Inputs, attributes: Attributes) -> Tensor:
    slope, middle = _number(attributes, "alpha", _FIFTH), _number(attributes, "beta", 0.5)
    return (slope * x[0] + middle).clamp(0, 1)


_FIFTH = 0.20000000298023224
"""HardSigmoid's default slope, as float32."""


def _leaky(x: Inputs, attributes: Attributes) -> Tensor:
    slope = x[1] if len(x) > 1 else _number(attributes, "alpha", 0.009999999776482582)
    return torch.where(x[0] >= 0, x[0], slope * x[0])


def _cast(x: Inputs, attributes: Attributes) -> Tensor:
    if attributes["to"] != _DOUBLE:
        raise NotThisOperatorError
    return x[0]


_DOUBLE = 11
"""ONNX's number for float64."""


def _swish(x: Inputs, attributes: Attributes) -> Tensor:
    return x[0] * _sigmoid(_number(attributes, "alpha", 1.0) * x[0])


def _spatial(reduce: Callable[..., Tensor]) -> Callable[[Inputs, Attributes], Tensor]:
    return lambda x, _: reduce(x[0], dim=list(range(2, x[0].ndim)), keepdim=True)


OPERATORS: dict[str, Callable[[Inputs, Attributes], Tensor]] = {
    "MatMul": lambda x, _: torch.matmul(x[0], x[1]),
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _spatial(torch.mean),
    "GlobalMaxPool": _spatial(torch.amax),
    "BatchNormalization": _batch_normalization,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "GroupNormalization": _group_normalization,
    "RMSNormalization": _rms_normalization,
    "Add": lambda x, _: x[0] + x[1],
    "Sub": lambda x, _: x[0] - x[1],
    "Mul": lambda x, _: x[0] * x[1],
    "Div": lambda x, _: x[0] / x[1],
    "Relu": lambda x, _: x[0].clamp(min=0),
    "Tanh": lambda x, _: torch.tanh(x[0]),
    "Sigmoid": lambda x, _: _sigmoid(x[0]),
    "Erf": lambda x, _: torch.erf(x[0]),
    "Gelu": _gelu,
    "Softplus": lambda x, _: _softplus(x[0]),
    "Mish": lambda x, _: x[0] * torch.tanh(_softplus(x[0])),
    "Elu": _elu,
    "Celu": _celu,
    "Selu": _selu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x, _: x[0] * (x[0] / 6 + 0.5).clamp(0, 1),
    "LeakyRelu": _leaky,
    "PRelu": _leaky,
    "Swish": _swish,
    "Cast": _cast,
}
"""Each operator's results; those with several are left to others."""
