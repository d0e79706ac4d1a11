"""Where, which chooses by a comparison: only where every backend chooses alike."""

import numpy as np
import onnx_ir as ir

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

    c is made of integers, of whether an input is NaN, and of an input's numbers compared with constants.
    """
    condition, *values = node.inputs
    if not builder.alike(condition):
        raise refusal(node, "it chooses by a computed value")
    parts = [_known(builder, node, value) for value in values]
    if all(part.tensor is None for part in parts):
        return Bound(None, 1.0, max(one.relative for one in parts), max(one.constant for one in parts) + 2 * FLUSHED)
    scale = max(part.scale for part in parts)
    totals = [builder.number(2 * FLUSHED) if part.tensor is None else part.tensor for part in parts]
    return Bound(builder.emit("Where", [condition, *totals]), scale, 0.0, 2 * FLUSHED)


def _known(builder: BoundBuilder, node: ir.Node, value: ir.Value | None) -> Bound:
    """Return the whole error bound of what may be chosen, without a tensor where it is a constant or an input."""
    constant = builder.constant(value)
    if constant is not None:
        if constant.dtype != np.float32 or not np.isfinite(constant).all():
            raise refusal(node, "what it chooses is not finite, or no float32")
        return Bound(constant=FLUSHED)
    if value is None or not builder.knows(value):
        raise refusal(node, "it chooses something that has no error bound")
    bound = builder.bound(value)
    if bound.tensor is None and not bound.relative:
        return bound
    total, scale = builder.tensor(value)
    return Bound(total, scale)


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
