"""Operators that move elements and change none: the same operator moves the error bound."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Pull
from parity_export.error_bounds.adjoints.chains import chain
from parity_export.error_bounds.adjoints.places import Part, put_back
from parity_export.error_bounds.adjoints.pulls import moved as moved_back
from parity_export.error_bounds.adjoints.pulls import negated
from parity_export.error_bounds.adjoints.rows import FIRST
from parity_export.error_bounds.adjoints.steps import (
    ends_at,
    fits,
    handed_on,
    held,
    hold,
    holds_a_map,
    record,
    record_same,
)
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.norms.passing import reshaped, transposed

_IN_ORDER = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""Operators that keep all elements in their order."""


def moved(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Reshape, Transpose, Slice, ...: what says where elements go must not depend on a computed value."""
    bound = builder.bound(builder.operand(node))
    for value in node.inputs[1:]:
        if value is not None and builder.knows(value):
            raise refusal(node, "where it takes elements from is computed")
    if bound.tensor is None:
        return bound

    def rule(part: Bound) -> Bound:
        total = part.tensor
        if total is not None:
            total = builder.emit(node.op_type, [total, *node.inputs[1:]], dict(node.attributes))
        return replace(part, tensor=total)  # also its folding: a backend may look through what only moves elements

    result, x = rule(bound), builder.operand(node)
    _record(builder, node, rule)
    if bound.folding is not None and builder.backwards:
        hands_on = node.outputs[0] in builder.steps and x in builder.handed_on
        whole = hands_on and holds_a_map(builder, x)
        hold(builder, node.outputs[0], lambda: rule(held(builder, x)), whole=whole)
    if node.op_type in _IN_ORDER:
        return reshaped(builder, node, result)
    return transposed(builder, node, result) if node.op_type == "Transpose" else result


def _record(builder: BoundBuilder, node: ir.Node, rule: Callable[[Bound], Bound]) -> None:
    """Record the step of an operator that keeps all elements of each row; nothing is rounded."""
    x, back = builder.operand(node), _back(builder, node)
    if fits(builder, node, x, alike=False):
        pull = _put_back(builder, node, x)
        if pull is not None:
            record(builder, node, Bound(), [(x, pull)])
            return
    if builder.rows.get(node.outputs[0]) == FIRST and builder.rows.get(x) != FIRST:
        found = chain(builder, node, partial(_part, builder))
        if found is not None and not builder.begins(found[0]):
            record(builder, node, Bound(), [found])
        return
    if back is None or not fits(builder, node, x, alike=False) or ends_at(builder, x):
        return
    handed = handed_on(builder, x)
    record(builder, node, Bound() if handed is None else rule(handed), [(x, moved_back(back, _sizes(x)))])


def _sizes(value: ir.Value) -> tuple[int, ...]:
    """Return a value's sizes behind the batch, of those that are known."""
    return tuple(size for size in (value.shape or ())[1:] if isinstance(size, int))


def _put_back(builder: BoundBuilder, node: ir.Node, x: ir.Value) -> Pull | None:
    """Return the pull through a Slice by one step, a Gather of places in a row, or a triangle; None of another node."""
    if builder.rows.get(x, FIRST) != FIRST:
        return None
    if node.op_type == "Trilu" and len(x.shape or ()) > 2:
        more, given = node.inputs[1:], dict(node.attributes)
        return moved_back(lambda adjoint: builder.emit("Trilu", [adjoint, *more], given), _sizes(x))
    part = _part(builder, node, x)
    if part is None or part[0] == 0:
        return None
    return put_back(builder, _sizes(x), part, without=len(x.shape or ()) > len(node.outputs[0].shape or ()))


def _part(builder: BoundBuilder, node: ir.Node, x: ir.Value) -> Part | None:
    """Return which part of x a node takes out along one axis; None where that is not known."""
    given, rank = [builder.constant(value) for value in node.inputs[1:]], len(x.shape or ())
    places = None
    if node.op_type == "Slice" and len(given) > 2 and all(one is not None and one.size == 1 for one in given):
        first, last, axis, step = (int(one.reshape(())) for one in [*given, np.array(1)][:4] if one is not None)
        axis %= rank
        whole = (x.shape or ())[axis]
        places = np.arange(whole)[first:last] if isinstance(whole, int) and step == 1 else None
    elif node.op_type == "Gather" and given[0] is not None and given[0].ndim < 2:
        axis = int(node.attributes["axis"].as_int() if "axis" in node.attributes else 0) % rank
        whole = (x.shape or ())[axis]
        places = given[0].reshape(-1) % whole if isinstance(whole, int) else None
    if places is None or not len(places) or (np.diff(places) != 1).any():
        return None
    return axis, int(places[0]), int(places[-1]) + 1


def _back(builder: BoundBuilder, node: ir.Node) -> Callable[[ir.Value], ir.Value] | None:
    """Return what moves adjoints back, which have an axis for the seeds behind the first; None where rows are mixed."""
    before, after = _sizes(builder.operand(node)), _sizes(node.outputs[0])
    if node.op_type in _IN_ORDER and math.prod(before) == math.prod(after):
        shape = builder.initializer(np.array([0, 0, *before]))
        return lambda adjoint: builder.emit("Reshape", [adjoint, shape])
    given = node.attributes.get("perm")
    if node.op_type != "Transpose" or given is None or given.as_ints()[0] != 0:
        return None
    places = [list(given.as_ints()).index(axis) for axis in range(1, len(before) + 1)]
    return lambda adjoint: builder.emit("Transpose", [adjoint], {"perm": [0, 1, *(place + 1 for place in places)]})


def unchanged(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = -x: exact, and no two values come further apart."""
    record_same(builder, node, builder.operand(node), negated(builder))
    bound = builder.bound(builder.operand(node))
    return Bound(bound.tensor, bound.scale, bound.relative, bound.constant, norm=bound.norm)
