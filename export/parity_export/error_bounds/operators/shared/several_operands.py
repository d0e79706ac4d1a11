"""The step of an operator that works element by element, with a slope in each of its computed operands."""

from collections.abc import Callable, Sequence
from functools import cache

import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors, by_elements
from parity_export.error_bounds.adjoints.steps import fits_broadcast, record, sizes_of, with_remainder, with_share
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import U


def record_operands(
    builder: BoundBuilder,
    node: ir.Node,
    own: Bound,
    result: Bound,
    operands: Sequence[tuple[ir.Value, Callable[[], Factors]]],
) -> None:
    """Record the step of v = f(x, y, ...) with slopes that the graph computes.

    Args:
        builder: the graph.
        node: computes v.
        own: what f adds of its own, told by |v'|; of |v~| it is so much, and twice the whole error is to be told by.
        result: the whole error bound.
        operands: those that are computed, and what makes their slopes; |S - d| e is own.
    """
    if not all(fits_broadcast(builder, node, value) for value, _ in operands):
        return
    share = own.relative * U * (1 + 8 * U)
    bound = with_share(builder, own, result, share)
    builder.set(node.outputs[0], result)  # slopes may be told by it
    slopes = [cache(made) for _, made in operands]
    for (value, _), made in zip(operands, slopes, strict=True):
        total, scale = builder.tensor(value)
        moved = Bound(builder.emit("Mul", [total, made().off]), scale * (1 + 8 * U))
        bound = with_remainder(builder, bound, moved)
    after = sizes_of(node.outputs[0])
    record(builder, node, bound, [
        (value, by_elements(builder, (sizes_of(value), after), made))
        for (value, _), made in zip(operands, slopes, strict=True)
    ])  # fmt: skip
