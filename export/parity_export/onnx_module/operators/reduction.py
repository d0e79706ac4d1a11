"""Sums, means and extremes over axes, and softmax."""

from collections.abc import Callable

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import (
    Inputs,
    Node,
    NotThisOperatorError,
    Operator,
    given,
    whole,
    wide_half,
)

_COERCED_BEFORE = 13
"""Before that opset a softmax took its input for a matrix."""

_Reduce = Callable[[Tensor, list[int], bool], Tensor]


def _reduction(compute: _Reduce, *, integers: bool = True) -> Operator:
    def operator(x: Inputs, node: Node) -> Tensor:
        axes = node.integers("axes", []) if given(x, 1) is None else whole(x[1])
        if not axes:
            if node.integer("noop_with_empty_axes", 0):
                raise NotThisOperatorError
            axes = list(range(x[0].ndim))
        if not (integers or x[0].is_floating_point()):
            raise NotThisOperatorError
        if not axes:
            raise NotThisOperatorError  # of a single number
        return compute(x[0], axes, bool(node.integer("keepdims", 1))).to(x[0].dtype)

    return operator


def _squares(x: Tensor) -> Tensor:
    wide = wide_half(x)
    return wide * wide


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted({axis % x.ndim for axis in axes}, reverse=True):
        x = x.prod(dim=axis, keepdim=keep)
    return x


def _arg(compute: Callable[..., Tensor]) -> Operator:
    def operator(x: Inputs, node: Node) -> Tensor:
        axis, keep = node.integer("axis", 0), bool(node.integer("keepdims", 1))
        if not node.integer("select_last_index", 0):
            return compute(x[0], dim=axis, keepdim=keep)
        return x[0].shape[axis] - 1 - compute(x[0].flip(axis), dim=axis, keepdim=keep)

    return operator


def _softmax(compute: Callable[..., Tensor]) -> Operator:
    def operator(x: Inputs, node: Node) -> Tensor:
        if node.version >= _COERCED_BEFORE:
            return compute(x[0], dim=node.integer("axis", -1))
        axis = node.integer("axis", 1) % max(1, x[0].ndim)
        matrix = x[0].reshape(*x[0].shape[:axis], -1)
        return compute(matrix, dim=-1).reshape(x[0].shape)

    return operator


def _cumulative_sum(x: Inputs, node: Node) -> Tensor:
    axis = int(x[1])
    values = x[0].flip(axis) if node.integer("reverse", 0) else x[0]
    sums = torch.cumsum(values, axis).to(values.dtype)
    if node.integer("exclusive", 0):
        zeros = torch.zeros_like(sums.narrow(axis, 0, 1))
        sums = torch.cat([zeros, sums.narrow(axis, 0, sums.shape[axis] - 1)], axis)
    return sums.flip(axis) if node.integer("reverse", 0) else sums


def _hardmax(x: Tensor, dim: int) -> Tensor:
    return torch.zeros_like(x).scatter(dim, x.argmax(dim, keepdim=True), 1)


OPERATORS: dict[str, Operator] = {
    "ReduceSum": _reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "ReduceMean": _reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep), integers=False),
    "ReduceMax": _reduction(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMin": _reduction(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "ReduceProd": _reduction(_product),
    "ReduceL1": _reduction(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep)),
    "ReduceL2": _reduction(lambda x, axes, keep: _squares(x).sum(axes, keepdim=keep).sqrt(), integers=False),
    "ReduceSumSquare": _reduction(lambda x, axes, keep: _squares(x).sum(axes, keepdim=keep)),
    "ReduceLogSum": _reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep).log(), integers=False),
    "ReduceLogSumExp": _reduction(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep), integers=False),
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax),
    "Hardmax": _softmax(_hardmax),
    "CumSum": _cumulative_sum,
}
