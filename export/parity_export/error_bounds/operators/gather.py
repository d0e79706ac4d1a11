"""Gather: the elements at some places of an axis, which must not be computed from a float."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import AtenOperator, Operand, aten, tensors
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.movement import moved
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm
from parity_export.error_bounds.rounding_model import FLUSHED


def gather(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound, moved alike; of a constant table one flush.

    Indices are integers that no float decides: every evaluation takes the same row of the table, which is as exact as
    the table itself.
    """
    if builder.constant(node.inputs[0]) is None:
        return moved(builder, node)
    if builder.knows(node.inputs[1]):
        raise refusal(node, "where it takes elements from is computed")
    return Bound(constant=FLUSHED)


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass, and rows of a constant table beside features."""
    moving = behind_gemm("Gather", [("Gather", ["Gemm0", "at"], {"axis": 1})], {"at": np.array([2, 0])}, outputs=2)
    return [moving]


def _first(args: Sequence[Any]) -> list[Operand]:
    """Return what is gathered from, without the places."""
    return tensors(args)[:1]


OPERATOR = OperatorRule(
    "Gather",
    "e, moved alike; of a constant table one flush",
    gather,
    worst_cases,
    aten=(*aten("select"), *(AtenOperator(name, _first) for name in ("index_select", "embedding"))),
    moves="selects",
    operands=1,
)
