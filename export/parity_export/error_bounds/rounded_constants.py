"""One operator of constants, whose result evaluations round each in its own way: a number and how far any is from it.

The ordinary rule of the operator bounds it, in a graph of that one node, whose operands are inputs: what is known of
them already is their error. The graph is asked once, by ONNX's reference evaluator, which is compliant itself.
"""

import warnings
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.registry import rule_of
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U
from parity_runtime.errors import first_line

ROUNDED = frozenset({"Add", "Sub", "Mul", "Div", "Sqrt", "Reciprocal", "Pow", "Exp", "Log"})
"""Operators of constants that are known but for roundings. A Sigmoid is none: x times that is one function."""

_OPSET = 22
_FLOAT64 = 1 + 2.0**-20  # what float64's own rounding may lose of an error


def rounded(builder: BoundBuilder, node: ir.Node) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what one evaluation gives of constants, and how far any may be from that.

    The exact value lies within R of every evaluation, also of the one that is asked here, so that two evaluations are
    at most 2R apart. A quotient may be a product with the rounded reciprocal of the divisor: one rounding more.

    Raises:
        CannotCertifyError: nothing can be claimed of it.
    """
    operands = [_operand(builder, node, index) for index in range(len(node.inputs))]
    copy = ir.node(node.op_type, operands, dict(node.attributes), name=node.name)
    copy.outputs[0].name, copy.outputs[0].dtype, copy.outputs[0].shape = (
        "found",
        ir.DataType.FLOAT,
        node.outputs[0].shape,
    )
    inputs = [value for value in operands if value.const_value is None]
    graph = ir.Graph(inputs, [], nodes=[copy], opset_imports={"": _OPSET}, name="constants")
    for value in operands:
        if value.const_value is not None:
            graph.register_initializer(value)
    scope, given = BoundBuilder(graph), {}
    for index, value in enumerate(operands):
        if value.const_value is None:
            array, error = builder.rounded_constant(node.inputs[index])
            total = scope.number(error / UNIT + FLUSHED) if error.any() else None
            scope.begin(value, Bound(total, constant=FLUSHED))
            given[str(value.name)] = array
    rule = rule_of(scope, copy)
    if rule is None or rule.error_rule is None:
        raise refusal(node, "it has no rule")
    scope.set(copy.outputs[0], rule.error_rule(scope, copy))
    total, scale = scope.tensor(copy.outputs[0])
    graph.outputs.extend([copy.outputs[0], total])
    found, units = _run(node, ir.to_proto(ir.Model(graph, ir_version=10)), given)
    wide = found.astype(np.float64)
    with np.errstate(all="ignore"):
        error = 2 * units.astype(np.float64) * UNIT * scale + 4 * U * np.abs(wide) * (node.op_type == "Div")
    if not (np.isfinite(wide).all() and np.isfinite(error).all()):
        raise refusal(node, "nothing can be claimed about the constants that it computes")
    return found, np.broadcast_to(error * _FLOAT64, found.shape)


def _operand(builder: BoundBuilder, node: ir.Node, index: int) -> ir.Value:
    """Return an input of the graph in the place of a constant; an exponent stays one, because its rule asks for it."""
    array, error = builder.rounded_constant(node.inputs[index])
    value = ir.Value(name=f"operand{index}", shape=ir.Shape(array.shape), type=ir.TensorType(ir.DataType.FLOAT))
    if node.op_type == "Pow" and index == 1 and not error.any():
        value.const_value = ir.tensor(array, name=value.name)
    return value


def _run(node: ir.Node, proto: Any, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: list[NDArray[Any]] = ReferenceEvaluator(proto).run(None, given)  # type: ignore[assignment]
    except Exception as error:  # the reference evaluator's own
        raise refusal(node, first_line(error)) from error
    return found
