"""LayerNormalization: over the last axes, from one on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import AtenOperator, Operand
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import FIXED_SIZE, refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import attribute, weight_constant
from parity_export.error_bounds.operators.shared.normalization import Normalization, normalized
from parity_export.error_bounds.operators.shared.worst_case_graphs import lost_mean


def layer_normalization(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = g (x - mu) / sigma + b over the axes from ``axis`` on: see `normalization`."""
    x = builder.operand(node)
    if x.shape is None or attribute(node, "stash_type", 1) != 1:
        raise refusal(node, "the shape of its input is unknown, or it computes in another precision")
    rank = len(x.shape)
    first = attribute(node, "axis", -1) % rank
    sizes = [x.shape[axis] for axis in range(first, rank)]
    if not all(isinstance(size, int) for size in sizes):
        raise refusal(node, "it normalizes over a dynamic dimension", FIXED_SIZE)
    gain = weight_constant(builder, node, 1).astype(np.float64)
    shift = np.zeros(1)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        shift = np.abs(weight_constant(builder, node, 2).astype(np.float64))
    count = int(np.prod([int(size) for size in sizes if isinstance(size, int)]))
    epsilon = float(attribute(node, "epsilon", 1e-5))
    return normalized(builder, node, Normalization(tuple(range(first, rank)), count, gain, shift, epsilon))


def _operands(args: Sequence[Any]) -> list[Operand]:
    """Return x, and g and b where they are given: (input, normalized_shape, weight, bias, eps)."""
    return [args[0], *(value for value in args[2:4] if value is not None)]


def worst_cases() -> list[WorstCase]:
    """Return rows whose mean is far above their spread, summed so that halves are lost, and a sum's error."""
    nodes: list[Node] = [("LayerNormalization", ["features", "g", "b"], {})]
    return lost_mean("LayerNormalization", nodes, "g", "b")


OPERATOR = OperatorRule(
    "LayerNormalization",
    "(e + mean(e) + abs(c) rms(e) / sigma) abs(g) / sigma, and gamma_n of mean abs(x'), of the variance, and of each",
    layer_normalization,
    worst_cases,
    aten=(AtenOperator("native_layer_norm", _operands),),
)
