"""Operators of quantized integers that onnxruntime adds to ONNX's."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from parity_export.onnx_module.operators.activations import sigmoid
from parity_export.onnx_module.operators.attention import attended
from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given
from parity_export.onnx_module.operators.pooling import average_pool
from parity_export.onnx_module.operators.quantized import column, dequantized, dynamic, product, quantized


def _matmul_to_float(x: Inputs, node: Node) -> Tensor:
    """Multiply integers, and scale the sums."""
    a, b, a_scale, b_scale = x[:4]
    return _scaled_product((a, a_scale, given(x, 4)), (b, b_scale, given(x, 5)), given(x, 6))


def _dynamic_matmul(x: Inputs, node: Node) -> Tensor:
    """Quantize the first matrix by what it holds, and multiply integers."""
    return _scaled_product(dynamic(x[0]), (x[1], x[2], given(x, 3)), given(x, 4))


_Quantized = tuple[Any, Tensor, Any]
"""Integers, their scale and their zero point."""


def _scaled_product(a: _Quantized, b: _Quantized, bias: Tensor | None) -> Tensor:
    sums = product(a[0], b[0], a[2], b[2]).to(a[1].dtype)
    result = sums * (column(a[1], -1) * column(b[1], -2))
    return result if bias is None else result + bias


def _attention(x: Inputs, node: Node) -> Any:
    """Multiply integers for queries, keys and values, and attend in floats."""
    projected = _scaled_product((x[0], x[3], given(x, 6)), (x[1], x[4], given(x, 7)), x[2])
    return attended(projected, (given(x, 5), given(x, 8), None), node)


def _two(compute: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    def operator(x: Inputs, node: Node) -> Any:
        a, b = dequantized(x[0], x[1], x[2]), dequantized(x[3], x[4], x[5])
        return quantized(compute(a, b), x[6], _zero(x, 7, x[0]))

    return operator


def _one(compute: Callable[[Tensor, Node], Tensor]) -> Operator:
    return lambda x, node: quantized(compute(dequantized(x[0], x[1], x[2]), node), x[3], _zero(x, 4, x[0]))


def _zero(x: Inputs, index: int, like: Tensor) -> Tensor:
    zero = given(x, index)
    return torch.zeros((), dtype=like.dtype) if zero is None else zero


def _leaky(x: Tensor, node: Node) -> Tensor:
    return torch.where(x >= 0, x, node.number("alpha", 0.009999999776482582) * x)


def _pooled(x: Tensor, node: Node) -> Tensor:
    if node.integer("channels_last", 0):
        raise NotThisOperatorError
    return average_pool([x], node)


def _global_pooled(x: Tensor, node: Node) -> Tensor:
    axes = list(range(1, x.ndim - 1)) if node.integer("channels_last", 0) else list(range(2, x.ndim))
    return x.mean(axes, keepdim=True)


def _concat(x: Inputs, node: Node) -> Any:
    parts = [dequantized(x[index], x[index + 1], x[index + 2]) for index in range(2, len(x), 3)]
    return quantized(torch.cat(parts, node.integer("axis", 0)), x[0], x[1])


def _gemm(x: Inputs, node: Node) -> Any:
    """Multiply integers, add the bias, and quantize again where a scale is given."""
    a, a_scale, a_zero, b, b_scale, b_zero = x[:6]
    a = a.T if node.integer("transA", 0) else a
    b = b.T if node.integer("transB", 0) else b
    sums = product(a, b, a_zero, b_zero)
    alpha = node.number("alpha", 1.0)
    if given(x, 6) is not None:
        sums = sums + x[6].double()
    result = sums.to(a_scale.dtype) * (alpha * a_scale * column(b_scale, -2))
    return result if given(x, 7) is None else quantized(result, x[7], x[8])


def _matmul_few_bits(x: Inputs, node: Node) -> Tensor:
    """Multiply by a matrix of a few bits a number, in blocks with a scale each."""
    bits, size, block = node.integer("bits", 4), node.integer("K", 0), node.integer("block_size", 32)
    wide = node.integer("accuracy_level", 0) == 4  # the kernel may round the other matrix to integers
    if bits not in (4, 8) or given(x, 4) is not None or wide:
        raise NotThisOperatorError
    rows, scales = node.integer("N", 0), x[2].reshape(node.integer("N", 0), -1)
    values = _unpacked(x[1], bits).reshape(rows, -1)[:, :size]
    zeros = _zeros(given(x, 3), bits, scales)
    steps = [part.repeat_interleave(block, 1)[:, :size] for part in (zeros, scales)]
    weight = (values.to(scales.dtype) - steps[0]) * steps[1]
    result = x[0] @ weight.T
    return result if given(x, 5) is None else result + x[5]


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    if bits == 8:
        return packed
    return torch.stack([packed & 15, packed >> 4], -1).flatten(-2)


def _zeros(zeros: Tensor | None, bits: int, scales: Tensor) -> Tensor:
    if zeros is None:
        return torch.full_like(scales, 2 ** (bits - 1))
    if zeros.is_floating_point():
        return zeros.reshape(scales.shape)
    return _unpacked(zeros.reshape(len(scales), -1), bits)[:, : scales.shape[1]].to(scales.dtype)


_PLAIN: dict[str, Operator] = {
    "MatMulIntegerToFloat": _matmul_to_float,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "QAttention": _attention,
    "QLinearAdd": _two(torch.add),
    "QLinearMul": _two(torch.mul),
    "QLinearSigmoid": _one(lambda x, _: sigmoid(x)),
    "QLinearLeakyRelu": _one(_leaky),
    "QLinearAveragePool": _one(_pooled),
    "QLinearGlobalAveragePool": _one(_global_pooled),
    "QLinearConcat": _concat,
    "QGemm": _gemm,
    "MatMulNBits": _matmul_few_bits,
}

OPERATORS: dict[str, Operator] = {f"com.microsoft::{name}": operator for name, operator in _PLAIN.items()}
