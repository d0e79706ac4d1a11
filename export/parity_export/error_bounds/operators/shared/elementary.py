"""Elementary functions of the table, the error bounds that activations share.

L is the Lipschitz constant over [x' - 2e, x' + 2e], and f' one compliant result:

    |f~(x~) - f(x)| <= |f~(x~) - f(x~)| + |f(x~) - f(x)| <= alpha |f(x~)| + beta + L e
                    <= L e (1 + 2 alpha) + (alpha |f'| + beta)(1 + 4 alpha) + flushes
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from parity_export.error_bounds.adjoints.pulls import Slopes
from parity_export.error_bounds.adjoints.steps import pass_through, sloping, through
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, accuracy, measured_function
from parity_export.error_bounds.norms.passing import elementwise
from parity_export.error_bounds.operator_rule import ErrorRule
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U

_LOOSE = 4.1
"""By how many times alpha + beta a slope that is computed from a result may be off: 2 x 2.01, for Tanh."""

_ON_THE_WAY = 0.75 * (1 + 2 * U)
"""Of 2e: how far points between x and x~ are from x' in the mean, since x is within e of it and x~ - x within e."""

_GROWING = 8.0
"""Units of |f| that a function without a bound has at least: 8 |f| overflows at 2^125, where the table ends."""


def exact_sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + e^-x), accurate to a few units of float64 and without overflow."""
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


def exact_softplus(x: Tensor) -> Tensor:
    """Return log(1 + e^x), accurate to a few units of float64 and without overflow."""
    return torch.log1p(torch.exp(-x.abs())) + x.clamp(min=0)


def exact_elu(x: Tensor) -> Tensor:
    """Return x, or e^x - 1 below zero."""
    return torch.where(x > 0, x, torch.expm1(x))


@dataclass(frozen=True)
class Derivative:
    """The derivative of a function where x is, for a backward pass.

    Attributes:
        compute: appends it, from the function's node and x, and how far it may be off.
        curvature: the largest |f''| over all reals, rounded upward; where f' has kinks, of all between them.
    """

    compute: Callable[[BoundBuilder, ir.Node, ir.Value], tuple[ir.Value, ir.Value]]
    curvature: float


def _of_an_exponential(builder: BoundBuilder, node: ir.Node, _: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return the derivative of x, or e^x - 1 below zero, from the result: 1 + f below zero, else 1.

    Below zero |f| < 1, so that f' lies within alpha + beta of f; the sum rounds by at most u.
    """
    known = accuracy(node.op_type)
    below = builder.emit("Min", [node.outputs[0], builder.initializer(np.zeros(1, np.float32))])
    return builder.emit("Add", [below, builder.number(1.0)]), builder.number(known.alpha + known.beta + 4 * U)


EXPONENTIAL = Derivative(_of_an_exponential, 1.0)
"""Of Elu and Celu: e^x is at most 1 below zero, and f' = 1 on both sides of it."""


def of_one_slope(*functions: Elementary, derivatives: Mapping[str, Derivative] = MappingProxyType({})) -> ErrorRule:
    """Return the rule of an operator that is one of some functions, by its attributes: see `with_one_slope`.

    Args:
        functions: told apart by the node's attributes.
        derivatives: of those that a backward pass goes through, by their names.
    """

    def rule(builder: BoundBuilder, node: ir.Node) -> Bound:
        function, x = measured_function(node, functions), builder.operand(node)
        result = with_one_slope(builder, function, x)
        if function.name in derivatives:
            go_through(builder, function, node, (x, derivatives[function.name]), result)
        return result

    return rule


def formula(*functions: Elementary) -> str:
    """Return the error bound of `of_one_slope` in a line."""
    return f"L e + alpha abs(f') + beta, L = {max(function.slope for function in functions):.5g} over all reals"


def with_one_slope(builder: BoundBuilder, function: Elementary, x: ir.Value) -> Bound:
    """V = f(x) of the table, slope L over all reals: |v - exact| <= L e (1 + 2 alpha) + alpha |f'| + beta, and flushes.

    |f(x)| of another compliant x is at most |f(x')| + 2 L e, and |f(x')| <= (|f'| + beta) / (1 - alpha).
    """
    total, scale = builder.tensor(x)
    steepest = max(1.0, function.slope)
    if function.slope < 1:
        total = builder.emit("Mul", [builder.shielded(total), builder.number(function.slope)])
    scale *= steepest * (1 + 2 * function.accuracy().alpha) * (1 + 4 * U)
    return _with_norm(builder, function, x, evaluated(function, total, scale))


def go_through(
    builder: BoundBuilder, function: Elementary, node: ir.Node, taken: tuple[ir.Value, Derivative], result: Bound
) -> None:
    """Record the step of a function whose derivative is known where x is.

    Args:
        builder: the graph.
        function: f.
        node: computes f(x).
        taken: x, and f'.
        result: the whole error bound.
    """
    x, _ = taken
    slopes = slopes_of(builder, node, taken, function.slope)

    def rule(error: ir.Value, factor: float) -> Bound:
        return evaluated(function, builder.emit("Mul", [error, slopes().reach]), factor * (1 + 8 * U))

    pass_through(builder, node, x, sloping(rule, builder, x, slopes, share(function)), result)


def slopes_of(
    builder: BoundBuilder, node: ir.Node, taken: tuple[ir.Value, Derivative], steepest: float
) -> Callable[[], Slopes]:
    """Return what makes the slopes of a function whose derivative is known where x is.

    Args:
        builder: the graph.
        node: computes f(x).
        taken: x, and f'.
        steepest: the largest |f'| over all reals.
    """
    x, derivative = taken

    @cache
    def slopes() -> Slopes:
        nominal, loose = derivative.compute(builder, node, x)
        total, scale = builder.tensor(x)
        bend = builder.emit("Mul", [total, builder.number(2 * derivative.curvature * UNIT * scale * (1 + 16 * U))])
        reach = builder.emit("Add", [builder.magnitude(nominal), builder.emit("Add", [bend, loose])])
        off = builder.emit("Add", [builder.emit("Mul", [bend, builder.number(_ON_THE_WAY)]), loose])
        return Slopes(nominal, reach, off, steepest)

    return slopes


def with_local_slope(
    builder: BoundBuilder, function: Elementary, node: ir.Node, base: ir.Value, curvature: float
) -> Bound:
    """V = f(x), the slope taken where x is: e (base + 2 curvature e) and what the evaluation adds.

    Args:
        builder: the graph.
        function: f, whose values are bounded.
        node: takes x.
        base: at least |f'(x')|'s slope and 16 u, which pay for the roundings here; more by at most `_LOOSE` of
            alpha + beta, and 32 u.
        curvature: the largest |f''| over all reals, rounded upward.
    """
    x, known = builder.operand(node), function.accuracy()
    total, scale = builder.tensor(x)
    bend = builder.emit("Mul", [total, builder.number(2 * curvature * UNIT * scale * (1 + 16 * U))])
    slope = builder.emit("Add", [base, bend])

    def rule(error: ir.Value, factor: float) -> Bound:
        factor *= (1 + 2 * known.alpha) * (1 + 16 * U)
        return evaluated(function, builder.emit("Mul", [slope, error]), factor)

    @cache
    def slopes() -> Slopes:
        loose = builder.number(_LOOSE * (known.alpha + known.beta) + 40 * U)
        middle = builder.emit("Mul", [bend, builder.number(_ON_THE_WAY)])
        return Slopes(base, slope, builder.emit("Add", [middle, loose]), function.slope)

    passing = sloping(rule, builder, x, slopes, share(function))
    return _with_norm(builder, function, x, through(builder, node, x, passing))


def share(function: Elementary) -> float:
    """Return which part of the whole error of f(x) its evaluation errs by: alpha |f(x~)| <= alpha (|f'| + 2 L e)."""
    return 2 * function.accuracy().alpha * (1 + 2.0**-10)


def _with_norm(builder: BoundBuilder, function: Elementary, x: ir.Value, result: Bound) -> Bound:
    """Return an error bound with its norm: the slope over all reals times that of x."""
    return elementwise(builder, x, result, function.slope * (1 + 2 * function.accuracy().alpha))


def ended(builder: BoundBuilder, value: ir.Value, total: ir.Value) -> ir.Value:
    """Return an error bound that is NaN where 8 |v| overflows, and the same elsewhere: there the table ends."""
    eight = builder.emit("Mul", [value, builder.number(8.0)])
    return builder.emit("Add", [total, builder.emit("Sub", [eight, eight])])  # 0, or no number


def evaluated(function: Elementary, total: ir.Value | None, scale: float, *, ends: bool = False) -> Bound:
    """Return the error bound of f, of what its argument's error makes of it and what its own evaluation adds.

    That is alpha |f'| + beta, and the flushed result.

    Args:
        function: f.
        total: L e (1 + 2 alpha), in units, but for the scale; None for what the evaluation adds alone.
        scale: to apply.
        ends: whether the total claims nothing where the table ends (`ended`).
    """
    known = function.accuracy()
    more = 1 + 4 * known.alpha + 4 * U
    relative = known.alpha / UNIT * more
    kept = relative if function.bounded or ends else max(relative, _GROWING)
    return Bound(total, scale, kept, known.beta / UNIT * more + 2 * FLUSHED)
