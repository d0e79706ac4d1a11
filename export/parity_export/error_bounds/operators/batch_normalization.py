"""BatchNormalization, in the three ways in which it is computed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.pulls import scaled
from parity_export.error_bounds.adjoints.steps import Passing, through
from parity_export.error_bounds.aten_operator import AtenOperator, Operand
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import scaled_and_shifted
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.affine_map import AffineMap, after_linear
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm, uniform
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma

_LARGEST_MEAN = 2.0**126
"""Beside it an x whose error bound is finite is below 2^124, so that x - mean does not overflow."""

_LARGEST_VARIANCE = 2.0**125
"""onnxruntime 1.20 takes the root by a step of Newton's method that computes 1 / variance: where that is subnormal, and
the process flushes such numbers, it is 3/2 of the root."""

_ROUNDINGS = 11
"""That a term of scale (x - mean) / sqrt(var + epsilon) + B takes part in at most, in every formula below. In s:
epsilon as binary32 and var + epsilon, which the square root halves; the square root, within 5 u (`sqrt`); the
reciprocal; the product with scale. Beside s: the product with mean or x, and two sums."""


def batch_normalization(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = s x + B - s mean with s = scale / sqrt(var + epsilon), constants by channel.

    Computed as (x - mean) s + B, or as x s + (B - mean s), or folded into a linear map before it
    (`affine_map.after_linear`). With m = 11 roundings of every term:

        |v - exact| <= |s| e (1 + 2 gamma_m) + gamma_m (|s| |x'| + |s| |mean| + |B|) + flushes
    """
    if "training_mode" in node.attributes and node.attributes["training_mode"].as_int():
        raise refusal(node, "in training mode")
    x, constants = builder.operand(node), [builder.constant(value) for value in node.inputs[1:5]]
    if x.shape is None or any(array is None for array in constants):
        raise refusal(node, "its constants must be constant")
    channels = (-1, *[1] * (len(x.shape) - 2))
    scale, shift, mean, variance = (
        np.asarray(array, np.float64).reshape(channels) for array in constants
    )  # fmt: skip
    epsilon = float(np.float32(node.attributes["epsilon"].value if "epsilon" in node.attributes else 1e-5))
    if (variance + epsilon < 2 * FLUSH).any() or _subnormal(variance) or _subnormal(np.array(epsilon)):
        raise refusal(node, "its variance is not positive, or subnormal")
    if (variance + epsilon > _LARGEST_VARIANCE).any():
        raise refusal(node, "its variance is above 2^125, and its reciprocal subnormal")
    if (np.abs(mean) > _LARGEST_MEAN).any():
        raise refusal(node, "x - mean may overflow")
    factor = np.abs(scale) / np.sqrt(variance + epsilon)
    if _subnormal(scale) or _subnormal(factor):
        raise refusal(node, "its scale is subnormal")
    added = factor * np.abs(mean) + np.abs(shift)
    if builder.bound(x).folding is not None:
        return after_linear(builder, node, AffineMap(factor, added, _ROUNDINGS, scale / np.sqrt(variance + epsilon)))
    error, largest = gamma(_ROUNDINGS), float(factor.max())

    def rule(total: ir.Value, total_scale: float) -> Bound:
        p = (1 + 2 * error) * total_scale
        part = builder.emit("Mul", [builder.magnitude(x), builder.number(error / UNIT / p)])
        total = builder.emit("Mul", [builder.emit("Add", [total, part]), builder.number(factor)])
        total = builder.emit("Add", [total, builder.number(error / UNIT / p * added)])
        return Bound(total, p * (1 + 8 * U), 0.0, (_ROUNDINGS + 4) * FLUSHED * max(1.0, largest))

    pull = scaled(builder, x, scale / np.sqrt(variance + epsilon))
    result = through(builder, node, x, Passing(rule, pull, 2 * error * (1 + 4 * U)))
    parts = largest * (1 + 2 * error), largest * error / UNIT, error / UNIT * added
    return scaled_and_shifted(builder, x, result, parts)


def _subnormal(array: NDArray[np.float64]) -> bool:
    """Whether an element is so small, and not zero, that it or a product with it may be flushed."""
    return bool(((array != 0) & (np.abs(array) < 2 * FLUSH)).any())


def _operands(args: Sequence[Any]) -> list[Operand]:
    """Return x, scale, B, mean and variance; a batch normalization without scale and B has 1 and 0."""
    neutral = (None, 1.0, 0.0, None, None)
    given = [usual if value is None else value for value, usual in zip(args[:5], neutral, strict=True)]
    return [value for value in given if value is not None]


def worst_cases() -> list[WorstCase]:
    """Return many channels with constants of their own, and one that a backend may fold into a Gemm."""
    channels, names = 3000, ["s", "c", "m", "v"]
    ranges = {"s": (0.5, 2), "c": (-0.01, 0.01), "m": (-0.01, 0.01), "v": (0.5, 2)}
    drawn = uniform(0, 1, 4, channels)
    constants = {name: low + (high - low) * drawn[index] for index, (name, (low, high)) in enumerate(ranges.items())}
    behind: list[Node] = [("BatchNormalization", ["Gemm0", *names], {})]
    folded = {name: np.full(4, value, np.float32) for name, value in zip(names, (0.7, 0.1, 0.3, 1), strict=True)}
    return [
        WorstCase(
            "BatchNormalization",
            [("BatchNormalization", ["features", *names], {})],
            {name: array.astype(np.float32) for name, array in constants.items()},
            1 + uniform(0, 1, 300, channels),
            channels,
        ),
        behind_gemm("Gemm, BatchNormalization", behind, folded),
    ]


OPERATOR = OperatorRule(
    "BatchNormalization",
    "abs(s) e (1 + 2 gamma_11) + gamma_11 (abs(s x') + abs(s mean) + abs(B)), s = scale / sqrt(var + epsilon)",
    batch_normalization,
    worst_cases,
    aten=(AtenOperator("native_batch_norm", _operands),),
)
