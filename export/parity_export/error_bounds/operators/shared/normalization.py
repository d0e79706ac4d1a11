"""Normalization by mean and variance, the error bound that LayerNormalization and InstanceNormalization share.

y = g (x - mu) / sigma + b over n numbers, mu their mean and sigma = sqrt(variance + epsilon). A compliant evaluation
sums in any order, takes the variance as the mean of (x - mu)^2 or as that of x^2 less mu^2, and y as it is written or
as x (g / sigma) + (b - mu g / sigma), also with g behind. rms is the root of the mean of squares.

**What the error e of x makes of it.** The centre c = x - mu moves by at most dc = e + mean(e), and sigma, a Euclidean
norm of c, which is a projection of x, by at most D = rms(e):

    |c~ / sigma~ - c / sigma| <= (dc + |c| D / sigma) / sigma~

**What its own evaluation adds.** The mean is off by at most eta = gamma_(n+10) mean(|x|). The variance is off by at
most gamma_(n+20) (mean(x^2) + 2 |mu| mean(|x|)). By one pass mean(x^2) is rounded n + 2 times, mu^2 is off by
2 |mu| eta + eta^2 and one rounding, and their difference rounds once. By two passes the centre is off by eta, which is
orthogonal to it, so that its mean of squares is off by eta^2 and gamma_(n+4) of itself. eta^2 is at most gamma_n^2 of
mean(x^2), which enlarges gamma_n where it counts. What is left of the 20 holds the sum with epsilon, the square root
(5 u), and the reciprocal or quotient, twice each, since 1 / sigma takes half. Of sigma^2 all that is the share r;
1 / sigma is off by at most (r / 2)(1 + r) of itself, for r up to 1/4. Each of x, mu and b takes part in at most 5
roundings beside:

    |g| (eta + |c| (r / 2)(1 + r) + gamma_5 (|x| + |mu|)) (1 + r) / sigma + gamma_5 |b|

**Norms.** The exact function c -> c / sigma has the Jacobian (I - c c* / (n sigma^2)) / sigma, whose norm is at most
1 / sigma, and on the way from c to c~ no sigma is below sigma' - 2 rho / sqrt(n), rho the norm of x's error: it is
multiplied by at most max |g| / low. What an evaluation adds has a norm of at most sqrt(n) times

    |g| (eta + sigma (r / 2)(1 + r) + gamma_5 (sigma + 2 |mu|)) (1 + r) / low

because the mean of squares of c is at most sigma^2, and that of x at most (sigma + |mu|)^2.

**From what the graph computes**, by two passes of its own: any sigma is within W = 2 D + eta + gamma_(n+32) sigma' of
sigma', and nothing is claimed unless 2 W < sigma' and r < 1/4. The sum of squares times four must not overflow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.near import Curved, Near, near, paid_for
from parity_export.error_bounds.adjoints.pulls import behind_seeds
from parity_export.error_bounds.adjoints.steps import fits, record, sizes_of
from parity_export.error_bounds.bound import Bound, Norm
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.error_norm import norm_of, whole
from parity_export.error_bounds.rounding_model import FLUSH, FLUSHED, UNIT, U, gamma

_SMALLEST, _LARGEST = 2.0**-60, 2.0**60
"""Of epsilon and of g: then no quotient here is flushed, and none overflows by itself."""

OUTSIDE = 5
"""Roundings that x, mu and b take part in beside those of sums."""


@dataclass(frozen=True)
class Normalization:
    """What is normalized, and by what.

    Attributes:
        axes: of x that are normalized over.
        count: n, how many numbers that are.
        factor: g, of a shape that broadcasts against x.
        shift: |b|, alike.
        epsilon: that is added to the variance.
    """

    axes: tuple[int, ...]
    count: int
    factor: NDArray[np.float64]
    shift: NDArray[np.float64]
    epsilon: float

    @property
    def gain(self) -> NDArray[np.float64]:
        """|g|."""
        return np.abs(self.factor)


@dataclass(frozen=True)
class Row:
    """Numbers of one mean and variance, each a tensor of the graph.

    Attributes:
        error: the mean of e, in units, but for its scale.
        spread: the root of the mean of e^2, likewise.
        centre: x' - mu', of x's shape.
        size: at least the mean of |x|, of any x.
        middle: at least |mu|, of any x.
        sigma: sigma'.
        eta: how far any mean may be off.
        reach: W.
        scale: of ``error`` and ``spread``.
    """

    error: ir.Value
    spread: ir.Value
    centre: ir.Value
    size: ir.Value
    middle: ir.Value
    sigma: ir.Value
    eta: ir.Value
    reach: ir.Value
    scale: float


class Nodes:
    """Nodes by a word each."""

    def __init__(self, builder: BoundBuilder, axes: Sequence[int]) -> None:
        self._builder, self._axes = builder, builder.initializer(np.array(axes))

    def __call__(self, op_type: str, *operands: ir.Value | float) -> ir.Value:
        """Append a node, numbers among its operands rounded upward."""
        values = [self._builder.number([x]) if isinstance(x, float) else x for x in operands]
        return self._builder.emit(op_type, values)

    def sum(self, *operands: ir.Value | float) -> ir.Value:
        """Append a sum, from the first operand on."""
        total = self("Add", *operands[:2])
        for one in operands[2:]:
            total = self("Add", total, one)
        return total

    def mean(self, value: ir.Value) -> ir.Value:
        """Append the mean over the axes, which are kept."""
        return self._builder.emit("ReduceMean", [value, self._axes], {"keepdims": 1})


def normalized(builder: BoundBuilder, node: ir.Node, what: Normalization, x: ir.Value | None = None) -> Bound:
    """Return the error bound of a normalization of x, by default a node's first input: see the module's text."""
    n, x = what.count, x or builder.operand(node)
    used = what.gain[what.gain > 0]
    if not _SMALLEST <= what.epsilon <= _LARGEST or (used < _SMALLEST).any() or (used > _LARGEST).any():
        raise refusal(node, "its epsilon or its scale is tiny or huge")
    if ((what.shift > 0) & (what.shift < FLUSH)).any():
        raise refusal(node, "its bias is subnormal")
    total, scale = builder.tensor(x)
    emit = Nodes(builder, what.axes)
    norm = None if norm_of(builder, x) is None else whole(builder, x, what.axes)
    norm = norm if norm is not None and norm.axes == what.axes else None
    row = _row(builder, emit, (x, total, scale), what, norm)
    low = emit("Sub", row.sigma, row.reach)
    share = _variance(builder, emit, row, low, n)
    inverse = emit("Div", emit("Add", share, 1 + 8 * U), low)  # (1 + r) / sigma, at most
    slope = emit("Div", row.spread, low)
    slope = emit.sum(slope, emit("Mul", emit("Mul", share, emit("Add", share, 1.0)), 0.5 / UNIT))
    own = emit("Add", emit("Mul", slope, 2 * UNIT * scale * (1 + 8 * U)), 1 + 16 * U)
    each = emit("Mul", emit("Add", total, row.error), own)
    each = emit.sum(each, emit("Mul", emit("Abs", row.centre), slope))
    each = emit.sum(each, emit("Mul", builder.magnitude(x), gamma(OUTSIDE) / UNIT))
    common = emit.sum(emit("Mul", row.reach, slope), emit("Mul", row.size, gamma(n + 10) / UNIT))
    common = emit.sum(common, emit("Mul", row.middle, gamma(OUTSIDE) / UNIT), 8 * FLUSHED)
    each = emit("Mul", emit("Add", each, common), inverse)
    each = builder.emit("Mul", [builder.shielded(each), builder.number(what.gain)])
    if what.shift.any():
        each = builder.emit("Add", [each, builder.number(gamma(OUTSIDE) / UNIT * what.shift)])
    claimed = where_claimed(builder, emit, (row, share), each)
    result = Bound(claimed, scale * (1 + gamma(2 * n + 64)), 0.0, 16 * FLUSHED * max(1.0, float(what.gain.max())))
    if fits(builder, node, x) and min(what.axes) > 0:
        _record(builder, node, x, (emit, row, share), (what, result))
    if norm is None:
        return result
    return replace(result, norm=_norm(builder, emit, (norm, row, result), what))


def _record(
    builder: BoundBuilder,
    node: ir.Node,
    x: ir.Value,
    known: tuple[Nodes, Row, ir.Value],
    whole: tuple[Normalization, Bound],
) -> None:
    """Record the step: what an evaluation adds of its own, of any x~, and the Jacobian where x is.

    |c~| is at most |c'| + 2 (e + mean(e)) + eta, and r holds for any x.
    """
    (emit, row, share), (what, result) = known, whole
    n, low = what.count, emit("Sub", row.sigma, row.reach)
    inverse = emit("Div", emit("Add", share, 1 + 8 * U), low)
    half = emit("Mul", emit("Mul", share, emit("Add", share, 1.0)), 0.5)
    reached = emit("Add", builder.absolute(x, 2.0), emit("Mul", row.error, 2 * UNIT * row.scale))
    centre = emit.sum(emit("Abs", row.centre), reached, row.eta)
    size = emit.sum(builder.magnitude(x), reached, row.middle)
    each = emit.sum(emit("Mul", centre, half), row.eta, emit("Mul", size, gamma(OUTSIDE)), 8 * FLUSH)
    each = emit("Mul", emit("Mul", each, inverse), builder.number(what.gain * (1 + gamma(n + 64)) / UNIT))
    if what.shift.any():
        each = builder.emit("Add", [each, builder.number(gamma(OUTSIDE) / UNIT * what.shift)])
    own = where_claimed(builder, emit, (row, share), each)
    bound = Bound(own, 1 + gamma(n + 32), 0.0, result.constant)
    jacobian = cache(partial(_jacobian, builder, (emit, row, share), what, sizes_of(x)))
    pull = paid_for(builder, near(builder, lambda: jacobian()[0]), lambda: jacobian()[1])
    record(builder, node, bound, [(x, pull)])


def _jacobian(
    builder: BoundBuilder, known: tuple[Nodes, Row, ir.Value], what: Normalization, sizes: tuple[int, ...]
) -> tuple[Near, Curved]:
    """Return J = (1 / sigma) (1 - 1 1^T / n - h h^T / n) diag(g), transposed, and how far any is from it.

    J without g changes by at most 2 / (sqrt(3) sqrt(n) sigma^2) times what x moves by, and x is moved by at most 1.5
    sqrt(n) D in the mean between x and x~. The J that is computed at x' is off by its own h and sigma': with q at least
    ||h - c / sigma|| / sqrt(n) and what sigma' is off by, over low, by at most (q / low) (3 + 3q + q^2). Times x~ - x,
    at most sqrt(n) D.
    """
    (emit, row, share), n = known, what.count
    low, highest = emit("Sub", row.sigma, row.reach), emit("Add", row.sigma, row.reach)
    added = emit("Mul", emit("Mul", emit("Mul", share, emit("Add", share, 1.0)), highest), 0.5)
    added = emit.sum(added, emit("Mul", emit.sum(highest, row.middle, row.middle), gamma(OUTSIDE)), row.eta)
    added = emit.sum(emit("Mul", added, emit("Add", share, 1 + 8 * U)), row.eta, emit("Mul", row.sigma, gamma(n + 32)))
    q = emit("Div", emit("Add", added, 8 * FLUSH), low)
    curve = emit("Add", emit("Mul", emit("Add", q, 3.0), q), 3.0)  # 3 + 3q + q^2
    spread = emit("Mul", row.spread, UNIT * row.scale)
    bend = emit("Add", emit("Mul", emit("Div", spread, low), 3 / math.sqrt(3)), emit("Mul", q, curve))
    gain = builder.number(np.maximum(what.gain, FLUSH) * (1 + 16 * U))
    reach = emit("Div", gain, low)
    most = emit("Mul", emit("Mul", bend, spread), math.sqrt(n) * (1 + gamma(n + 64)))
    curved = Curved(emit("Mul", reach, most), what.axes, n)
    grown = emit("Mul", emit("Add", q, 1 + 8 * U), emit("Add", q, 1 + 8 * U))
    inverse = emit("Div", builder.number([1.0]), row.sigma)
    h = emit("Mul", row.centre, inverse)
    axes = builder.initializer(np.array([axis + 1 for axis in what.axes]))

    def apply(adjoint: ir.Value) -> ir.Value:
        beside = behind_seeds(builder, h)
        times = builder.emit("Mul", [adjoint, builder.initializer(what.factor.astype(np.float32))])
        mean = builder.emit("ReduceMean", [times, axes], {"keepdims": 1})
        along = builder.emit("ReduceMean", [builder.emit("Mul", [times, beside]), axes], {"keepdims": 1})
        rest = builder.emit("Sub", [times, mean])
        rest = builder.emit("Sub", [rest, builder.emit("Mul", [beside, along])])
        return builder.emit("Mul", [rest, behind_seeds(builder, inverse)])

    return Near(apply, sizes, emit("Mul", reach, grown), 3 * gamma(n + 8), flushes=2.0**34), curved


def _norm(builder: BoundBuilder, emit: Nodes, known: tuple[Norm, Row, Bound], what: Normalization) -> Norm:
    """Return the norm over the normalized axes: see the module's text."""
    (norm, row, result), n = known, what.count
    root, gain = math.sqrt(n) * (1 + 2.0**-40), max(float(what.gain.max()), _SMALLEST)
    spread = emit("Mul", norm.tensor, norm.scale * UNIT / math.sqrt(n) * (1 + 2.0**-20))  # rho / sqrt(n)
    reach = emit.sum(emit("Add", spread, spread), row.eta, emit("Mul", row.sigma, gamma(n + 32)))
    low, highest = emit("Sub", row.sigma, reach), emit("Add", row.sigma, reach)
    middle = emit("Add", row.middle, emit("Add", spread, spread))
    share = _variance(builder, emit, replace(row, reach=reach, middle=middle), low, n)
    inverse = emit("Div", emit("Mul", emit("Add", share, 1 + 8 * U), gain), low)
    own = emit("Mul", emit("Mul", emit("Mul", share, emit("Add", share, 1.0)), highest), 0.5 / UNIT)
    size = emit("Add", emit("Mul", emit("Add", emit("Add", middle, middle), highest), gamma(OUTSIDE)), row.eta)
    own = emit("Mul", emit.sum(own, emit("Mul", size, 1 / UNIT), 8 * FLUSHED), root)
    total = emit("Mul", emit("Add", emit("Mul", norm.tensor, norm.scale), own), inverse)
    most = float(what.shift.max()) * root
    total = emit(
        "Add", emit("Mul", total, 1 + gamma(2 * n + 128)), gamma(OUTSIDE) / UNIT * most + 64 * root * gain * FLUSHED
    )
    claimed = where_claimed(builder, emit, (replace(row, reach=reach), share), total)
    return replace(norm, tensor=claimed, layers=norm.layers + 1, beside=result.tensor, scale=1 + 8 * U)


def _row(
    builder: BoundBuilder,
    emit: Nodes,
    known: tuple[ir.Value, ir.Value, float],
    what: Normalization,
    norm: Norm | None,
) -> Row:
    """Return the numbers of one mean and variance; of x, its error in units, and its scale.

    The mean of |x~ - x| and the root of the mean of its squares are both at most its norm over sqrt(n).
    """
    (x, total, scale), n = known, what.count
    absolute = UNIT * scale * (1 + gamma(n + 32))
    error = emit.mean(total)
    spread = emit("Add", emit("Sqrt", emit.mean(emit("Mul", total, total))), 2.0**-62)  # what is flushed of squares
    if norm is not None:
        most = emit("Mul", norm.tensor, norm.scale / scale / math.sqrt(n) * (1 + 2.0**-20))
        error, spread = emit("Min", error, most), emit("Min", spread, most)
    mean = emit.mean(x)
    centre = emit("Sub", x, mean)
    squares = emit.mean(emit("Mul", centre, centre))
    sigma = builder.emit("Sqrt", [emit("Add", squares, float(np.float32(what.epsilon)))])
    size = emit.sum(emit.mean(builder.magnitude(x)), emit("Mul", error, 2 * absolute))
    eta = emit("Mul", size, gamma(n + 10) * (1 + gamma(n + 32)))
    middle = emit.sum(emit("Abs", mean), emit("Mul", error, 2 * absolute), eta)
    reach = emit.sum(emit("Mul", spread, 2 * absolute), eta, emit("Mul", sigma, gamma(n + 32)))
    return Row(error, spread, centre, size, middle, sigma, eta, reach, scale * (1 + gamma(n + 32)))


def _variance(builder: BoundBuilder, emit: Nodes, row: Row, low: ir.Value, n: int) -> ir.Value:
    """Return r, of which the sum of squares must not overflow: four times it does not."""
    highest = emit("Add", row.sigma, row.reach)
    squares = emit.sum(emit("Mul", highest, highest), emit("Mul", row.middle, row.middle))
    cross = emit("Mul", row.middle, row.size)
    squares = emit("Mul", emit.sum(squares, cross, cross), 4.0 * n)
    share = gamma(n) * (1 + 2 * gamma(n)) + gamma(20)
    relative = emit("Mul", builder.shielded(squares), share * (1 + gamma(2 * n + 64)) / (4.0 * n))
    return emit("Div", emit("Div", relative, low), low)


def where_claimed(builder: BoundBuilder, emit: Nodes, known: tuple[Row, ir.Value], each: ir.Value) -> ir.Value:
    """Return an error bound where 2W < sigma' and r < 1/4, and infinity elsewhere."""
    row, share = known
    infinite = builder.initializer(np.array([np.inf], np.float32))
    far = emit("Less", emit("Add", row.reach, row.reach), row.sigma)
    small = builder.emit("Less", [share, builder.initializer(np.array([0.25], np.float32))])
    return builder.emit("Where", [builder.emit("And", [far, small]), each, infinite])
