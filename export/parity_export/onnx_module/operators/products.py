"""Matrix products and convolutions."""

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import (
    Inputs,
    Node,
    NotThisOperatorError,
    Operator,
    given,
    per_channel,
)
from parity_export.onnx_module.operators.windows import Windows, check_fits, padded, windows


def _matmul(x: Inputs, node: Node) -> Tensor:
    if not x[0].is_floating_point():
        raise NotThisOperatorError
    return torch.matmul(x[0], x[1])


def _gemm(x: Inputs, node: Node) -> Tensor:
    if not x[0].is_floating_point():
        raise NotThisOperatorError
    first = x[0].T if node.integer("transA", 0) else x[0]
    second = x[1].T if node.integer("transB", 0) else x[1]
    product = scaled(first @ second, node.number("alpha", 1.0))
    return product if given(x, 2) is None else product + scaled(x[2], node.number("beta", 1.0))


def scaled(x: Tensor, factor: float) -> Tensor:
    """Return a multiple of a tensor."""
    return x if factor == 1 else factor * x


def convolution(x: Inputs, node: Node) -> Tensor:
    """Return Conv of floats."""
    weight, rank = x[1], x[1].ndim - 2
    window = windows(x[0], list(weight.shape[2:]), node)
    arguments = (window.strides, [0] * rank, window.dilations, False, [0] * rank, node.integer("group", 1))
    planes = padded(x[0], window.before, window.behind)
    check_fits(planes, list(weight.shape[2:]), window)
    return torch.convolution(planes, weight, given(x, 2), *arguments)


def _conv(x: Inputs, node: Node) -> Tensor:
    if not x[0].is_floating_point():
        raise NotThisOperatorError
    return convolution(x, node)


def _conv_transpose(x: Inputs, node: Node) -> Tensor:
    weight, rank = x[1], x[1].ndim - 2
    kernel, more = list(weight.shape[2:]), node.integers("output_padding", [0] * rank)
    window = _placed(x[0], kernel, more, node)
    arguments = (window.strides, [0] * rank, window.dilations, True, [0] * rank, node.integer("group", 1))
    whole = torch.convolution(x[0], weight, None, *arguments)
    behind = [extra - size for extra, size in zip(more, window.behind, strict=True)]
    cut = padded(whole, [-size for size in window.before], behind)
    return cut if given(x, 2) is None else cut + per_channel(x[2], cut.ndim)


def _placed(x: Tensor, kernel: list[int], more: list[int], node: Node) -> Windows:
    """Return the windows of a ConvTranspose; where its result's size is given, they are padded to fit."""
    window, auto = windows(x, kernel, node), node.text("auto_pad", "NOTSET")
    sizes = node.integers("output_shape", [])
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        sizes = sizes or [size * stride for size, stride in zip(x.shape[2:], window.strides, strict=True)]
    if not sizes:
        return window
    totals = [
        (size - 1) * window.strides[axis] + more[axis] + (kernel[axis] - 1) * window.dilations[axis] + 1 - sizes[axis]
        for axis, size in enumerate(x.shape[2:])
    ]
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    before, behind = (small, large) if auto == "SAME_UPPER" else (large, small)
    return Windows(window.strides, window.dilations, before, behind)


def _einsum(x: Inputs, node: Node) -> Tensor:
    if not x[0].is_floating_point():
        raise NotThisOperatorError
    return torch.einsum(node.text("equation", ""), *x)


def _det(x: Inputs, node: Node) -> Tensor:
    determinant: Tensor = torch.linalg.det(x[0])
    return determinant


OPERATORS: dict[str, Operator] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "Det": _det,
}
