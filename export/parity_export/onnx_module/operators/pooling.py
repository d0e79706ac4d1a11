"""Poolings: a number for each window, or for each channel."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator
from parity_export.onnx_module.operators.windows import Windows, beyond, check_fits, padded, windows

_MAX_POOLS: list[Callable[..., Any]] = [functional.max_pool1d, functional.max_pool2d, functional.max_pool3d]


def average_pool(x: Inputs, node: Node) -> Tensor:
    """Sum each window, count its elements, and divide: what padding counts for is what the attributes say."""
    kernel = node.integers("kernel_shape", [])
    window, none = windows(x[0], kernel, node), [0] * len(kernel)
    planes = x[0].reshape(-1, 1, *x[0].shape[2:])
    counted = padded(torch.ones_like(planes[:1]), window.before, window.behind, node.number("count_include_pad", 0))
    planes = padded(planes, window.before, window.behind)
    missing = _missing(planes, kernel, window, node)
    planes, counted = padded(planes, none, missing), padded(counted, none, missing)
    ones = torch.ones(1, 1, *kernel, dtype=x[0].dtype)
    sums, counts = (torch.convolution(planes_or_counts, ones, None, window.strides, none, window.dilations, False,
                                      none, 1)
                    for planes_or_counts in (planes, counted))  # fmt: skip
    mean = sums / counts
    return mean.reshape(*x[0].shape[:2], *mean.shape[2:])


def _lp_pool(x: Inputs, node: Node) -> Tensor:
    """Sum powers over each window; what is padded adds nothing."""
    kernel, power = node.integers("kernel_shape", []), node.number("p", 2)
    window, none = windows(x[0], kernel, node), [0] * len(kernel)
    planes = padded(x[0].reshape(-1, 1, *x[0].shape[2:]), window.before, window.behind)
    planes = padded(planes, none, _missing(planes, kernel, window, node)).abs() ** power
    ones = torch.ones(1, 1, *kernel, dtype=x[0].dtype)
    sums = torch.convolution(planes, ones, None, window.strides, none, window.dilations, False, none, 1)
    result: Tensor = sums.clamp(min=0) ** (1 / power)
    return result.reshape(*x[0].shape[:2], *result.shape[2:])


def _global_lp_pool(x: Inputs, node: Node) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x[0], node.number("p", 2), dim=list(range(2, x[0].ndim)), keepdim=True)
    return norm


def _max_pool(x: Inputs, node: Node) -> Tensor:
    node.one_result()
    kernel = node.integers("kernel_shape", [])
    if not x[0].is_floating_point() or not 1 <= len(kernel) <= len(_MAX_POOLS):
        raise NotThisOperatorError
    window = windows(x[0], kernel, node)
    planes = padded(x[0], window.before, window.behind, -torch.inf)
    planes = padded(planes, [0] * len(kernel), _missing(planes, kernel, window, node), -torch.inf)
    pooled: Tensor = _MAX_POOLS[len(kernel) - 1](planes, kernel, window.strides, dilation=window.dilations)
    return pooled


def _missing(planes: Tensor, kernel: list[int], window: Windows, node: Node) -> list[int]:
    """Return how far the last window reaches beyond each padded axis, where such a one counts."""
    if not node.integer("ceil_mode", 0):
        check_fits(planes, kernel, window)
        return [0] * len(kernel)
    reaches = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, window.dilations, strict=True)]
    return [
        beyond(size, reach, stride, size - end)
        for size, reach, stride, end in zip(planes.shape[2:], reaches, window.strides, window.behind, strict=True)
    ]


def _spatial(reduce: Callable[..., Tensor]) -> Operator:
    return lambda x, _: reduce(x[0], dim=list(range(2, x[0].ndim)), keepdim=True)


OPERATORS: dict[str, Operator] = {
    "AveragePool": average_pool,
    "MaxPool": _max_pool,
    "LpPool": _lp_pool,
    "GlobalLpPool": _global_lp_pool,
    "GlobalAveragePool": _spatial(torch.mean),
    "GlobalMaxPool": _spatial(torch.amax),
}
