"""Operators of quantized integers: what the integers stand for is computed, and rounded to integers again."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor

from parity_export.onnx_module.operators.casting import DTYPES
from parity_export.onnx_module.operators.operator import (
    Inputs,
    Node,
    NotThisOperatorError,
    Operator,
    UndefinedError,
    given,
)
from parity_export.onnx_module.operators.products import convolution
from parity_export.onnx_module.values import array_of, tensor_of

_LIMITS = {
    "uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767),
    "uint4": (0, 15), "int4": (-8, 7), "uint2": (0, 3), "int2": (-2, 1), "int32": (-(2**31), 2**31 - 1),
}  # fmt: skip


def integers(x: Any) -> Tensor:
    """Return integers of any size as int32, which torch computes with.

    Raises:
        NotThisOperatorError: they are floats of few bits.
    """
    if isinstance(x, Tensor) and x.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
        return x.int()
    array = array_of(x)
    if _dtype_name(x) not in _LIMITS:
        raise NotThisOperatorError
    found: Tensor = tensor_of(array.astype(np.int32))
    return found


def _dtype_name(x: Any) -> str:
    return str(x.dtype).removeprefix("torch.")


def spread(part: Tensor, shape: Sequence[int], axis: int, block: int = 0) -> Tensor:
    """Return scales or zero points in a shape that meets the values: one, one for each place of an axis, or a block."""
    if part.numel() == 1 and not block:
        return part.reshape(())
    axis %= len(shape)
    if block:
        return part.repeat_interleave(block, axis).narrow(axis, 0, shape[axis])
    return part.reshape([-1 if index == axis else 1 for index in range(len(shape))])


def dequantized(x: Any, scale: Tensor, zero: Any, axis: int = 1, block: int = 0) -> Tensor:
    """Return what quantized integers stand for, in the scale's dtype."""
    values = integers(x)
    if zero is not None:
        values = values - spread(integers(zero), values.shape, axis, block)
    return values.to(scale.dtype) * spread(scale, values.shape, axis, block)


def quantized(x: Tensor, scale: Tensor, zero: Any, axis: int = 1, block: int = 0) -> Any:
    """Return the nearest integers, of the zero point's dtype."""
    steps = torch.round(x / spread(scale, x.shape, axis, block))
    middle = integers(zero)
    return limited(steps + (middle if middle.ndim == 0 else spread(middle, x.shape, axis, block)), _dtype_name(zero))


def limited(steps: Tensor, dtype: str) -> Any:
    """Return whole numbers as integers of a dtype, those beyond its ends at them."""
    low, high = _LIMITS[dtype]
    if bool(steps.isnan().any()):
        raise UndefinedError("NaN has no quantized integer: ONNX leaves open which one stands for it")
    whole = steps.clamp(low, high)
    if dtype in ("uint8", "int8", "int16", "int32"):
        return whole.to(getattr(torch, dtype))
    if dtype == "uint16":
        return tensor_of(array_of(whole).astype(np.uint16))
    raise NotThisOperatorError


def _dequantize(x: Inputs, node: Node) -> Tensor:
    if "output_dtype" in node.attributes:
        raise NotThisOperatorError
    return dequantized(x[0], x[1], given(x, 2), node.integer("axis", 1), node.integer("block_size", 0))


def _quantize(x: Inputs, node: Node) -> Any:
    if node.integer("precision", 0) or not x[0].is_floating_point():
        raise NotThisOperatorError
    zero = given(x, 2)
    if zero is None:
        dtype = DTYPES.get(node.integer("output_dtype", 0) or int(TensorProto.UINT8))
        if dtype is None or dtype.is_floating_point:
            raise NotThisOperatorError
        zero = torch.zeros((), dtype=dtype)
    return quantized(x[0], x[1], zero, node.integer("axis", 1), node.integer("block_size", 0))


def dynamic(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return DynamicQuantizeLinear: the integers, their scale and their zero point."""
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.round((0 - low / scale).clamp(0, 255)).to(torch.uint8)
    return quantized(x, scale, zero), scale, zero


def _meeting(zero: Any, axis: int) -> Tensor:
    """Return zero points of a matrix' rows (-2) or columns (-1)."""
    if zero is None:
        return torch.zeros((), dtype=torch.int32)
    values = integers(zero)
    return values.reshape(()) if values.numel() == 1 else values.unsqueeze(axis) if values.ndim == 1 else values


def product(a: Any, b: Any, a_zero: Any, b_zero: Any) -> Tensor:
    """Return the matrix product of integers less their zero points, exactly, in float64."""
    first, second = integers(a) - _meeting(a_zero, -1), integers(b) - _meeting(b_zero, -2)
    return torch.matmul(first.double(), second.double())


def convolved(x: Inputs, weight: Any, zeros: tuple[Any, Any], node: Node) -> Tensor:
    """Return a convolution of integers less their zero points, exactly, in float64."""
    first = integers(x[0]) - _meeting(zeros[0], -1)
    second = integers(weight)
    second = second - spread(_meeting(zeros[1], 0).reshape(-1), second.shape, 0)
    return convolution([first.double(), second.double()], node)


def _matmul_integer(x: Inputs, node: Node) -> Tensor:
    return product(x[0], x[1], given(x, 2), given(x, 3)).to(torch.int32)


def _conv_integer(x: Inputs, node: Node) -> Tensor:
    return convolved(x, x[1], (given(x, 2), given(x, 3)), node).to(torch.int32)


def column(scale: Tensor, axis: int) -> Tensor:
    """Return the scales of a matrix' rows (-1) or columns (-2)."""
    return scale.reshape(()) if scale.numel() == 1 else scale.unsqueeze(axis) if scale.ndim == 1 else scale


def _qlinear_matmul(x: Inputs, node: Node) -> Any:
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = x
    sums = product(a, b, a_zero, b_zero).to(a_scale.dtype)
    return quantized(sums * (column(a_scale, -1) * column(b_scale, -2)), y_scale, y_zero, -2)


def _qlinear_conv(x: Inputs, node: Node) -> Any:
    x_scale, w_scale, y_scale, y_zero = x[1], x[4], x[6], x[7]
    sums = convolved(x, x[3], (x[2], x[5]), node)
    if given(x, 8) is not None:
        sums = sums + spread(x[8].double(), sums.shape, 1)
    return quantized(sums.to(x_scale.dtype) * spread(x_scale * w_scale, sums.shape, 1), y_scale, y_zero)


OPERATORS: dict[str, Operator] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": lambda x, _: dynamic(x[0]),
    "MatMulInteger": _matmul_integer,
    "ConvInteger": _conv_integer,
    "QLinearMatMul": _qlinear_matmul,
    "QLinearConv": _qlinear_conv,
    "com.microsoft::QuantizeLinear": _quantize,
    "com.microsoft::DequantizeLinear": _dequantize,
}
