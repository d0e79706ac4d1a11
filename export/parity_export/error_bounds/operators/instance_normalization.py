"""InstanceNormalization: each channel over its places; groups of channels too, which the exporter makes one of each."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import FIXED_SIZE, refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import attribute, weight_constant
from parity_export.error_bounds.operators.shared.normalization import Normalization, normalized
from parity_export.error_bounds.operators.shared.worst_case_graphs import lost_mean


def instance_normalization(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = g (x - mu) / sigma + b over all axes but batch and channels: see `normalization`."""
    x = builder.operand(node)
    sizes = [] if x.shape is None else list(x.shape)[2:]
    if not sizes or not all(isinstance(size, int) for size in sizes):
        raise refusal(node, "it normalizes over a dynamic dimension", FIXED_SIZE)
    count = int(np.prod([int(size) for size in sizes if isinstance(size, int)]))
    channels = (-1, *[1] * len(sizes))
    gain, shift = (
        weight_constant(builder, node, index).astype(np.float64).reshape(channels) for index in (1, 2)
    )  # fmt: skip
    axes, epsilon = tuple(range(2, 2 + len(sizes))), float(attribute(node, "epsilon", 1e-5))
    return normalized(builder, node, Normalization(axes, count, gain, np.abs(shift), epsilon))


def worst_cases() -> list[WorstCase]:
    """Return rows whose mean is far above their spread, summed so that halves are lost, and a sum's error."""
    nodes: list[Node] = [
        ("Unsqueeze", ["features", "1"], {}),
        ("InstanceNormalization", ["Unsqueeze0", "one", "zero"], {}),
        ("Squeeze", ["InstanceNormalization1", "1"], {}),
    ]
    return lost_mean("InstanceNormalization", nodes, "one", "zero")


OPERATOR = OperatorRule(
    "InstanceNormalization",
    "as LayerNormalization, over the places of each channel",
    instance_normalization,
    worst_cases,
    no_aten="torch's instance_norm and group_norm run native_batch_norm and native_group_norm, of other shapes",
)
