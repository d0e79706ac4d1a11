"""All operators that torch computes."""

from parity_export.onnx_module.operators import (
    activations,
    casting,
    detection,
    elementwise,
    microsoft,
    microsoft_quantized,
    movement,
    normalization,
    pooling,
    products,
    quantized,
    recurrent,
    reduction,
    resize,
    sequences,
    signals,
)
from parity_export.onnx_module.operators.operator import Operator

OPERATORS: dict[str, Operator] = {
    **elementwise.OPERATORS,
    **activations.OPERATORS,
    **products.OPERATORS,
    **normalization.OPERATORS,
    **pooling.OPERATORS,
    **reduction.OPERATORS,
    **quantized.OPERATORS,
    **recurrent.OPERATORS,
    **sequences.OPERATORS,
    **resize.OPERATORS,
    **signals.OPERATORS,
    **detection.OPERATORS,
    **microsoft.OPERATORS,
    **microsoft_quantized.OPERATORS,
    **casting.OPERATORS,
    **movement.OPERATORS,
}
"""By name; outside of the standard with the domain before it: ``com.microsoft::Gelu``."""

MOVING = frozenset({
    *("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice", "Gather", "Expand"),
    *("GatherElements", "GatherND", "Tile", "DepthToSpace", "SpaceToDepth", "Compress"),
})  # fmt: skip
"""Operators that move the values of their first input alone: of a constant, before it is widened."""


def full_name(domain: str, operator: str) -> str:
    """Return what an operator is called in `OPERATORS`."""
    return operator if domain in ("", "ai.onnx") else f"{domain}::{operator}"
