"""Nodes and constants that stand in front of what torch exported; their names begin with ``encoder.``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

PREFIX = "encoder."


class EncoderNodes:
    """Nodes in the order in which they compute; `insert` puts them in front of a graph's own.

    Args:
        graph: whose names and constants they share.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._nodes: list[ir.Node] = []
        self._constants: dict[tuple[bytes, tuple[int, ...], str], ir.Value] = {}

    def add(
        self, op_type: str, inputs: Sequence[ir.Value | int], name: str, domain: str = "", **attributes: Any
    ) -> ir.Value:
        """Append a node with one output, and return that; an integer among the inputs becomes a constant."""
        values = [value if isinstance(value, ir.Value) else self.constant(np.int64(value)) for value in inputs]
        node = ir.node(op_type, values, attributes or None, domain=domain, name=f"{PREFIX}{name}")
        node.outputs[0].name = f"{PREFIX}{name}"
        self._nodes.append(node)
        return node.outputs[0]

    def constant(self, array: NDArray[Any] | np.generic) -> ir.Value:
        """Return an initializer; one for equal ones."""
        array = np.asarray(array)
        key = (array.tobytes(), array.shape, array.dtype.str)
        if key not in self._constants:
            name = f"{PREFIX}constant_{len(self._constants)}"
            value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
            value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.from_numpy(array.dtype)
            self._graph.register_initializer(value)
            self._constants[key] = value
        return self._constants[key]

    def insert(self) -> None:
        """Put the nodes in front of the graph's."""
        first = next(iter(self._graph), None)
        if first is None:
            self._graph.extend(self._nodes)
        else:
            self._graph.insert_before(first, self._nodes)
