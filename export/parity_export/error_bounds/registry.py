"""Which rule an operator has. An operator that is not here cannot be certified."""

from collections.abc import Callable

import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operators import (
    activations,
    elementwise,
    linear,
    normalization,
    pooling,
    selection,
    shapes,
)

Rule = Callable[[BoundBuilder, ir.Node], Bound]


def _multiply(builder: BoundBuilder, node: ir.Node) -> Bound:
    return activations.silu(builder, node) or elementwise.multiply(builder, node)


MOVING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Expand", "Gather")
_TABLE = ("Erf", "HardSigmoid", "Gelu", "Softplus", "Elu", "Celu", "Selu", "Mish", "HardSwish")

RULES: dict[str, Rule] = {
    "Gemm": linear.gemm,
    "MatMul": linear.matmul,
    "Conv": linear.conv,
    "BatchNormalization": normalization.batch_normalization,
    "Add": elementwise.add,
    "Sub": elementwise.add,
    "Mul": _multiply,
    "Div": elementwise.divide,
    **dict.fromkeys(("Neg", "Abs", "Identity"), elementwise.same),
    "Clip": elementwise.clip,
    "Relu": activations.relu,
    **dict.fromkeys(("LeakyRelu", "PRelu"), activations.leaky),
    "Tanh": activations.tanh,
    "Sigmoid": activations.sigmoid,
    **dict.fromkeys(_TABLE, activations.elementary),
    **dict.fromkeys(("MaxPool", "GlobalMaxPool", "ReduceMax"), pooling.maximum),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "ReduceMean"), pooling.mean),
    "ReduceSum": pooling.total_of,
    "Where": selection.where,
    **dict.fromkeys(MOVING, shapes.moved),
    "Concat": shapes.joined,
}
"""The rule of each operator, by its name in ONNX."""

COMPARISONS = frozenset({"IsNaN", "Greater"})
"""Operators whose result only the rule of Where may take."""
