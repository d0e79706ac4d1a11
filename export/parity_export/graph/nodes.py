"""Nodes and constants that are added to a graph that torch exported; their names begin with ``head.``."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir


def node(graph: ir.Graph, op_type: str, inputs: Sequence[ir.Value], name: str, **attributes: int) -> ir.Value:
    """Append a node with one output, and return that."""
    added = ir.node(op_type, inputs, attributes or None, name=f"head.{name}")
    added.outputs[0].name = f"head.{name}"
    graph.append(added)
    return added.outputs[0]


def constant(graph: ir.Graph, name: str, array: object) -> ir.Value:
    """Add an initializer; a Python float becomes float32."""
    array = np.asarray(array, np.float32) if isinstance(array, float) else np.asarray(array)
    value = ir.Value(name=f"head.{name}", const_value=ir.tensor(array, name=f"head.{name}"))
    value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.from_numpy(array.dtype)
    graph.register_initializer(value)
    return value
