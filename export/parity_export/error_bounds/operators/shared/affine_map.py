"""Affine maps with constants behind a linear map: a backend may fold them into its weights and its bias."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound, Factor, Folding
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import scaled_and_shifted
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma

_LARGEST_WEIGHT = 2.0**126


@dataclass(frozen=True)
class AffineMap:
    """y = scale z + shift with constants that broadcast against z.

    Attributes:
        scale: magnitudes.
        shift: the sum of the magnitudes of all that is added.
        roundings: m, that a term takes part in at most.
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    roundings: int


def after_linear(builder: BoundBuilder, node: ir.Node, affine: AffineMap, index: int = 0) -> Bound:
    """Return the error bound of y = scale z + shift where z = W x + b is a linear node's.

    A backend may compute it as written, or fold it into W and b beforehand. Either way a term of W x, of b or of
    ``shift`` takes part in at most n + m roundings, so that

        |y - exact| <= |scale| e_z gamma_(n+m) / gamma_n + gamma_(n+m) |shift| + (n + m + 1) 2^-126

    because e_z is at least |W| e + gamma_n (|W| |x| + |b|) (`inner_products.inner_products`). Folded weights must
    stay normal.

    Args:
        builder: the graph.
        node: takes z.
        affine: what it does with z.
        index: of z among the node's inputs.
    """
    bound = builder.bound(builder.operand(node, index))
    folding, total, scale = bound.folding, bound.tensor, affine.scale
    if folding is None or total is None:
        raise refusal(node)
    n = folding.roundings + affine.roundings
    used, largest = scale[scale > 0], max(1.0, float(scale.max()))
    low, high = folding.smallest * float(used.min(initial=1.0)), folding.largest * largest
    if (scale != 1).any() and (min(low, float(used.min(initial=1.0))) < 2 * FLUSH or high > _LARGEST_WEIGHT):
        raise refusal(node, "folded into the weights before it, one would leave float32's normal range")
    alpha, factor = folding.alpha, Factor()
    if scale.size == 1 and not affine.shift.any():  # a scalar may be multiplied by those before the sum
        scalar = float(scale.reshape(()))
        alpha = (min(alpha[0], alpha[0] * scalar), max(alpha[1], alpha[1] * scalar))
        factor = bound.factor.then(scalar, affine.roundings)
    if alpha[0] < 2 * FLUSH or alpha[1] > _LARGEST_WEIGHT:
        raise refusal(node, "multiplied with the factor before the sum, it would leave float32's normal range")
    growth = gamma(n) / gamma(folding.roundings)
    if (scale != 1).any():
        total = builder.emit("Mul", [builder.shielded(total) if (scale < 1).any() else total, builder.number(scale)])
    if affine.shift.any():
        total = builder.emit("Add", [total, builder.number(gamma(n) / UNIT * affine.shift)])
    constant = growth * largest * (bound.constant + 4 * FLUSH) + (n + 1) * (1 + gamma(n)) * FLUSHED
    result = Bound(total, bound.scale * growth * (1 + 4 * U), 0.0, constant, Folding(n, low, high, alpha), factor)
    parts = growth * float(scale.max()), 0.0, gamma(n) / UNIT * affine.shift
    return scaled_and_shifted(builder, builder.operand(node, index), result, parts)
