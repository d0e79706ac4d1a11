"""Concat: several tensors, joined."""

import onnx_ir as ir

from parity_export.error_bounds.adjoints.places import taken_out
from parity_export.error_bounds.adjoints.steps import fits, record, sizes_of
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.passing import joined
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.worst_case_graphs import K, behind_gemm


def concat(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bounds, joined. The join of one tensor is that: a backend may leave the operator out."""
    values = [builder.operand(node, index) for index in range(len(node.inputs))]
    bounds = [builder.bound(value) for value in values]
    if len(values) == 1:
        return bounds[0]
    if all(bound.tensor is None for bound in bounds):
        return Bound(None, 1.0, max(bound.relative for bound in bounds), max(bound.constant for bound in bounds))
    parts = [builder.tensor(value) for value in values]
    total = builder.emit("Concat", [part for part, _ in parts], dict(node.attributes))
    _record(builder, node, values)
    return joined(builder, values, _axis(node), Bound(total, max(scale for _, scale in parts)))


def _record(builder: BoundBuilder, node: ir.Node, values: list[ir.Value]) -> None:
    """Record the step: each value has the adjoint of its part."""
    axis, start, passages = _axis(node), 0, []
    if axis == 0 or not all(fits(builder, node, value, alike=False) for value in values):
        return
    for value in values:
        sizes = sizes_of(value)
        last = start + sizes[axis - 1]
        passages.append((value, taken_out(builder, sizes, [(axis, start, last)])))
        start = last
    record(builder, node, Bound(), passages)


def _axis(node: ir.Node) -> int:
    axis, result = node.attributes["axis"].as_int(), node.outputs[0]
    return axis if axis >= 0 else axis + len(result.shape or ())


def worst_cases() -> list[WorstCase]:
    """Return a Gemm's error, which must pass, beside the features."""
    return [behind_gemm("Concat", [("Concat", ["Gemm0", "features"], {"axis": 1})], outputs=4 + K)]


OPERATOR = OperatorRule("Concat", "e of each, joined", concat, worst_cases, aten=aten("cat"), moves="joins")
