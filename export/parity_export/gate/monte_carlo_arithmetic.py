"""Torch, rounding otherwise: every operand of an operator that rounds is moved by a unit in the last place.

An operator that is given operands moved at random answers as some honest backend might that computed them in another
order (Monte Carlo arithmetic: D. S. Parker, Monte Carlo Arithmetic, UCLA CSD-970002, 1997).
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

ULP = 2.0**-23
"""The largest relative distance of neighbouring float32 numbers."""

KERNEL_ERROR = 3e-7
"""|torch.tanh - onnxruntime's Tanh| over all float32 is at most 2.99e-7, of Sigmoid 1.79e-7 (proof.md): such a
kernel is exact to an absolute error, whatever it is multiplied by afterwards."""

_ROUNDING = frozenset({
    *("add", "sub", "rsub", "mul", "div", "floor_divide", "remainder", "fmod", "pow", "sqrt", "rsqrt", "reciprocal"),
    *("addcmul", "addcdiv", "lerp", "hypot", "atan2", "square"),
    *("addmm", "mm", "bmm", "baddbmm", "addbmm", "addmv", "mv", "dot", "linear", "matmul", "_addmm_activation"),
    *("convolution", "_convolution", "mkldnn_convolution", "_slow_conv2d_forward", "thnn_conv2d", "conv_transpose2d"),
    *("native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit_no_training"),
    *("_native_batch_norm_legit", "_fused_rms_norm", "mean", "sum", "prod", "cumsum", "cumprod", "logsumexp"),
    *("var", "std", "var_mean", "std_mean", "norm", "linalg_vector_norm", "_cdist_forward", "_euclidean_dist"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "asinh", "acosh", "atanh", "sigmoid", "tanh", "erf", "erfc", "gelu", "silu", "softplus"),
    *("elu", "celu", "mish", "hardswish", "hardsigmoid", "log_sigmoid_forward", "_softmax", "_log_softmax"),
    *("avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "grid_sampler_2d"),
    *("upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "_upsample_bilinear2d_aa", "mkldnn_rnn_layer"),
    "onnx_node",  # a node of a graph that is judged, by onnxruntime's kernel
    *("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math", "upsample_trilinear3d"),
})  # fmt: skip
"""Names of ATen operators whose results are rounded. A comparison, a maximum or a rounding to integers is exact: given
the same operands every backend decides alike, so that theirs are not moved."""

_COUNTING = frozenset({"add", "sub", "rsub", "mul", "sum", "cumsum", "prod"})
_WHOLE = 2048.0
"""Whole numbers up to that are counts, masks and constants, exact however they were computed, and so is what is counted
of them: 1 - mask is 0, and -1e9 times what an ulp would leave there hides all that an attention looks at. Of other
float32 numbers between 1024 and 2048 one in 8192 is whole by chance, and fewer of smaller ones."""

_BOUNDED = {"sigmoid", "tanh", "erf", "hardsigmoid"}
_SCALED = {"gelu", "silu", "mish", "hardswish"}


class MonteCarloArithmetic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs a module with moved operands.

    Args:
        seed: of the moves.
        ulps: how far an operand is moved at most, in units in the last place.
        kernels: move the results of activations by `KERNEL_ERROR` as well.
    """

    supports_higher_order_operators = True

    def __init__(self, seed: int, ulps: float = 1.0, *, kernels: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._random = torch.Generator().manual_seed(seed)
        self._reach = ulps * ULP
        self._kernels = kernels

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not isinstance(func, torch._ops.OpOverload):  # torch.cond and its kin
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        written = 1 if func._schema.is_mutable else 0  # what is written in place must stay the caller's tensor
        name = name.removesuffix("_") if written else name
        if name in _ROUNDING:
            move = self._moved_but_for_whole if name in _COUNTING else self._moved
            args = (*args[:written], *tree_map(move, tuple(args[written:])))
        result = func(*args, **kwargs)
        if self._kernels and name in _BOUNDED | _SCALED:
            size = 1.0 if name in _BOUNDED else args[0].abs()
            result.add_(KERNEL_ERROR * size * self._signs(result))
        return result

    def _moved(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dtype != torch.float32:
            return value
        return value * self._signs(value).mul_(self._reach).add_(1)  # in place: it may be a layer's weights

    def _moved_but_for_whole(self, value: Any) -> Any:
        """Move all but whole numbers."""
        moved = self._moved(value)
        if moved is value:
            return value
        return torch.where((value == value.trunc()) & (value.abs() <= _WHOLE), value, moved)

    def _signs(self, tensor: Tensor) -> Tensor:
        """Return -1, 0 or 1 for each element."""
        return torch.rand(tensor.shape, generator=self._random).mul_(3).floor_().sub_(1)
