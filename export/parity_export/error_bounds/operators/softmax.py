"""Softmax: e^(x_i - m) over the sum of all of them, m the largest x."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Near, near
from parity_export.error_bounds.adjoints.pulls import behind_seeds
from parity_export.error_bounds.adjoints.steps import fits, handed_on, record, sizes_of, with_remainder
from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import accuracy
from parity_export.error_bounds.errors import FIXED_SIZE, refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.masks import ceiling
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, K, behind_gemm, ones, uniform
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma

_LARGEST = 0.25
"""A softmax is bounded by its slopes where its logarithm moves by less than this; elsewhere by 1."""


_FAR = 128.0
"""Below the largest: e to its power is far below what may be flushed."""


@dataclass(frozen=True)
class _Axis:
    """The axis of a softmax.

    Attributes:
        axis: its index, as ONNX has it.
        local: lambda, by how much the logarithm of a result may change by its own evaluation.
    """

    axis: int
    local: float


@dataclass(frozen=True)
class _Moved:
    """By how much the logarithm of a softmax moves.

    Attributes:
        z: in units.
        largest: A, in units, but for its scale; infinite where an E is not finite.
        scale: of E.
    """

    z: ir.Value
    largest: ir.Value
    scale: float


def softmax(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = exp(x - m) / s, s the sum of n of them in any order; the quotient may be a product with 1 / s.

    A common summand of all x changes nothing, so m may be any number. The difference x_j - m rounds once, so that every
    evaluation computes, but for lambda below, a softmax of numbers within

        E_j = e_j + u (|x'_j - m'| + 2e_j + 2 max e)

    of the exact x. The logarithm of softmax_i has the slope 1 - y_i in x_i and -y_k in x_k. Between two such x each
    y_k changes by a factor of at most b = exp(4 A + lambda), A = max E, which is at most 1 + 2 (4 A + lambda) up to
    A = 1/5. By the mean value theorem log y_i changes by at most

        G_i = b ((1 - y'_i + 2 lambda) E_i + sum over k of y'_k E_k - y'_i E_i)

    What exp, the sum and the quotient round is lambda = 2 alpha + gamma_(n+1), of the logarithm. With z = G_i + lambda

        |y - exact| <= y'_i e^z (e^z - 1) + flushes <= y'_i z (1 + 2z) + flushes      for z up to 1/4

    Every y lies between 0 and 1 + lambda: where z or A is larger, that bounds it. What exp's beta and flushed results
    change is at most (n + 2)(beta + 2^-126) / s, and s is at least 1 - alpha, which its largest term is.

    **Masked numbers** (`masks`). Let F be those whose ceiling lies 128 below the floor of the largest: in every
    evaluation, and exactly, e^(x_j - m) is less than e^-100 < 2^-126 / 8 there, or zero where x_j is minus infinity,
    and is computed as at most 2^-126. To the others that is one more number that is flushed: all above holds of them
    alone, with E_j = 0 for the rest, whose y_j, computed and exact, are at most 2^-126 + beta.
    """
    x = builder.operand(node)
    axis = _axis(node, x)
    total, scale = builder.tensor(x)
    largest = builder.emit("ReduceMax", _reduced(builder, x, axis), {"keepdims": 1})
    below = builder.emit("Mul", [builder.emit("Sub", [largest, x]), builder.number(2 * (1 + 16 * U) / scale)])
    error = builder.emit("Add", [total, below])  # E, in units, but for the scale and 8u of the largest
    far = _far(builder, x, axis)
    if far is not None:
        error = builder.emit("Where", [far, builder.initializer(np.zeros(1, np.float32)), error])
    known = error, scale * (1 + 32 * U)
    moved = _moved(builder, node, known, known, axis)
    bound = _claimed(builder, node, moved, axis)
    bound = bound if far is None else replace(bound, constant=2 * bound.constant)
    _record(builder, node, (x, far, known, moved), axis, bound)
    return bound


def _record(
    builder: BoundBuilder,
    node: ir.Node,
    given: tuple[ir.Value, ir.Value | None, tuple[ir.Value, float], _Moved],
    axis: _Axis,
    result: Bound,
) -> None:
    """Record the step: a softmax of numbers that err by u (|x'_j - max'| + 2e_j + 2 max e) alone, and the Jacobian.

    What a mask adds of its own, which may be huge where it masks, is handed on to here, and left out there.

    Args:
        builder: the graph.
        node: the softmax.
        given: x, which of its numbers are masked, E, and what that makes of the logarithm.
        axis: of the softmax.
        result: the whole error bound.
    """
    x, far, whole, moved = given
    if not fits(builder, node, x) or axis.axis % len(x.shape or ()) == 0:
        return
    largest = builder.emit("ReduceMax", _reduced(builder, x, axis), {"keepdims": 1})
    total, scale = builder.tensor(x)
    error = builder.emit("Mul", [builder.emit("Sub", [largest, x]), builder.number(2 * (1 + 32 * U) / scale)])
    if far is not None:
        handed = handed_on(builder, x) if x in builder.steps else None
        if handed is None:
            return
        mine, factor = builder.summed(x, handed)
        error = builder.emit("Add", [error, builder.emit("Mul", [mine, builder.number(factor * (1 + 8 * U))])])
    error = builder.emit("Add", [error, builder.emit("Mul", [total, builder.number(8 * U)])])
    if far is not None:
        error = builder.emit("Where", [far, builder.initializer(np.zeros(1, np.float32)), error])
    most = builder.emit("ReduceMax", _reduced(builder, whole[0], axis), {"keepdims": 1})
    error = builder.emit("Add", [error, builder.emit("Mul", [most, builder.number(8 * U)])])
    part = _moved(builder, node, (error, scale * (1 + 32 * U)), whole, axis)
    own = replace(_claimed(builder, node, part, axis, moved), constant=result.constant)
    builder.set(node.outputs[0], result)
    own = with_remainder(builder, own, _remainder(builder, node, (x, far), axis))
    record(builder, node, own, [(x, near(builder, partial(_jacobian, builder, node, far, axis)))])


def _remainder(builder: BoundBuilder, node: ir.Node, given: tuple[ir.Value, ir.Value | None], axis: _Axis) -> Bound:
    """Return a bound of (S - d)(x~ - x), d = diag(y') - y' y'^T.

    Every softmax Y of numbers between x and x~ lies within m = 2e_y of y', and the same of Y y^T: by elements it is at
    most m_i (e_i + sum of y'_k e_k) + (y'_i + m_i) sum of m_k e_k. Masked numbers count as constant.
    """
    (x, far), y = given, node.outputs[0]
    (total, scale), moved = builder.tensor(x), builder.absolute(y, 2.0)
    if far is not None:
        total = builder.emit("Where", [far, builder.initializer(np.zeros(1, np.float32)), total])
    sums = [
        builder.emit("ReduceSum", _reduced(builder, builder.emit("Mul", [one, total]), axis), {"keepdims": 1})
        for one in (y, moved)
    ]
    first = builder.emit("Mul", [moved, builder.emit("Add", [total, sums[0]])])
    second = builder.emit("Mul", [builder.emit("Add", [y, moved]), sums[1]])
    return Bound(builder.emit("Add", [first, second]), scale * (1 + gamma(round(axis.local / U) + 16)))


def _jacobian(builder: BoundBuilder, node: ir.Node, far: ir.Value | None, axis: _Axis) -> Near:
    """Return diag(y') - y' y'^T, whose norm is at most 1/2 and a little.

    a y', its sum over n numbers, a difference and a product with y' round at most n + 3 times, which is no more than
    gamma_(n+4) (||y' a|| + ||y'||^2 ||a||). Masked numbers have no part in it.
    """
    y = node.outputs[0]
    rank = len(y.shape or ())
    place = axis.axis % rank
    reduced = builder.initializer(np.array([place + 1]))

    def apply(adjoint: ir.Value) -> ir.Value:
        beside = behind_seeds(builder, y)
        total = builder.emit("ReduceSum", [builder.emit("Mul", [adjoint, beside]), reduced], {"keepdims": 1})
        found = builder.emit("Mul", [builder.emit("Sub", [adjoint, total]), beside])
        if far is None:
            return found
        return builder.emit("Where", [behind_seeds(builder, far), builder.initializer(np.zeros(1, np.float32)), found])

    reach = builder.number(np.full((1,) * rank, 0.5625))
    return Near(apply, sizes_of(y), reach, 4 * gamma(sizes_of(y)[place - 1] + 4))


def _far(builder: BoundBuilder, x: ir.Value, axis: _Axis) -> ir.Value | None:
    """Return which numbers lie 128 below the largest in every evaluation; None where no mask can have put them there.

    The largest is at least the largest x' - 2e. A number that is not finite has no such floor.
    """
    above = ceiling(builder, x)
    if above is None:
        return None
    total, scale = builder.tensor(x)
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 32 * U))])
    size = builder.emit("Mul", [builder.magnitude(x), builder.number(16 * U)])
    low = builder.emit("Sub", [builder.emit("Sub", [x, reach]), size])
    known = builder.emit("Less", [total, builder.initializer(np.array([np.inf], np.float32))])
    low = builder.emit("Where", [known, low, builder.initializer(np.array([-np.inf], np.float32))])
    floor = builder.emit("ReduceMax", _reduced(builder, low, axis), {"keepdims": 1})
    return builder.emit(
        "Less", [builder.emit("Sub", [above, floor]), builder.initializer(np.array([-_FAR], np.float32))]
    )


def _axis(node: ir.Node, x: ir.Value) -> _Axis:
    """Return the axis, whose size must be known."""
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else -1
    size = None if x.shape is None or not -len(x.shape) <= axis < len(x.shape) else x.shape[axis]
    if not isinstance(size, int) or size < 1:
        raise refusal(node, "it sums over a dynamic dimension", FIXED_SIZE)
    known = 2 * accuracy("Exp").alpha + gamma(size + 1)
    if known > 2.0**-8:
        raise refusal(node, f"a sum of {size} numbers")
    return _Axis(axis, known * (1 + 4 * known))


def _reduced(builder: BoundBuilder, value: ir.Value, axis: _Axis) -> list[ir.Value]:
    return [value, builder.initializer(np.array([axis.axis]))]


def _moved(
    builder: BoundBuilder, node: ir.Node, asked: tuple[ir.Value, float], known: tuple[ir.Value, float], axis: _Axis
) -> _Moved:
    """Return what an error of x makes of the logarithm of y, with what its evaluation adds.

    Args:
        builder: the graph.
        node: the softmax.
        asked: the error of x, in units, and its scale.
        known: E, within which every x lies, likewise: the same, or larger.
        axis: of the softmax.
    """
    y, (error, scale), (most, most_scale), local = node.outputs[0], asked, known, axis.local
    infinite = builder.initializer(np.array([np.inf], np.float32))
    finite = builder.emit("Less", [most, infinite])
    largest = builder.emit("ReduceMax", _reduced(builder, builder.emit("Where", [finite, most, infinite]), axis),
                           {"keepdims": 1})  # fmt: skip
    weighted = builder.emit("Mul", [y, error])
    mean = builder.emit("ReduceSum", _reduced(builder, weighted, axis), {"keepdims": 1})
    mean = builder.emit("Mul", [mean, builder.number(1 + 2 * local)])
    rest = builder.emit("Add", [mean, builder.emit("Mul", [largest, builder.number(64 * U)])])
    own = builder.emit("Sub", [builder.number(1 + 4 * local), builder.emit("Add", [y, y])])
    moved = builder.emit("Add", [builder.emit("Mul", [own, error]), rest])
    growth = builder.emit("Mul", [largest, builder.number(8 * UNIT * scale * most_scale * (1 + 16 * U))])
    growth = builder.emit("Add", [growth, builder.number((1 + 2 * local) * scale)])
    z = builder.emit("Add", [builder.emit("Mul", [growth, moved]), builder.number(local / UNIT)])
    return _Moved(z, largest, most_scale)


def _claimed(builder: BoundBuilder, node: ir.Node, moved: _Moved, axis: _Axis, whole: _Moved | None = None) -> Bound:
    """Return what is claimed: y z (1 + 2z), or 1 where z or A is large, or infinity where A is not finite.

    Args:
        builder: the graph.
        node: the softmax.
        moved: the logarithm.
        axis: of the softmax.
        whole: for a part of its movement, by how much it moves in all: (1 + 4z) times as much is claimed.
    """
    y, z = node.outputs[0], moved.z
    bend = builder.emit("Add", [builder.emit("Mul", [z, builder.number(2 * UNIT)]), builder.number(1.0)])
    total = builder.emit("Mul", [builder.emit("Mul", [y, z]), bend])
    near = _is_near(builder, moved)
    if whole is not None:
        bend = builder.emit("Add", [builder.emit("Mul", [whole.z, builder.number(4 * UNIT)]), builder.number(1.0)])
        total, near = builder.emit("Mul", [total, bend]), builder.emit("And", [near, _is_near(builder, whole)])
    one, infinite = builder.number([(1 + 2 * axis.local) / UNIT]), builder.initializer(np.array([np.inf], np.float32))
    far = builder.emit("Where", [builder.emit("Less", [moved.largest, infinite]), one, infinite])
    n, beta = round(axis.local / U) + 4, accuracy("Exp").beta
    constant = (n + 8) * (FLUSHED + 2 * (beta + FLUSH) / UNIT)
    return Bound(builder.emit("Where", [near, total, far]), 1 + 64 * U, 0.0, constant)


def _is_near(builder: BoundBuilder, moved: _Moved) -> ir.Value:
    """Whether the logarithm moves by less than 1/4, and A is less than 1/5."""
    most = builder.emit("Mul", [moved.largest, builder.number(1.25 * moved.scale)])
    asked = builder.emit("Add", [moved.z, most])
    return builder.emit("Less", [asked, builder.initializer(np.array([_LARGEST / UNIT], np.float32))])


def worst_cases() -> list[WorstCase]:
    """Return numbers over a range, a sum of powers that loses its halves, and a number that errs beside another."""
    lost = np.full((1, K), -16.6356, np.float32)  # e^x just below u
    lost[0, 0] = 0
    masked: list[Node] = [("Add", ["features", "mask"], {}), ("Softmax", ["Add0"], {})]
    put: list[Node] = [("Where", ["masked", "lowest", "features"], {}), ("Softmax", ["Where0"], {})]
    last = np.arange(K) == K - 1
    some = {"mask": np.where(last, -np.inf, 0).astype(np.float32), "masked": last, "lowest": np.float32(-1e9)}
    beside: list[Node] = [
        ("Slice", ["features", "0", "1", "1"], {}),
        ("Concat", ["Gemm0", "Slice1"], {"axis": 1}),
        ("Softmax", ["Concat2"], {}),
    ]
    one = dict(INTEGERS) | {"w": ones(1, K), "b": ones(1)}
    return [
        WorstCase("Softmax", [("Softmax", ["features"], {"axis": 1})], {}, uniform(-4, 4, 200, 3), 3, overflows=False),
        WorstCase("Softmax, halves lost", [("Softmax", ["features"], {})], {}, lost, K, overflows=False),
        WorstCase("Softmax, masked", masked, some, lost, K, overflows=False),
        WorstCase("Softmax, some put away", put, some, lost, K, overflows=False),
        behind_gemm("Softmax of a sum", beside, one, outputs=2),
    ]


OPERATOR = OperatorRule(
    "Softmax",
    "y' z (1 + 2z), z = (1 - y') e + sum of y' e + 2 alpha + gamma_(n+1), and u abs(x' - max) in e; never above 1",
    softmax,
    worst_cases,
    aten=(AtenOperator("_softmax"),),
    never_negative=True,
)
