"""Attention as onnxruntime's own operators have it."""

import math
from typing import Any

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, given

_FILTER = -10000.0
"""What is added to the scores of what is masked, by default."""


def attention(x: Inputs, node: Node) -> Any:
    """Return com.microsoft's Attention: queries, keys and values are one product of the input."""
    if node.integer("do_rotary", 0) or given(x, 1) is None:
        raise NotThisOperatorError
    projected = x[0] @ x[1] if given(x, 2) is None else x[0] @ x[1] + x[2]
    if given(x, 6) is not None:
        raise NotThisOperatorError
    return attended(projected, (given(x, 3), given(x, 4), given(x, 5)), node)


def attended(projected: Tensor, others: tuple[Any, Any, Any], node: Node) -> Any:
    """Return what follows the product that gives queries, keys and values, ``[batch, length, 3 * width]``.

    Args:
        projected: the product.
        others: the mask, what is kept of earlier steps, and what is added to scores; None where it is left out.
        node: its attributes.
    """
    mask, past, bias = others
    width = projected.shape[-1] // 3
    widths = node.integers("qkv_hidden_sizes", []) or [width] * 3
    heads = node.integer("num_heads", 1)
    query, key, value = (_heads(part, heads) for part in torch.split(projected, widths, -1))
    if past is not None:
        key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
    result = _attend(query, key, value, _mask(mask, query, key, past, node), bias, node)
    return result if node.outputs == 1 else (result, torch.stack([key, value]))


def multi_head_attention(x: Inputs, node: Node) -> Any:
    """Return com.microsoft's MultiHeadAttention, of queries, keys and values ``[batch, length, width]``."""
    query, key, value, bias, mask, scores, past_key, past_value = (given(x, index) for index in range(8))
    if any(one is None or one.ndim != 3 for one in (query, key, value)) or len(x) > 8:
        raise NotThisOperatorError
    if bias is not None:
        parts = bias.tensor_split([query.shape[-1], query.shape[-1] + key.shape[-1]])
        query, key, value = (one + part for one, part in zip((query, key, value), parts, strict=True))
    heads = node.integer("num_heads", 1)
    query, key, value = (_heads(one, heads) for one in (query, key, value))
    if past_key is not None:
        key, value = torch.cat([past_key, key], 2), torch.cat([past_value, value], 2)
    result = _attend(query, key, value, _mask(mask, query, key, past_key, node), scores, node)
    return (result, key, value)[: node.outputs] if node.outputs > 1 else result


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)  # [batch, heads, length, size]


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, bias: Tensor | None, node: Node) -> Tensor:
    scale = node.number("scale", 0.0) or 1 / math.sqrt(query.shape[-1])
    scores = scale * (query @ key.mT) + mask
    weights = torch.softmax(scores if bias is None else scores + bias, -1)
    return (weights @ value).transpose(1, 2).flatten(2)


def _mask(mask: Tensor | None, query: Tensor, key: Tensor, past: Tensor | None, node: Node) -> Tensor:
    """Return what is added to scores ``[batch, heads, length, keys]``; a query's place counts from what is past."""
    batch, length, keys, earlier = len(query), query.shape[2], key.shape[2], 0 if past is None else past.shape[-2]
    filtered = node.number("mask_filter_value", _FILTER)
    kept = torch.ones(batch, 1, length, keys, dtype=torch.bool)
    if mask is not None:
        kept = kept & _kept(mask, batch, keys)
    added = torch.where(kept, 0.0, filtered)
    if node.integer("unidirectional", 0):
        later = torch.ones(length, keys, dtype=torch.bool).triu(earlier + 1)
        added = torch.where(later, torch.full_like(added, torch.finfo(torch.float32).min), added)
    return added.to(query.dtype)


def _kept(mask: Tensor, batch: int, keys: int) -> Tensor:
    """Return which keys are looked at: told by lengths, by ends and beginnings, or one by one."""
    places = torch.arange(keys)[None]
    if mask.ndim == 1 and len(mask) == batch:
        return (places < mask[:, None])[:, None, None]
    if mask.ndim == 1 and len(mask) == 2 * batch:
        ends, starts = mask[:batch, None], mask[batch:, None]
        return ((places < ends) & (places >= starts))[:, None, None]
    if mask.ndim == 2 and mask.shape[1] == keys:
        return (mask > 0)[:, None, None]
    if mask.ndim == 3 and mask.shape[2] == keys:
        return (mask > 0)[:, None]
    raise NotThisOperatorError
