"""Inner products, the error bound that Gemm, MatMul and Conv share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.pulls import Transposed, linear, rounding
from parity_export.error_bounds.adjoints.steps import fits, hold, record, with_share
from parity_export.error_bounds.bound import Bound, Folding
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.linear_norm import Before, SpectralNorms, after, before, choose, linear_map
from parity_export.error_bounds.precision import FLOAT32
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma, of_a_sum

_ROUNDINGS_BESIDE_THE_SUM = 12
"""Of the bound's own evaluation: two of |v'| times its factor plus t, two of the norm's part, one of each rounded
constant, some to spare."""

_LONG = 256
"""Products of a sum whose partial sums are worth three more operations for each result, also in fast bounds."""

Evaluate = Callable[[ir.Value, ir.Value, ir.Value], ir.Value]


@dataclass(frozen=True)
class Back:
    """A linear node, the other way round.

    Attributes:
        apply: appends the nodes that make of an adjoint of y one of x.
        terms: how many products it sums for one element of x at most.
    """

    apply: Callable[[ir.Value], ir.Value]
    terms: int


@dataclass(frozen=True)
class InnerProducts:
    """What a linear node computes: sums of products of its input with weights, and a bias.

    Attributes:
        weight: float32.
        axes: of ``weight`` that are summed over.
        bias: float32 ``[outputs]``, or None.
        extra: roundings of a term beside those of its sum.
        amplified: what a flushed number may be multiplied by.
        norms: of a map of all places of x at once, axes 1 and later, bounds the spectral norms; None for one of the
            last axis alone, whose norms are those of the matrix.
        count: how many products one output sums at most, where it is not all of ``axes``.
        groups: of outputs, each of which takes weights of its own along the first axis.
        back: of the same node; None where no backward pass goes through it.
    """

    weight: NDArray[np.float32]
    axes: tuple[int, ...]
    bias: NDArray[np.float32] | None
    extra: int = 0
    amplified: float = 1.0
    norms: SpectralNorms | None = None
    count: int | None = None
    groups: int = 1
    back: Back | None = None

    @property
    def terms(self) -> int:
        """How many products one output sums."""
        return self.count if self.count is not None else int(np.prod([self.weight.shape[axis] for axis in self.axes]))

    def summed(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of weights, one for each output, or one for each group and its outputs."""
        if self.groups == 1:
            return np.asarray(weight.sum(axis=self.axes))
        parts = weight.reshape(self.groups, -1, *weight.shape[1:])
        return np.asarray(parts.sum(axis=tuple(axis + 1 for axis in self.axes))).reshape(-1)


def inner_products(builder: BoundBuilder, node: ir.Node, products: InnerProducts, evaluate: Evaluate) -> Bound:
    """Return the error bound of y = W x + b, an inner product of k terms in any order, with or without FMA.

    With n = k + 1 (k without a bias) and every compliant x within e of the exact one, |x| <= |x'| + 2e and

        |y - exact| <= |W| e (1 + 2 gamma_n) + g S + h |y'| + (n + 1)(1 + gamma_n) 2^-126,    S = |W| |x'| + |b|

    with g and h of `rounding_model.of_a_sum`. At most n values can be flushed while the sum is formed, in whatever
    order: a product or the bias that becomes zero leaves the sum as it was, and a partial sum can only be flushed if
    two of the terms under it were not; so every flush uses up a term. One more is the result, where it is read. A
    flushed weight changes its product by 2^-126 (|x'| + 2e): a subnormal one grows by 2^-101 / q, q below.

    Behind several linear maps a norm of the operand's error may say more than its elements' bounds (`linear_norm`).

    In units of u/2, with e = s t + a |x'| + c, it is ``W' (t + (q/p) |x'|) + b'`` with p = (1 + 2 gamma_n) s,
    q = (1 + 2 gamma_n) a + 2 g / u and W' = p |W|: one more product like the node's own.

    Args:
        builder: the graph.
        node: takes x as its first input.
        products: W and b.
        evaluate: appends the nodes of W' x + b' for x, W', b'.
    """
    x = builder.operand(node)
    bound = builder.bound(x)
    terms = products.terms
    n, spare, error, (of_terms, of_sum) = _rounded(builder, node, products)
    weight = np.abs(products.weight.astype(np.float64))
    used = weight[weight > 0]
    folding = Folding(n, float(used.min(initial=np.inf)), float(used.max(initial=0.0)), spare=spare)
    p, q = (1 + 2 * error) * bound.scale, (1 + 2 * error) * bound.relative + of_terms / UNIT
    weight = np.where((weight > 0) & (weight < FLUSH), weight + FLUSH / UNIT / q, weight)
    evaluated = 1 + gamma(terms + _ROUNDINGS_BESIDE_THE_SUM)
    flushes = (n + 1) * (1 + error) * FLUSHED * products.amplified
    summed = products.summed(weight)
    own = summed * (q + 3 * p) * FLUSH + flushes
    if products.bias is not None:
        own = own + of_terms / UNIT * np.abs(products.bias.astype(np.float64))
    constant = own + summed * (1 + 2 * error) * bound.constant
    given = _before(builder, node, products, n)
    rest, column = (bound.tensor, None) if given is None else choose(builder, x, given)
    if bound.tensor is None and not bound.relative:  # the same exact x everywhere
        operand, factor = builder.magnitude(x), q
    else:
        operand, factor = builder.emit("Mul", [builder.magnitude(x), builder.number(q / p)]), p
        # Something is always added: a factor alone might be fused into the sum behind it, and could not overflow here.
        operand = builder.emit("Add", [operand, builder.number(FLUSHED) if rest is None else rest])
    weight, offset = factor * evaluated * weight, builder.number(evaluated * constant)
    if given is None or given.known is None or column is None:
        total = evaluate(operand, builder.number(weight), offset)
    else:
        rows = (1 + 2 * error) * evaluated * given.known.scale * given.linear.rows
        beside = given.linear.columns is not None and given.known.axes == given.linear.axes
        if beside and not builder.backwards:  # one product more of each sum; a backward pass takes the weights as well
            operand = builder.emit("Concat", [operand, column], {"axis": given.linear.axes[0]})
            weight = np.concatenate([weight, np.expand_dims(rows, products.axes[0])], axis=products.axes[0])
            total = evaluate(operand, builder.number(weight), offset)
        else:
            rows = rows.reshape(-1, *[1] * (products.weight.ndim - 2))
            part = builder.emit("Mul", [column, builder.number(rows)])
            total = builder.emit("Add", [evaluate(operand, builder.number(weight), offset), part])
    if of_sum:
        part = builder.emit("Mul", [builder.magnitude(node.outputs[0]), builder.number(of_sum / UNIT * evaluated)])
        total = builder.emit("Add", [total, part])
    if factor == p and given is not None:
        signed = given.linear.signed
        norms = signed, max(1.0, given.linear.absolute / signed) if signed > FLUSH else 1.0
        made = _Made(weight, evaluated * own, (of_terms / p, of_sum), total, norms)
        _record(builder, node, products, evaluate, made)
    result = Bound(total, folding=folding)
    return result if given is None else after(builder, node, given, (error, flushes), result)


def _rounded(
    builder: BoundBuilder, node: ir.Node, products: InnerProducts
) -> tuple[int, int, float, tuple[float, float]]:
    """Return n, how many roundings more are paid for, gamma_n, and what is rounded of S and of |y|, relatively.

    An addition of a lower precision may err by more than its result's rounding: there it is gamma_n S.
    """
    precision = builder.precision
    n = precision.roundings(products.terms + (products.bias is not None) + products.extra)
    if precision is not FLOAT32:
        error = precision.of_products(n)
        return n, 0, error, (error, 0.0)
    spare = _followed_by(node.outputs[0])
    by_partial_sums = builder.backwards or n >= _LONG
    return n, spare, gamma(n), of_a_sum(n, spare) if by_partial_sums else (gamma(n + spare), 0.0)


_ROUNDINGS = {"Add": 1, "Sub": 1, "Mul": 1, "Div": 2, "BatchNormalization": 11}
_MOVING = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"})
_MOST_FOLLOWING = 4


def _followed_by(value: ir.Value) -> int:
    """Return how many roundings what may be folded into a linear map adds to each of its terms.

    They are paid for where the terms are known: later the whole error would have to grow.
    """
    count = 0
    for _ in range(_MOST_FOLLOWING):
        takers = [use.node for use in value.uses()]
        count += max((_ROUNDINGS.get(node.op_type, 0) for node in takers), default=0)
        if len(takers) != 1 or takers[0].op_type not in _ROUNDINGS.keys() | _MOVING:
            break
        value = takers[0].outputs[0]
    return count


@dataclass(frozen=True)
class _Made:
    """What the error bound was made of.

    Attributes:
        weight: W', at least p |W|.
        offset: what is added for bias and flushes.
        errors: what is rounded of the terms' magnitudes, over p, and of the sum's.
        total: the error bound.
        norms: at least ||W||, and || |W| || / ||W||.
    """

    weight: NDArray[np.float64]
    offset: NDArray[np.float64]
    errors: tuple[float, float]
    total: ir.Value
    norms: tuple[float, float]


def _record(builder: BoundBuilder, node: ir.Node, products: InnerProducts, evaluate: Evaluate, made: _Made) -> None:
    """Record the step of a linear map: gamma_n (|W| |x~| + |b|) and flushes, |x~| <= |x'| + 2e.

    The whole error bound is at least |W| e, so that 2 gamma_n of it stands for the second part of |x~|.
    """
    x, weight, back = builder.operand(node), products.weight, products.back
    if back is None or not fits(builder, node, x, alike=False) or ((weight != 0) & (np.abs(weight) < FLUSH)).any():
        return
    magnitudes = builder.number(made.weight)
    operand = builder.emit("Mul", [builder.magnitude(x), builder.number(made.errors[0] / UNIT)])
    operand = builder.emit("Add", [operand, builder.number(FLUSHED)])
    own = Bound(evaluate(operand, magnitudes, builder.number(made.offset)), 1.0, made.errors[1] / UNIT)
    count = builder.precision.roundings(products.terms + 2 + products.extra)
    own = with_share(builder, own, Bound(made.total), 2 * builder.precision.of_products(count) * (1 + 4 * U))
    builder.prepaid = max(builder.prepaid, rounding(back.terms) * made.norms[1])
    sizes = tuple(size for size in (x.shape or ())[1:] if isinstance(size, int))
    record(builder, node, own, [(x, linear(builder, Transposed(back.apply, back.terms, *made.norms, sizes)))])
    hold(builder, node.outputs[0], lambda: own, whole=True)


def _before(builder: BoundBuilder, node: ir.Node, products: InnerProducts, n: int) -> Before | None:
    """Return what is known of the operand's norm; None where its error is the first, or where it has one axis.

    None too where the outputs sum different numbers of products: ||w_i|| is then no norm of a row of ``weight``, and no
    norm of the whole map is derived.
    """
    x = builder.operand(node)
    rank = 0 if x.shape is None else len(x.shape)
    if rank < 2 or builder.bound(x).tensor is None or products.count is not None:
        return None
    axes = (rank - 1,) if products.norms is None else tuple(range(1, rank))
    weight = products.weight.astype(np.float64)
    return before(builder, x, linear_map(weight, products.bias, (products.axes, axes), n, products.norms))


def weight_constant(builder: BoundBuilder, node: ir.Node, index: int) -> NDArray[np.float32]:
    """Return a node's input, which must be a float32 constant."""
    array = builder.constant(node.inputs[index])
    if array is None or array.dtype != np.float32:
        raise refusal(node, f"its input {index} is not a float32 constant")
    return array


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    """Return an attribute's value."""
    return node.attributes[name].value if name in node.attributes else default


def back_of_matrix(builder: BoundBuilder, node: ir.Node, weight: NDArray[np.float32], summed: int) -> Back | None:
    """Return a product with a matrix, the other way round.

    Args:
        builder: the graph.
        node: takes the matrix as its second input.
        weight: the matrix.
        summed: which axis of it the product sums over.
    """
    given = node.inputs[1]
    if given is None:
        return None

    def apply(adjoint: ir.Value) -> ir.Value:
        matrix = given if summed == 1 else builder.emit("Transpose", [given], {"perm": [1, 0]})
        return builder.emit("MatMul", [adjoint, matrix])

    return Back(apply, weight.shape[1 - summed])
