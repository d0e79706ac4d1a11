"""What flows through a graph: torch's tensors, and what torch has no tensor for."""

import warnings
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

Value = Any
"""A tensor; None where an input is left out; a list, a sequence; a numpy array, of texts or of a format of few bits."""

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
"""What is float64 in a graph in float64."""

_HAS_NO_TENSOR = "OSU"  # numpy's kinds of texts


def tensor_of(array: NDArray[Any]) -> Value:
    """Return a tensor over an array's memory; the array itself where torch has no such dtype.

    Nobody writes into what flows through a graph, so that memory which nobody may write to is shared as well.
    """
    array = np.asarray(array)
    if array.dtype.kind in _HAS_NO_TENSOR:
        return array
    if array.dtype.name == "bfloat16":
        shared: Tensor = tensor_of(array.view(np.int16)).view(torch.bfloat16)
        return shared
    if not (array.dtype.isbuiltin or array.dtype.kind in "biuf"):  # a format of few bits
        return array
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable")
        return torch.from_numpy(array if all(stride >= 0 for stride in array.strides) else array.copy())


def array_of(value: Value) -> NDArray[Any]:
    """Return a value as numpy's, over the same memory where torch's dtype is one of numpy's."""
    if not isinstance(value, Tensor):
        return np.asarray(value)
    value = value.detach()
    if value.dtype == torch.bfloat16:
        array: NDArray[Any] = (
            value.view(torch.int16).numpy().view(helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16))
        )
        return array
    return np.asarray(value.numpy())


def constant(tensor: onnx.TensorProto) -> Value:
    """Return the value of a constant."""
    return tensor_of(numpy_helper.to_array(tensor))


def widened(value: Value) -> Value:
    """Return a value with float64 in the place of every smaller float."""
    if isinstance(value, Tensor):
        return value.double() if value.dtype in FLOATS else value
    if isinstance(value, list):
        return [widened(one) for one in value]
    return value


def narrowed(value: Value) -> Value:
    """Return a value with float32 in the place of float64.

    It goes through numpy: under `TorchReference` in float64 torch makes no float32.
    """
    if isinstance(value, Tensor) and value.dtype == torch.float64:
        with np.errstate(over="ignore"):
            return tensor_of(value.numpy().astype(np.float32))
    return [narrowed(one) for one in value] if isinstance(value, list) else value


def is_text(value: Value) -> bool:
    """Whether a value is an array of texts, which numpy would index by torch's rules, but for one number."""
    return isinstance(value, np.ndarray) and value.dtype.kind in _HAS_NO_TENSOR


def kind_of(value: Value) -> str:
    """Return what decides how a node is computed: of a tensor its dtype and rank."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{value.dtype} {value.ndim}"
    return type(value).__name__
