"""Piecewise linear functions with a slope below zero, the error bound that LeakyRelu and PRelu share."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import elementwise
from parity_export.error_bounds.operators.shared.one_operation import ROUNDED
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, U


def leaky(builder: BoundBuilder, node: ir.Node, slope: NDArray[np.generic]) -> Bound:
    """V = x, or a x below zero: slope max(1, |a|); the product with a rounds once.

    Args:
        builder: the graph.
        node: takes x as its first input.
        slope: a, float32 or float64.
    """
    x = builder.operand(node)
    if not np.isfinite(slope).all() or ((slope != 0) & (np.abs(slope) < FLUSH)).any():
        raise refusal(node, "its slope is not finite, or subnormal")
    total, scale = builder.tensor(x)
    steepest = max(1.0, float(np.abs(slope).max()))
    result = Bound(total, scale * steepest * (1 + 2 * U), ROUNDED, 4 * steepest * FLUSHED)
    return elementwise(builder, x, result, steepest * (1 + 2 * U))
