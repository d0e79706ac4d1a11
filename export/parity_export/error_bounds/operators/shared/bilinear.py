"""Products of two matrices that are both computed, or one of which is constant but no single matrix."""

import math
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Pull
from parity_export.error_bounds.adjoints.near import Near, block_norm, near
from parity_export.error_bounds.adjoints.pulls import behind_seeds
from parity_export.error_bounds.adjoints.steps import fits, record, sizes_of, with_remainder
from parity_export.error_bounds.bound import Bound, Factor, Folding
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import FIXED_SIZE, refusal
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
    n = builder.precision.roundings(terms + 1 + factor.roundings)
    error = builder.precision.of_products(n) if None in (first.error, second.error) else gamma(n)
    check_factor(node, factor, terms)
    rounding = builder.emit("Mul", [first.size, builder.number(error / UNIT)])
    known = builder.number(FLUSHED) if first.error is None else first.error
    total = builder.emit("MatMul", [builder.emit("Add", [rounding, known]), second.size])
    if second.error is not None:
        total = builder.emit("Add", [total, builder.emit("MatMul", [first.size, second.error])])
    scale = max(first.scale, second.scale) * (1 + gamma(terms + 16))
    constant = (n + 1) * (1 + gamma(n)) * FLUSHED * factor.high + 4 * terms * FLUSH
    result = Bound(total, scale, 0.0, constant, Folding(n, np.inf, 0.0, (factor.low, factor.high)))
    _record(builder, node, (first, second), n, result)
    return result


def _record(builder: BoundBuilder, node: ir.Node, operands: tuple[_Operand, _Operand], n: int, result: Bound) -> None:
    """Record the step of A~ B~ - A B = (A~ - A) B~ + A (B~ - B), one block for each product of two matrices.

    Its own error is gamma_n |A~| |B~|, and flushes. B~ lies within 2e of B' and the exact A within e of A', which make
    3 e_A e_B beside (A~ - A) B' + A' (B~ - B).
    """
    places = [index for index in (0, 1) if operands[index].error is not None]
    shapes = [value.shape for value in (*node.inputs, *node.outputs) if value is not None]
    if any(shape is None or len(shape) < 3 or list(shape[:-2]) != list(shapes[-1] or ())[:-2] for shape in shapes):
        return
    if not all(fits(builder, node, builder.operand(node, index), alike=False) for index in places):
        return
    first, second = operands
    size = builder.emit("Mul", [first.size, builder.number(gamma(n) / UNIT)])
    size = builder.emit("Add", [size, builder.number(FLUSHED)])
    total, scale = builder.emit("MatMul", [size, second.size]), 1 + gamma(sizes_of(builder.operand(node))[-1] + 16)
    own = replace(result, tensor=total, scale=scale)
    if first.error is not None and second.error is not None:
        both = builder.emit("MatMul", [builder.absolute(builder.operand(node), 3.0), second.error])
        own = with_remainder(builder, own, Bound(both, scale * second.scale))
    record(builder, node, own, [
        (builder.operand(node, index), _pull(builder, node, operands, index)) for index in places
    ])  # fmt: skip


def _pull(builder: BoundBuilder, node: ir.Node, operands: tuple[_Operand, _Operand], index: int) -> Pull:
    """Return the pull to one of the matrices, through the other one: d is what the graph computes of that."""
    value, other = node.inputs[index], node.inputs[1 - index]
    if value is None or other is None:
        raise refusal(node)
    rank, terms = len(value.shape or ()), sizes_of(node.outputs[0])[-1 - index]
    axes, count = (rank - 2, rank - 1), math.prod(sizes_of(other)[-2:])

    def made() -> Near:
        perm = [*range(rank - 2), rank - 1, rank - 2]
        swapped = builder.emit("Transpose", [other], {"perm": perm})

        def apply(adjoint: ir.Value) -> ir.Value:
            matrix = behind_seeds(builder, swapped)
            return builder.emit("MatMul", [adjoint, matrix] if index == 0 else [matrix, adjoint])

        reach = block_norm(builder, operands[1 - index].size, axes, count)
        return Near(apply, sizes_of(value), reach, gamma(terms + 2))

    return near(builder, made)


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
        raise refusal(node, "it sums over a dynamic dimension", FIXED_SIZE)
    return known[0]


def check_factor(node: ir.Node, factor: Factor, terms: int) -> None:
    """Refuse scalars before a product of which a backend may multiply by their own product behind the sum."""
    if terms * factor.low < 1:
        raise refusal(node, f"the factor {factor.low:g} before it: fused, the sum may overflow before it is multiplied")
    if factor.high > _LARGEST_FACTOR:  # an infinite one makes NaN of a zero
        found = f"the factors before it, multiplied with one another, are {factor.high:g}"
        raise refusal(node, f"{found}: fused, they may overflow by themselves")
