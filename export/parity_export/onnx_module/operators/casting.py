"""Casts from one dtype to another."""

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator
from parity_export.onnx_module.values import FLOATS, array_of, tensor_of

DTYPES: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.BOOL: torch.bool,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
}
"""ONNX's numbers of the dtypes that torch computes with."""


def _cast(x: Inputs, node: Node) -> Tensor:
    return _to(x[0], DTYPES.get(node.integer("to", 0)), node)


def _cast_like(x: Inputs, node: Node) -> Tensor:
    return _to(x[0], x[1].dtype, node)


def _to(tensor: Tensor, dtype: torch.dtype | None, node: Node) -> Tensor:
    """Return a tensor in another dtype.

    In float64 a smaller float is float64 as well; but an integer that is cast to float32 is rounded to that first: it
    is a number that the graph begins with, such as a year.
    """
    if dtype is None or not isinstance(tensor, Tensor):
        raise NotThisOperatorError
    if not node.double or dtype not in FLOATS:
        return tensor.to(dtype)
    if tensor.is_floating_point():
        return tensor.double()
    if dtype != torch.float32:
        raise NotThisOperatorError
    rounded: Tensor = tensor_of(array_of(tensor).astype(np.float32).astype(np.float64))
    return rounded


OPERATORS: dict[str, Operator] = {"Cast": _cast, "CastLike": _cast_like}
