"""How a rule says what its operator adds of its own, beside the whole error bound that it returns.

An operator that works element by element hands on the own error of its operand with its own where nothing else takes
the operand: A . eta is then |A_y| (G own_x + own_y), G at least its slope, and one inner product with |A_y| stands for
both. Where the pass ends at the operand, it ends at the result, whose whole error is no more than that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Pull, Step
from parity_export.error_bounds.adjoints.pulls import Slopes, sloped, unchanged
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import U

Rule = Callable[[ir.Value, float], Bound]
"""From an error of the operand, a tensor and its scale, to that of the result."""

_NOTHING = Bound()


@dataclass(frozen=True)
class Passing:
    """How an operator y = f(x) works element by element.

    Attributes:
        rule: is asked with the whole error of x, and with the own errors that x hands on.
        pull: through f.
        share: of y's whole error, that its own roundings take as well: they are of f(x~), which is not f(x').
        remainder: makes a bound of (S - d)(x~ - x), which is own as well; None where d is S.
    """

    rule: Rule
    pull: Pull
    share: float = 0.0
    remainder: Callable[[], Bound] | None = None


def sloping(
    rule: Rule, builder: BoundBuilder, operand: ir.Value, made: Callable[[], Slopes], share: float = 0.0
) -> Passing:
    """Return how an operator of an operand works whose slopes the graph computes; D e is its own."""

    def remainder() -> Bound:
        total, scale = builder.tensor(operand)
        return Bound(builder.emit("Mul", [total, made().off]), scale * (1 + 8 * U))

    return Passing(rule, sloped(builder, made), share, remainder)


def through(builder: BoundBuilder, node: ir.Node, operand: ir.Value, passing: Passing) -> Bound:
    """Return the error bound of y = f(x), element by element, and record its step."""
    result = passing.rule(*builder.tensor(operand))
    pass_through(builder, node, operand, passing, result)
    return result


def pass_through(
    builder: BoundBuilder, node: ir.Node, operand: ir.Value, passing: Passing, result: Bound, *, alike: bool = True
) -> None:
    """Record the step of an operator whose whole error bound is known; where x hands nothing on, x counts as exact."""
    if not fits(builder, node, operand, alike=alike) or ends_at(builder, operand):
        return
    own = passing.rule(*builder.summed(operand, handed_on(builder, operand) or _NOTHING))
    own = with_share(builder, own, result, passing.share)
    if passing.remainder is not None:
        own = with_remainder(builder, own, passing.remainder())
    record(builder, node, own, [(operand, passing.pull)])


def same(builder: BoundBuilder, node: ir.Node, operand: ir.Value, pull: Pull = unchanged) -> Bound:
    """Return the error bound of x for a result that is x, or -x: all that is known of x."""
    record_same(builder, node, operand, pull)
    if builder.bound(operand).folding is not None and builder.backwards:
        hold(builder, node.outputs[0], lambda: held(builder, operand), whole=holds_a_map(builder, operand))
    return builder.bound(operand)


def record_same(builder: BoundBuilder, node: ir.Node, operand: ir.Value, pull: Pull) -> None:
    """Record the step of a result that is x, or -x."""
    if fits(builder, node, operand) and not ends_at(builder, operand):
        record(builder, node, handed_on(builder, operand) or _NOTHING, [(operand, pull)])


def record(
    builder: BoundBuilder, node: ir.Node, own: Bound, passages: Sequence[tuple[ir.Value, Pull]], output: int = 0
) -> None:
    """Record the step of a node, of one of its results."""
    own = Bound(own.tensor, own.scale, own.relative, own.constant)
    builder.steps[node.outputs[output]] = Step(own, tuple(passages))


def ends_at(builder: BoundBuilder, operand: ir.Value) -> bool:
    """Whether the pass ends at an operand that nothing else takes: its whole error is handed on."""
    return operand not in builder.steps and builder.takers[operand] == 1


def handed_on(builder: BoundBuilder, operand: ir.Value) -> Bound | None:
    """Return what a value hands on to the only operator that takes it, its own error; None where several take it."""
    if builder.takers[operand] != 1:
        return None
    if operand not in builder.steps:
        return builder.bound(operand)
    builder.handed_on.add(operand)
    return builder.steps[operand].own


def hold(builder: BoundBuilder, value: ir.Value, made: Callable[[], Bound], *, whole: bool) -> None:
    """Say what of the own error of a linear map arrives at a value behind it, if it has a step.

    Args:
        builder: the graph.
        value: the map's result, or what may be folded into the map.
        made: makes that error, of the value's shape; asked only where the value's step does not hold it.
        whole: whether the value's step holds it.
    """
    if whole and value in builder.steps:
        builder.whole.add(value)
        builder.held[value] = lambda: builder.steps[value].own
    else:
        builder.held[value] = cache(made)


def held(builder: BoundBuilder, value: ir.Value) -> Bound:
    """Return what of the own error of a linear map arrives at a value behind it; the value's whole error elsewhere.

    That is (n + 1) / 2 u of the sum of the terms' magnitudes at least, and tells what roundings more make of them.
    """
    return builder.held[value]() if value in builder.held else builder.bound(value)


def holds_a_map(builder: BoundBuilder, value: ir.Value) -> bool:
    """Whether the own error that a value hands on is that of the linear map before it, and so grows with it."""
    return value in builder.whole and builder.takers[value] == 1


def with_share(builder: BoundBuilder, own: Bound, total: Bound, share: float) -> Bound:
    """Return an own error and a share of the whole error."""
    if not share or total.tensor is None:
        return own
    tensor = builder.emit("Mul", [total.tensor, builder.number(share * total.scale)])
    if own.tensor is not None:
        tensor = builder.emit("Add", [own.tensor, tensor])
    relative, constant = own.relative + share * total.relative, own.constant + share * total.constant
    return Bound(tensor, own.scale * (1 + 4 * U), relative, constant)


def with_remainder(builder: BoundBuilder, own: Bound, remainder: Bound) -> Bound:
    """Return an own error and (S - d)(x~ - x), which is paid for where it arises."""
    return with_share(builder, own, remainder, 1.0)


def fits(builder: BoundBuilder, node: ir.Node, operand: ir.Value, *, alike: bool = True) -> bool:
    """Whether a backward pass may go from a node's result to an operand.

    Both have one row for each row of the batch, of known size; that the operator keeps rows apart is for its rule to
    know.

    Args:
        builder: the graph.
        node: gives the result.
        operand: of it.
        alike: whether both must be of one shape.
    """
    before, after = operand.shape, node.outputs[0].shape
    if not builder.backwards or before is None or after is None or min(len(before), len(after)) < 2:
        return False
    if any(not isinstance(size, int) for size in (*before[1:], *after[1:])):
        return False
    first = before[0]
    if alike:  # also in the number of rows, which one operand of a sum may have for itself alone
        return before == after and not isinstance(first, int) and first.value is not None
    return not isinstance(first, int) and not isinstance(after[0], int)


def sizes_of(value: ir.Value) -> tuple[int, ...]:
    """Return a value's sizes behind the batch, of those that are known."""
    return tuple(size for size in (value.shape or ())[1:] if isinstance(size, int))


def fits_broadcast(builder: BoundBuilder, node: ir.Node, operand: ir.Value) -> bool:
    """Whether a backward pass may go from a node's result to an operand that is broadcast against it.

    Both have as many axes, and a row of their own for each row of the batch.
    """
    before, after = operand.shape, node.outputs[0].shape
    if not builder.backwards or before is None or after is None or not 2 <= len(before) == len(after):
        return False
    if any(not isinstance(size, int) for size in (*before[1:], *after[1:])):
        return False
    return not isinstance(before[0], int) and before[0] == after[0] and before[0].value is not None
