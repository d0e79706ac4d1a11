"""The step of an operator that works element by element, with a slope in each of its computed operands."""

from collections.abc import Callable, Sequence

import onnx_ir as ir

from parity_export.error_bounds.adjoints.near import Factors, by_elements
from parity_export.error_bounds.adjoints.steps import fits_broadcast, record, sizes_of, with_share
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
        operands: those that are computed, and what makes their slopes.
    """
    if not all(fits_broadcast(builder, node, value) for value, _ in operands):
        return
    share = own.relative * U * (1 + 8 * U)
    bound = with_share(builder, own, result, share)
    after = sizes_of(node.outputs[0])
    record(builder, node, bound, [
        (value, by_elements(builder, (sizes_of(value), after), made)) for value, made in operands
    ])  # fmt: skip
