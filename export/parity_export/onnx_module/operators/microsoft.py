"""Operators that onnxruntime adds to ONNX's, of floats: by their definitions in its ContribOperators.md."""

from typing import Any

import torch
from torch import Tensor

from parity_export.onnx_module.operators.activations import gelu, sigmoid, tanh_gelu
from parity_export.onnx_module.operators.attention import attention, multi_head_attention
from parity_export.onnx_module.operators.normalization import normalized, rms_normalization, root_mean_square
from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given
from parity_export.onnx_module.operators.products import convolution, scaled

_EPSILON = 9.999999960041972e-13
"""1e-12 as float32, the default of what is fused with a LayerNormalization."""

_QUICK = 1.7020000219345093
"""1.702 as float32, QuickGelu's default."""


def _bias_gelu(x: Inputs, node: Node) -> Tensor:
    return gelu(x[0] + x[1])


def _fast_gelu(x: Inputs, node: Node) -> Tensor:
    return tanh_gelu(x[0] if given(x, 1) is None else x[0] + x[1])


def _quick_gelu(x: Inputs, node: Node) -> Tensor:
    return x[0] * sigmoid(node.number("alpha", _QUICK) * x[0])


def _fused_matmul(x: Inputs, node: Node) -> Tensor:
    if node.integer("transBatchA", 0) or node.integer("transBatchB", 0):
        raise NotThisOperatorError
    first = x[0].mT if node.integer("transA", 0) and x[0].ndim > 1 else x[0]
    second = x[1].mT if node.integer("transB", 0) and x[1].ndim > 1 else x[1]
    return scaled(torch.matmul(first, second), node.number("alpha", 1.0))


def _activated(x: Tensor, node: Node) -> Tensor:
    """Return what a fused node's activation makes of it."""
    name = node.text("activation", "")
    known = {
        "": lambda: x,
        "Relu": lambda: x.clamp(min=0),
        "Tanh": lambda: torch.tanh(x),
        "Sigmoid": lambda: sigmoid(x),
    }
    if name not in known:
        raise NotThisOperatorError
    return known[name]()


def _fused_conv(x: Inputs, node: Node) -> Tensor:
    result = convolution([x[0], x[1], given(x, 2)], node)
    return _activated(result if given(x, 3) is None else result + x[3], node)


def _skip_normalization(x: Inputs, node: Node) -> Any:
    """Normalize a sum; the fourth result is the sum itself."""
    beta, bias = given(x, 3), given(x, 4)
    total = x[0] + x[1] if bias is None else x[0] + x[1] + bias
    normal = normalized(total, [-1], node.number("epsilon", _EPSILON)) * x[2]
    return _with_sum(normal if beta is None else normal + beta, total, node)


def _skip_simplified(x: Inputs, node: Node) -> Any:
    bias = given(x, 3)
    total = x[0] + x[1] if bias is None else x[0] + x[1] + bias
    normal = root_mean_square(total, [-1], node.number("epsilon", _EPSILON))
    return _with_sum(normal * x[2], total, node)


def _with_sum(normal: Tensor, total: Tensor, node: Node) -> Any:
    if any(node.named[1:3]):
        raise NotThisOperatorError
    return (normal, None, None, total)


def _embedding(x: Inputs, node: Node) -> Any:
    """Add the embeddings of words, positions and segments, and normalize."""
    ids, segments, words, positions, kinds, gamma, beta = (given(x, index) for index in range(7))
    mask, places = given(x, 7), given(x, 8)
    where = torch.arange(ids.shape[1])[None] if places is None else places.long()
    total = words[ids.long()] + positions[where]
    total = total if kinds is None else total + kinds[segments.long()]
    result = normalized(total, [-1], node.number("epsilon", _EPSILON)) * gamma + beta
    counts = torch.zeros(len(ids), dtype=torch.int32) if mask is None else mask.sum(1).to(torch.int32)
    return (result, counts, total)[: node.outputs]


def _simplified(x: Inputs, node: Node) -> Tensor:
    return rms_normalization(x, node)


def _rotary(x: Inputs, node: Node) -> Tensor:
    """Turn pairs of numbers of each head by the angles of their positions."""
    if node.integer("interleaved", 0) or node.integer("rotary_embedding_dim", 0) or node.number("scale", 1.0) != 1:
        raise NotThisOperatorError
    value, positions, cos, sin = x[:4]
    half = cos.shape[-1]
    apart = value.ndim == 4
    heads = value if apart else value.reshape(*value.shape[:2], -1, 2 * half).transpose(1, 2)
    length = heads.shape[2]
    where = positions.long()
    where = torch.arange(length)[None] + where if where.numel() == 1 else where
    c, s = cos[where][:, None], sin[where][:, None]
    first, second = heads[..., :half], heads[..., half:]
    turned = torch.cat([first * c - second * s, second * c + first * s], -1)
    return turned if apart else turned.transpose(1, 2).reshape(value.shape)


_PLAIN: dict[str, Operator] = {
    "Gelu": lambda x, _: gelu(x[0]),
    "BiasGelu": _bias_gelu,
    "FastGelu": _fast_gelu,
    "QuickGelu": _quick_gelu,
    "FusedMatMul": _fused_matmul,
    "TransposeMatMul": _fused_matmul,
    "FusedConv": _fused_conv,
    "SkipLayerNormalization": _skip_normalization,
    "SkipSimplifiedLayerNormalization": _skip_simplified,
    "EmbedLayerNormalization": _embedding,
    "RotaryEmbedding": _rotary,
    "Inverse": lambda x, _: torch.linalg.inv(x[0]),
    "Attention": attention,
    "MultiHeadAttention": multi_head_attention,
}

OPERATORS: dict[str, Operator] = {
    # onnxruntime has this one among ONNX's own, which have it not
    "SimplifiedLayerNormalization": _simplified,
    **{f"com.microsoft::{name}": operator for name, operator in _PLAIN.items()},
}
