"""Which comparisons come out alike in every evaluation, so that a Where may choose by them."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import FLUSH

COMPARING = frozenset({"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"})
"""Comparisons of numbers."""


def decided_alike(builder: BoundBuilder, node: ir.Node) -> bool:
    """Return whether a node compares an input's numbers, and comes out alike in every evaluation.

    What begins an evaluation is NaN everywhere or nowhere. It is compared alike with a constant that is normal: zero
    stands on the same side of that as the subnormal number in whose place it is read. What is made of integers is never
    subnormal itself.
    """
    if node.op_type == "IsNaN":
        return builder.begins(node.inputs[0])
    if node.op_type not in COMPARING or not any(map(builder.begins, node.inputs)):
        return False
    constants = [array for value in node.inputs if (array := builder.constant(value)) is not None]
    if len(constants) != 1:
        return False
    size = np.abs(constants[0])
    if any(builder.least(value) is not None for value in node.inputs):
        return bool(((size == 0) | (size >= FLUSH)).all())
    return bool((size >= FLUSH).all())
