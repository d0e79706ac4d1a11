"""Nodes and constants that are added to a graph that torch exported; those of its head begin with ``head.``."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


def node(graph: ir.Graph, op_type: str, inputs: Sequence[ir.Value], name: str, **attributes: int) -> ir.Value:
    """Append a node with one output, and return that."""
    added = ir.node(op_type, inputs, attributes or None, name=f"head.{name}")
    added.outputs[0].name = f"head.{name}"
    graph.append(added)
    return added.outputs[0]


def constant(graph: ir.Graph, name: str, array: object) -> ir.Value:
    """Add an initializer; a Python float becomes float32."""
    return _initializer(graph, f"head.{name}", np.asarray(array, np.float32 if isinstance(array, float) else None))


class ConstantPool:
    """Initializers of a graph, one for equal ones.

    Args:
        graph: to which they are added.
        prefix: which their names begin with.
    """

    def __init__(self, graph: ir.Graph, prefix: str) -> None:
        self._graph, self._prefix = graph, prefix
        self._values: dict[tuple[bytes, tuple[int, ...], str], ir.Value] = {}

    def value(self, array: NDArray[Any] | np.generic) -> ir.Value:
        """Return the initializer that holds an array."""
        array = np.asarray(array)
        key = (hashlib.sha256(np.ascontiguousarray(array).data).digest(), array.shape, array.dtype.str)
        if key not in self._values:
            name = f"{self._prefix}constant_{len(self._values)}"
            self._values[key] = _initializer(self._graph, name, array)
        return self._values[key]


def _initializer(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.from_numpy(array.dtype)
    graph.register_initializer(value)
    return value
