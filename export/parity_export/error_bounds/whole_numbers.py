"""Floats that are made of integers: a mask that was cast, what is left of 1 without it, and that times a constant.

Every evaluation computes the same number there, and none is ever subnormal, so that nothing is flushed: beside its
roundings, relative to itself, such a number has no error. Multiplied by float32's lowest number a flush would count 8.
"""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound, Factor
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.registry import moving
from parity_export.error_bounds.rounding_model import FLUSH, U

_MOVING = (moving("keeps") | moving("selects") | {"Trilu"}) - {"Gather"}
_ROUNDED = 2 * (1 + 2 * U)  # of |v'|, in units
_LEAST = 2 * FLUSH


def made_of_integers(builder: BoundBuilder, node: ir.Node) -> bool:
    """Record the error bound of a float that is made of integers and constants, and return whether it is one.

    An integer that is cast, a constant that is repeated, and what moves these begins. A sum of such a number with a
    constant rounds once, is zero where the exact one is, and else no less than the last place of either. A product with
    a constant rounds once more, and is no less than the product of the least of both. A choice is one of both.
    """
    if node.outputs[0].dtype != ir.DataType.FLOAT or len(node.outputs) != 1 or builder.chosen(node):
        return False
    found: tuple[Bound, float] | None = None
    if node.op_type == "Cast":
        found = (Bound(), 1.0) if builder.alike(node.inputs[0]) and _is_integer(node.inputs[0]) else None
    elif node.op_type in _MOVING:
        found = _known(builder, node.inputs[0])
    elif node.op_type == "Where" and builder.alike(node.inputs[0]):
        parts = [_known(builder, value) for value in node.inputs[1:]]
        known = [part for part in parts if part is not None]
        if len(known) == len(parts):
            found = Bound(relative=max(bound.relative for bound, _ in known)), min(least for _, least in known)
    elif node.op_type in ("Add", "Sub", "Mul"):
        found = _combined(builder, node)
    if found is None or found[1] < _LEAST:
        return False
    builder.begin(node.outputs[0], found[0])
    builder.never_subnormal(node.outputs[0], found[1])
    return True


def _is_integer(value: ir.Value | None) -> bool:
    return value is not None and value.dtype is not None and value.dtype.numpy().kind in "iub"


def _known(builder: BoundBuilder, value: ir.Value | None) -> tuple[Bound, float] | None:
    """Return the error bound of a number made of integers or of a constant, and its least magnitude but zero."""
    constant = builder.constant(value, masks=True)
    if constant is not None:
        return (Bound(), _least(constant)) if constant.dtype == np.float32 else None
    least = builder.least(value)
    return None if value is None or least is None else (builder.bound(value), least)


def _least(array: NDArray[Any]) -> float:
    size = np.abs(array.astype(np.float64))
    return float(size[size > 0].min(initial=np.inf))


def _combined(builder: BoundBuilder, node: ir.Node) -> tuple[Bound, float] | None:
    for value, other in (node.inputs, node.inputs[::-1]):
        constant, known = builder.constant(other, masks=True), _known(builder, value)
        if constant is None or known is None or constant.dtype != np.float32 or not np.isfinite(constant).all():
            continue
        (bound, least), smallest = known, _least(constant)
        if node.op_type == "Mul":
            return _times(bound, constant), min(least * smallest, least)
        if not bound.relative:
            return Bound(relative=_ROUNDED), min(least, smallest) * U
    return None


def _times(bound: Bound, constant: NDArray[Any]) -> Bound:
    """Return the error bound of a product: one rounding more, which a scalar also is where it is fused later."""
    size = np.abs(constant.astype(np.float64))
    factor = bound.factor.then(float(size.max()), 1) if size.size == 1 and size.all() else Factor()
    return Bound(relative=bound.relative * (1 + 4 * U) + _ROUNDED, factor=factor)
