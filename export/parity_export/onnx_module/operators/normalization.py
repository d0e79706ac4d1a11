"""Normalizations, by their definitions."""

import torch
from torch import Tensor
from torch.nn import functional

from parity_export.onnx_module.operators.operator import (
    Inputs,
    Node,
    NotThisOperatorError,
    Operator,
    given,
    per_channel,
    wide_half,
)

_EPSILON = 9.999999747378752e-06
"""1e-5 as float32, the default of every normalization in ONNX."""


def _batch_normalization(x: Inputs, node: Node) -> Tensor:
    node.one_result()
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        raise NotThisOperatorError
    scale, shift, mean, variance = (per_channel(tensor, x[0].ndim) for tensor in x[1:])
    return (x[0] - mean) / torch.sqrt(variance + node.number("epsilon", _EPSILON)) * scale + shift


def normalized(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    """Return a tensor with mean 0 and variance 1 over some axes, computed in float32 of floats of 16 bits."""
    wide = wide_half(x)
    centred = wide - wide.mean(dim=axes, keepdim=True)
    return (centred / torch.sqrt((centred * centred).mean(dim=axes, keepdim=True) + epsilon)).to(x.dtype)


def root_mean_square(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    """Return a tensor with mean square 1 over some axes, computed in float32 of floats of 16 bits."""
    wide = wide_half(x)
    return (wide / torch.sqrt((wide * wide).mean(dim=axes, keepdim=True) + epsilon)).to(x.dtype)


def _instance_normalization(x: Inputs, node: Node) -> Tensor:
    normal = normalized(x[0], list(range(2, x[0].ndim)), node.number("epsilon", _EPSILON))
    scale, shift = (per_channel(tensor, x[0].ndim) for tensor in x[1:])
    return normal * scale + shift


def layer_normalization(x: Inputs, node: Node) -> Tensor:
    """Return LayerNormalization of ``(x, scale, bias or None)``."""
    node.one_result()
    axis = node.integer("axis", -1) % x[0].ndim
    normal = normalized(x[0], list(range(axis, x[0].ndim)), node.number("epsilon", _EPSILON)) * x[1]
    return normal if given(x, 2) is None else normal + x[2]


def _group_normalization(x: Inputs, node: Node) -> Tensor:
    groups, channels = node.integer("num_groups", 1), x[0].shape[1]
    grouped = x[0].reshape(len(x[0]), groups, -1)
    normal = normalized(grouped, [2], node.number("epsilon", _EPSILON)).reshape(x[0].shape)
    scale, shift = (
        per_channel(tensor.repeat_interleave(channels // len(tensor)), x[0].ndim) for tensor in x[1:]
    )  # before opset 21 they were one for each group
    return normal * scale + shift


def rms_normalization(x: Inputs, node: Node) -> Tensor:
    """Return RMSNormalization of ``(x, scale)``."""
    node.one_result()
    axes = list(range(node.integer("axis", -1) % x[0].ndim, x[0].ndim))
    return root_mean_square(x[0], axes, node.number("epsilon", _EPSILON)) * x[1]


def _lp_normalization(x: Inputs, node: Node) -> Tensor:
    axis, order = node.integer("axis", -1), node.integer("p", 2)
    size = torch.linalg.vector_norm(x[0], order, dim=axis, keepdim=True)
    return torch.where(size == 0, torch.zeros_like(x[0]), x[0] / size)


_MEAN_VARIANCE_SINCE = 9
"""Before that opset MeanVarianceNormalization was onnxruntime's own, with other attributes."""


def _mean_variance(x: Inputs, node: Node) -> Tensor:
    if node.version < _MEAN_VARIANCE_SINCE:
        raise NotThisOperatorError
    axes, wide = node.integers("axes", [0, 2, 3]), wide_half(x[0])
    centred = wide - wide.mean(axes, keepdim=True)
    return (centred / ((centred * centred).mean(axes, keepdim=True).sqrt() + 1e-9)).to(x[0].dtype)


def _local_response(x: Inputs, node: Node) -> Tensor:
    size = node.integer("size", 1)
    before = (size - 1) // 2
    wide = wide_half(x[0])
    around = functional.pad((wide * wide).movedim(1, -1), [before, size - 1 - before])
    sums = around.unfold(-1, size, 1).sum(-1).movedim(-1, 1)
    base = node.number("bias", 1.0) + node.number("alpha", _LRN_ALPHA) / size * sums
    return (wide / base ** node.number("beta", 0.75)).to(x[0].dtype)


_LRN_ALPHA = 9.999999747378752e-05
"""1e-4 as float32, LRN's default."""


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": _batch_normalization,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": layer_normalization,
    "GroupNormalization": _group_normalization,
    "RMSNormalization": rms_normalization,
    "LpNormalization": _lp_normalization,
    "MeanVarianceNormalization": _mean_variance,
    "LRN": _local_response,
}
