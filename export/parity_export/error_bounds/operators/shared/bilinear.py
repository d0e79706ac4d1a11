"""Products of two matrices that are both computed, or one of which is constant but no single matrix."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound, Factor, Folding
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma

_TINY = 2.0**-100
"""What is added to a magnitude that may have been read as zero."""

_LARGEST_FACTOR = 2.0**126
"""Of scalars that are multiplied with one another."""


@dataclass(frozen=True)
class _Operand:
    """One factor of a product.

    Attributes:
        error: e in units, None of a constant.
        scale: of ``error``.
        size: |x'| + 2e, or a constant's magnitude.
        factor: the scalars that it was multiplied by.
    """

    error: ir.Value | None
    scale: float
    size: ir.Value
    factor: Factor


def bilinear(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound of C = A B, inner products of k terms in any order, with or without FMA.

    With every compliant A within e_A of the exact one, and B within e_B:

        A~ B~ - A B = (A~ - A) B~ + A (B~ - B)
        |C - exact| <= e_A (|B'| + 2e_B) + (|A'| + e_A) e_B + gamma_n (|A'| + 2e_A)(|B'| + 2e_B) + (n + 1) flushes

    n = k + 1, and one more for each scalar that either was multiplied by, which a backend may fuse behind the sum: then
    what `inner_products` says of such scalars holds for their product. In units of u/2 it is two products,
    ``(e_A + (gamma_n / (u/2)) P) Q + P e_B`` with P = |A'| + 2e_A and Q = |B'| + 2e_B. A constant has no error; it is
    refused where it is subnormal.
    """
    first, second = (_operand(builder, node, index) for index in (0, 1))
    terms = _terms(node)
    factor = _both(first.factor, second.factor)
    n = terms + 1 + factor.roundings
    check_factor(node, factor, terms)
    rounding = builder.emit("Mul", [first.size, builder.number(gamma(n) / UNIT)])
    error = builder.number(FLUSHED) if first.error is None else first.error
    total = builder.emit("MatMul", [builder.emit("Add", [rounding, error]), second.size])
    if second.error is not None:
        total = builder.emit("Add", [total, builder.emit("MatMul", [first.size, second.error])])
    scale = max(first.scale, second.scale) * (1 + gamma(terms + 16))
    constant = (n + 1) * (1 + gamma(n)) * FLUSHED * factor.high + 4 * terms * FLUSH
    folding = Folding(n, np.inf, 0.0, (factor.low, factor.high))
    return Bound(total, scale, 0.0, constant, folding)


def _operand(builder: BoundBuilder, node: ir.Node, index: int) -> _Operand:
    array = builder.constant(node.inputs[index])
    if array is not None:
        if array.dtype != np.float32 or ((array != 0) & (np.abs(array) < FLUSH)).any():
            raise refusal(node, f"its input {index} is subnormal, or no float32")
        return _Operand(None, 1.0, builder.number(np.abs(array.astype(np.float64))), Factor())
    x = builder.operand(node, index)
    total, scale = builder.tensor(x)
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])
    size = builder.emit("Add", [builder.emit("Add", [reach, builder.number(_TINY)]), builder.magnitude(x)])
    return _Operand(total, scale, size, builder.bound(x).factor)


def _both(first: Factor, second: Factor) -> Factor:
    return Factor(first.low * second.low, first.high * second.high, first.roundings + second.roundings)


def _terms(node: ir.Node) -> int:
    """Return k: the last axis of A, or the last but one of B."""
    shapes = [value.shape for value in node.inputs if value is not None]
    found = [shape[axis] for shape, axis in zip(shapes, (-1, -2), strict=True) if shape is not None and len(shape) > 1]
    known = [size for size in found if isinstance(size, int)]
    if len(found) < 2 or not known:
        raise refusal(node, "how many numbers it sums is unknown")
    return known[0]


def check_factor(node: ir.Node, factor: Factor, terms: int) -> None:
    """Refuse scalars before a product of which a backend may multiply by their own product behind the sum."""
    if terms * factor.low < 1:
        raise refusal(node, f"the factor {factor.low:g} before it: fused, the sum may overflow before it is multiplied")
    if factor.high > _LARGEST_FACTOR:  # an infinite one makes NaN of a zero
        found = f"the factors before it, multiplied with one another, are {factor.high:g}"
        raise refusal(node, f"{found}: fused, they may overflow by themselves")
