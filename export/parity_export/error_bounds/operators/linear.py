"""Inner products: Gemm, MatMul, Conv."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound, Factor, Folding
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma

_LARGEST_WEIGHT = 2.0**126
_ROUNDINGS_BESIDE_THE_SUM = 8
"""Of the bound's own evaluation: two of |v'| times its factor plus t, one of each rounded constant, some to spare."""

Evaluate = Callable[[ir.Value, ir.Value, ir.Value], ir.Value]


@dataclass(frozen=True)
class InnerProducts:
    """What a linear node computes: sums of products of its input with weights, and a bias.

    Attributes:
        weight: float32.
        axes: of ``weight`` that are summed over.
        bias: float32 ``[outputs]``, or None.
        extra: roundings of a term beside those of its sum.
        amplified: what a flushed number may be multiplied by.
    """

    weight: NDArray[np.float32]
    axes: tuple[int, ...]
    bias: NDArray[np.float32] | None
    extra: int = 0
    amplified: float = 1.0

    @property
    def terms(self) -> int:
        """How many products one output sums."""
        return int(np.prod([self.weight.shape[axis] for axis in self.axes]))


def gemm(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = A B + C with constant B and C: see `inner_products`. alpha and beta must be 1."""
    if (_attribute(node, "alpha", 1.0), _attribute(node, "beta", 1.0), _attribute(node, "transA", 0)) != (1.0, 1.0, 0):
        raise refusal(node, "alpha and beta must be 1, and A not transposed")
    weight = _constant(builder, node, 1)
    bias = None if len(node.inputs) < 3 or node.inputs[2] is None else _constant(builder, node, 2)
    transposed = bool(_attribute(node, "transB", 0))
    outputs = weight.shape[0 if transposed else 1]
    if bias is not None:
        if bias.shape not in ((), (1,), (outputs,), (1, 1), (1, outputs)):
            raise refusal(node, f"C has the shape {list(bias.shape)}, not one number for each output")
        bias = np.broadcast_to(bias.reshape(-1), outputs)
    products = InnerProducts(weight, (1 if transposed else 0,), bias)
    return inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Gemm", [a, b, c], {"transB": int(transposed)})
    )


def matmul(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = A B with a constant matrix B: see `inner_products`.

    A backend may fuse scalar factors of A into the sum (onnxruntime's FusedMatMul): it sums A B and multiplies by their
    product f at the end. That rounds each term once more for each factor, twice for a reciprocal; multiplies what was
    flushed by f; and the sum without f must not overflow, which the bound of 2n sum |f A B| shows where n |f| >= 1.
    """
    weight = _constant(builder, node, 1)
    if weight.ndim != 2:
        raise refusal(node, "its second factor must be a matrix")
    factor = builder.bound(builder.operand(node)).factor
    products = InnerProducts(weight, (0,), None, extra=1 + factor.roundings, amplified=factor.high)
    if products.terms * factor.low < 1:
        raise refusal(node, f"the factor {factor.low:g} before it: fused, the sum may overflow before it is multiplied")
    bound = inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Add", [builder.emit("MatMul", [a, b]), c])
    )  # fmt: skip
    folding = bound.folding and replace(bound.folding, alpha=(factor.low, factor.high))
    return replace(bound, folding=folding)


def conv(builder: BoundBuilder, node: ir.Node) -> Bound:
    """The convolution of X with W, plus B, both constant; padding adds zeros, exactly: see `inner_products`."""
    weight = _constant(builder, node, 1)
    bias = None if len(node.inputs) < 3 or node.inputs[2] is None else _constant(builder, node, 2)
    products = InnerProducts(weight, tuple(range(1, weight.ndim)), bias)
    return inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Conv", [a, b, c], dict(node.attributes))
    )  # fmt: skip


def inner_products(builder: BoundBuilder, node: ir.Node, products: InnerProducts, evaluate: Evaluate) -> Bound:
    """Return the error bound of y = W x + b, an inner product of k terms in any order, with or without FMA.

    With n = k + 1 (k without a bias) and every compliant x within e of the exact one, |x| <= |x'| + 2e and

        |y - exact| <= |W| e + gamma_n (|W| (|x'| + 2e) + |b|) + (n + 1)(1 + gamma_n) 2^-126

    (Higham, section 3.1, for the first two terms). At most n values can be flushed while the sum is formed, in whatever
    order: a product or the bias that becomes zero leaves the sum as it was, and a partial sum can only be flushed if
    two of the terms under it were not; so every flush uses up a term. One more is the result, where it is read. A
    flushed weight changes its product by 2^-126 (|x'| + 2e): a subnormal one grows by 2^-101 / q, q below.

    In units of u/2, with e = s t + a |x'| + c, it is ``W' (t + (q/p) |x'|) + b'`` with p = (1 + 2 gamma_n) s,
    q = (1 + 2 gamma_n) a + 2 gamma_n / u and W' = p |W|: one more product like the node's own.

    Args:
        builder: the graph.
        node: takes x as its first input.
        products: W and b.
        evaluate: appends the nodes of W' x + b' for x, W', b'.
    """
    x = builder.operand(node)
    bound = builder.bound(x)
    terms = products.terms
    n = terms + (products.bias is not None) + products.extra
    error = gamma(n)
    weight = np.abs(products.weight.astype(np.float64))
    used = weight[weight > 0]
    folding = Folding(n, float(used.min(initial=np.inf)), float(used.max(initial=0.0)))
    p, q = (1 + 2 * error) * bound.scale, (1 + 2 * error) * bound.relative + error / UNIT
    weight = np.where((weight > 0) & (weight < FLUSH), weight + FLUSH / UNIT / q, weight)
    if bound.tensor is None and not bound.relative:  # the same exact x everywhere
        operand, factor = builder.magnitude(x), q
    else:
        operand, factor = builder.emit("Mul", [builder.magnitude(x), builder.number(q / p)]), p
        # Something is always added: a factor alone might be fused into the sum behind it, and could not overflow here.
        rest = builder.number(FLUSHED) if bound.tensor is None else bound.tensor
        operand = builder.emit("Add", [operand, rest])
    evaluated = 1 + gamma(terms + _ROUNDINGS_BESIDE_THE_SUM)
    constant = weight.sum(axis=products.axes) * ((1 + 2 * error) * bound.constant + (q + 3 * p) * FLUSH)
    constant = constant + (n + 1) * (1 + error) * FLUSHED * products.amplified
    if products.bias is not None:
        constant = constant + error / UNIT * np.abs(products.bias.astype(np.float64))
    total = evaluate(operand, builder.number(factor * evaluated * weight), builder.number(evaluated * constant))
    return Bound(total, folding=folding)


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

    because e_z is at least |W| e + gamma_n (|W| |x| + |b|) (`inner_products`). Folded weights must stay normal.

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
    kept = Folding(n, low, high, alpha)
    return Bound(total, bound.scale * growth * (1 + 4 * U), 0.0, constant, kept, factor)


def _constant(builder: BoundBuilder, node: ir.Node, index: int) -> NDArray[np.float32]:
    array = builder.constant(node.inputs[index])
    if array is None or array.dtype != np.float32:
        raise refusal(node, f"its input {index} is not a float32 constant")
    return array


def _attribute(node: ir.Node, name: str, default: Any) -> Any:
    return node.attributes[name].value if name in node.attributes else default
