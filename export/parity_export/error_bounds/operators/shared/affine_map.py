"""Affine maps with constants behind a linear map: a backend may fold them into its weights and its bias."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.pulls import scaled
from parity_export.error_bounds.adjoints.steps import ends_at, fits, handed_on, held, hold, holds_a_map, record
from parity_export.error_bounds.bound import Bound, Factor, Folding
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import scaled_and_shifted
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma, growth

_LARGEST_WEIGHT = 2.0**126


@dataclass(frozen=True)
class AffineMap:
    """y = scale z + shift with constants that broadcast against z.

    Attributes:
        scale: magnitudes.
        shift: the sum of the magnitudes of all that is added.
        roundings: m, that a term takes part in at most.
        slope: scale with its signs; None where evaluations round the constants differently: a backward pass ends.
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    roundings: int
    slope: NDArray[np.float64] | None


def grown_by(folding: Folding, more: int) -> float:
    """Return by how much an error bound grows if each term is rounded so many times more."""
    return growth(folding.roundings, max(0, more - folding.spare))


def after_linear(builder: BoundBuilder, node: ir.Node, affine: AffineMap, index: int = 0) -> Bound:
    """Return the error bound of y = scale z + shift where z = W x + b is a linear node's.

    A backend may compute it as written, or fold it into W and b beforehand. Either way a term of W x, of b or of
    ``shift`` takes part in at most n + m roundings, so that

        |y - exact| <= |scale| e_z (1 + 2m / (n + 1)) + gamma_(n+m) |shift| + (n + m + 1) 2^-126

    because e_z is at least |W| e + (n + 1) / 2 u (|W| |x| + |b|) (`rounding_model.growth`). Folded weights must
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
    grown, spare = grown_by(folding, affine.roundings), max(0, folding.spare - affine.roundings)

    def rule(part: Bound) -> Bound:
        error = part.tensor
        if error is not None and (scale != 1).any():
            kept = builder.shielded(error) if (scale < 1).any() else error
            error = builder.emit("Mul", [kept, builder.number(scale)])
        if error is not None and affine.shift.any():
            error = builder.emit("Add", [error, builder.number(gamma(n) / UNIT * affine.shift)])
        constant = grown * largest * (part.constant + 4 * FLUSH) + (n + 1) * (1 + gamma(n)) * FLUSHED
        return Bound(error, part.scale * grown * (1 + 4 * U), 0.0, constant)

    result = replace(rule(bound), folding=Folding(n, low, high, alpha, spare), factor=factor)
    _record(builder, node, index, rule, grown, affine)
    parts = grown * float(scale.max()), 0.0, gamma(n) / UNIT * affine.shift
    return scaled_and_shifted(builder, builder.operand(node, index), result, parts)


def _record(
    builder: BoundBuilder, node: ir.Node, index: int, rule: Callable[[Bound], Bound], grown: float, affine: AffineMap
) -> None:
    """Record the step: of gamma_(n+m) (|scale| P + |shift|), P a sum of magnitudes, the map before it counts gamma_n P.

    Where z hands the map's own error on, the rule makes the whole of that. Elsewhere that counts by itself, and this
    node adds (gamma_(n+m) - gamma_n) |scale| P, told by it: also where z is computed as such, whose roundings are less.
    """
    z = builder.operand(node, index)
    if affine.slope is None or not fits(builder, node, z) or ends_at(builder, z):
        return
    y, n = node.outputs[0], (builder.bound(z).folding or Folding(1, 1.0, 1.0)).roundings
    handed = handed_on(builder, z) if holds_a_map(builder, z) else None
    if handed is None:
        total, scale = builder.summed(z, held(builder, z))
        alone = growth(n, affine.roundings)  # what is spare is of the map's result, which others may take too
        rest = builder.number(scale * (alone - 1) / grown * (1 + 4 * U))
        own = rule(Bound(builder.emit("Mul", [builder.shielded(total), rest])))
    else:
        own = rule(Bound(*builder.summed(z, handed)))
    record(builder, node, own, [(z, scaled(builder, z, affine.slope))])
    hold(builder, y, lambda: rule(Bound(*builder.summed(z, held(builder, z)))), whole=handed is not None)
