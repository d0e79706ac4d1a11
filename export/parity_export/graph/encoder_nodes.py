"""Nodes and constants that stand in front of what torch exported; their names begin with ``encoder.``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from parity_export.graph.nodes import ConstantPool

PREFIX = "encoder."


class EncoderNodes:
    """Nodes in the order in which they compute; `insert` puts them in front of a graph's own.

    Args:
        graph: whose names and constants they share.

    Attributes:
        constant: returns the initializer of an array; one for equal ones.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._nodes: list[ir.Node] = []
        self.constant = ConstantPool(graph, PREFIX).value

    def add(
        self, op_type: str, inputs: Sequence[ir.Value | int], name: str, domain: str = "", **attributes: Any
    ) -> ir.Value:
        """Append a node with one output, and return that; an integer among the inputs becomes a constant."""
        values = [value if isinstance(value, ir.Value) else self.constant(np.int64(value)) for value in inputs]
        node = ir.node(op_type, values, attributes or None, domain=domain, name=f"{PREFIX}{name}")
        node.outputs[0].name = f"{PREFIX}{name}"
        self._nodes.append(node)
        return node.outputs[0]

    def insert(self) -> None:
        """Put the nodes in front of the graph's."""
        first = next(iter(self._graph), None)
        if first is None:
            self._graph.extend(self._nodes)
        else:
            self._graph.insert_before(first, self._nodes)
