"""torch's Softplus, x > 20 ? x : Softplus(x): three nodes of a graph, one function."""

from dataclasses import replace

import onnx_ir as ir

from parity_export.error_bounds.adjoints.pulls import unchanged
from parity_export.error_bounds.adjoints.steps import ends_at, fits, handed_on, record
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.worst_case_graphs import softplus_cases
from parity_export.error_bounds.rounding_model import UNIT

_THRESHOLD = 20.0

JUMP = 2.07e-9
"""log(1 + e^-20) = 2.0612e-9: softplus(x) - x at torch's threshold, from which on it answers x."""


def thresholded_softplus(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x > 20 ? x : softplus(x): the error bound of softplus(x), and the jump.

    At 20 it jumps by log(1 + e^-20), which is added once: of two compliant x, one may lie on the other side. In a
    backward pass it is what v adds of its own; where an evaluation takes x~ its Softplus counts as exact.
    """
    softplus = builder.operand(node, 2)
    bound = builder.bound(softplus)
    if fits(builder, node, softplus) and builder.takers[softplus] == 1 and not ends_at(builder, softplus):
        own = handed_on(builder, softplus) or Bound()
        record(builder, node, replace(own, constant=own.constant + JUMP / UNIT), [(softplus, unchanged)])
    return replace(bound, constant=bound.constant + JUMP / UNIT)


def _matches(builder: BoundBuilder, node: ir.Node) -> bool:
    """Whether a Where chooses between x and its Softplus by x > 20."""
    condition, x, other = node.inputs
    greater = None if condition is None else condition.producer()
    source = None if other is None else _unscaled(builder, other).producer()
    if greater is None or source is None or (greater.op_type, source.op_type) != ("Greater", "Softplus"):
        return False
    threshold = builder.constant(greater.inputs[1])
    compared = [_unscaled(builder, value) for value in (x, greater.inputs[0], source.inputs[0]) if value is not None]
    return threshold is not None and threshold.tolist() == _THRESHOLD and len({id(value) for value in compared}) == 1


def _unscaled(builder: BoundBuilder, value: ir.Value) -> ir.Value:
    """Return what a value is one times of."""
    producer = value.producer()
    if producer is None or producer.op_type not in ("Mul", "Div"):
        return value
    constant, source = builder.constant(producer.inputs[1]), producer.inputs[0]
    return source if constant is not None and source is not None and (constant == 1).all() else value


OPERATOR = OperatorRule(
    "ThresholdedSoftplus",
    "e of Softplus(x), and the jump by log(1 + e^-20) at 20",
    thresholded_softplus,
    lambda: softplus_cases("Softplus with torch's threshold"),
    aten=aten("softplus"),
    operations=("softplus",),
    ends_in="Where",
    matches=_matches,
)
