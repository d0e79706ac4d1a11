"""Operators of torch that torch.onnx (2.13) has no ONNX form of, or a wrong one."""

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops.core import aten_scatter_reduce

op: Any = opset18  # traced: what the functions take and give is no tensor yet


def _scatter_reduce(self: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool = True) -> Any:
    """Write a mean as a sum over a count: torch.onnx writes the last of the values instead."""
    if reduce != "mean":
        return aten_scatter_reduce(self, dim, index, src, reduce, include_self)
    zeros, ones = (op.Expand(op.CastLike(op.Constant(value_float=value), src), op.Shape(src)) for value in (0.0, 1.0))
    count = op.Expand(op.CastLike(op.Constant(value_float=1.0), self), op.Shape(self))
    if not include_self:
        self, count = (op.ScatterElements(before, index, zeros, axis=dim) for before in (self, count))
    total, count = (
        op.ScatterElements(before, index, added, axis=dim, reduction="add")
        for before, added in ((self, src), (count, ones))
    )
    return op.Div(total, count)


def _cdist(x1: Any, x2: Any, p: float, compute_mode: int | None = None) -> Any:  # noqa: ARG001 -- torch's choice of an algorithm
    """Write the distances between the rows of two matrices, by the Euclidean norm or by that of absolute values."""
    difference = op.Sub(op.Unsqueeze(x1, op.Constant(value_ints=[-2])), op.Unsqueeze(x2, op.Constant(value_ints=[-3])))
    last = op.Constant(value_ints=[-1])
    if p == 2:
        return op.Sqrt(op.ReduceSum(op.Mul(difference, difference), last, keepdims=0))
    if p == 1:
        return op.ReduceSum(op.Abs(difference), last, keepdims=0)
    raise NotImplementedError(f"torch.cdist with p = {p:g} has no ONNX form; 1 and 2 have one")


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.scatter_reduce.two: _scatter_reduce,
    torch.ops.aten._cdist_forward.default: _cdist,
}
"""What is written for an operator, for torch.onnx.export."""
