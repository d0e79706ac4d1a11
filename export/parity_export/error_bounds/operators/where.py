"""Where, which chooses by a comparison: only where every backend chooses alike."""

from functools import partial

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.pulls import moved
from parity_export.error_bounds.adjoints.steps import fits, record, sizes_of
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.worst_case_graphs import (
    INTEGERS,
    K,
    filled_cases,
    halves_lost,
    ones,
)
from parity_export.error_bounds.rounding_model import FLUSHED


def where(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = c ? x : y, c the same in every evaluation: the error of the one that is chosen; a constant has one flush.

    c is made of integers, of whether an input is NaN, and of an input's numbers compared with constants. Where minus
    infinity is put nothing is claimed; a Softmax behind it knows better (`masks`).
    """
    condition, *chosen = node.inputs
    if not builder.alike(condition):
        raise refusal(node, "it chooses by a computed value")
    values = [value for value in chosen if value is not None]
    computed = [value for value in values if not _is_constant(builder, node, value)]
    bounds = [builder.bound(value) for value in computed]
    if all(bound.tensor is None for bound in bounds):
        relative = max((bound.relative for bound in bounds), default=0.0)
        return Bound(None, 1.0, relative, max((bound.constant for bound in bounds), default=0.0) + 3 * FLUSHED)
    parts = [builder.tensor(value) if value in computed else (_of_constant(builder, value), 1.0) for value in values]
    total = builder.emit("Where", [condition, *(part for part, _ in parts)])
    _record(builder, node, computed)
    return Bound(total, max(scale for _, scale in parts), 0.0, 2 * FLUSHED)


def _record(builder: BoundBuilder, node: ir.Node, computed: list[ir.Value]) -> None:
    """Record the step: what is chosen has the adjoint there, and 0 elsewhere; the constant's flushes are its own."""
    if not all(fits(builder, node, value) and not builder.begins(value) for value in computed):
        return
    condition, *chosen = node.inputs
    if condition is None or condition.shape is None or len(set(map(id, computed))) < len(computed):
        return
    whole = len(condition.shape) == len(node.outputs[0].shape or ())

    def pull(first: bool, adjoint: ir.Value) -> ir.Value:
        where = builder.once("Unsqueeze", [condition, builder.initializer(np.array([1]))]) if whole else condition
        parts = [adjoint, builder.initializer(np.zeros(1, np.float32))]
        return builder.emit("Where", [where, *(parts if first else parts[::-1])])

    record(builder, node, Bound(None, 1.0, 0.0, 2 * FLUSHED), [
        (value, moved(partial(pull, value is chosen[0]), sizes_of(value))) for value in computed
    ])  # fmt: skip


def _of_constant(builder: BoundBuilder, value: ir.Value) -> ir.Value:
    """Return the error bound of a constant, in units: two flushes, or infinity beside that."""
    finite = np.isfinite(np.asarray(builder.constant(value, masks=True)))
    return builder.number(2 * FLUSHED if finite.all() else np.where(finite, 2 * FLUSHED, np.inf))


def _is_constant(builder: BoundBuilder, node: ir.Node, value: ir.Value | None) -> bool:
    """Whether what may be chosen is a constant; anything else must have an error bound."""
    constant = builder.constant(value, masks=True)
    if constant is None and (value is None or not builder.knows(value)):
        raise refusal(node, "it chooses something that has no error bound")
    if constant is not None and constant.dtype != np.float32:
        raise refusal(node, "what it chooses is not a float32")
    return constant is not None


def worst_cases() -> list[WorstCase]:
    """Return features that are filled where they are missing, and a sum or the features, by what these are."""
    nodes: list[Node] = [
        ("Gemm", ["features", "w", "b"], {"transB": 1}),
        ("Slice", ["features", "0", "4", "1"], {}),
        ("Less", ["Slice1", "c"], {}),
        ("Where", ["Less2", "Gemm0", "Slice1"], {}),
    ]
    constants = dict(INTEGERS) | {"w": ones(4, K), "b": ones(4), "c": np.full(1, 0.5, np.float32)}
    return [*filled_cases("Where"), WorstCase("Where, chosen", nodes, constants, halves_lost(), 4)]


OPERATOR = OperatorRule(
    "Where",
    "e of the one that is chosen, by what is the same in every evaluation; of a constant two flushes",
    where,
    worst_cases,
    aten=aten("where"),
)
