"""The operations that compute an output of an ONNX graph, in torch's terms and those of `data_flow`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from parity_export.error_bounds.data_flow import Flow, content, joined
from parity_export.error_bounds.registry import OPERATORS, moving
from parity_export.onnx_graph import OnnxGraph

_MOVED = moving("keeps", "selects")


class GraphFlow:
    """Follows a graph to one of its outputs.

    Args:
        graph: the model.
        output: one of its outputs.
        given: the values that the module's inputs are, in their order; by default the graph's inputs.

    Attributes:
        flow: its operations.
        result: the print of the output.
    """

    def __init__(self, graph: OnnxGraph, output: str, given: Sequence[str] = ()) -> None:
        self.flow = Flow()
        written = graph.light.graph
        self._producers = {name: node for node in written.node for name in node.output}
        self._constants = graph.constants()
        inputs = given or [value.name for value in written.input if value.name not in self._constants]
        self._prints = {name: joined(f"input {index}", []) for index, name in enumerate(inputs)}
        needed = self._needed(output)
        for node in written.node:
            if node.output[0] in needed:
                value = self._of(node)
                self._prints |= dict.fromkeys(node.output, value)
        self.result = self._print(output)

    def _needed(self, output: str) -> set[str]:
        """Return the first output of every node that takes part."""
        needed: set[str] = set()
        waiting = [output]
        while waiting:
            name = waiting.pop()
            node = self._producers.get(name)
            if node is not None and name not in self._prints and node.output[0] not in needed:
                needed.add(node.output[0])
                waiting += node.input
        return needed

    def _of(self, node: NodeProto) -> bytes:
        """Return the print of a node's result; record it unless it moves elements or is a part of torch's operator."""
        if node.op_type in _MOVED or self._multiplies_by_one(node):
            return self._print(node.input[0])
        makers = [self._producers.get(name) for name in node.input]
        if node.op_type == "Where" and makers[0] is not None and makers[0].op_type == "Greater":  # of torch's softplus
            return self._softplus([self._print(name) for name in node.input[1:]])
        for name, maker in zip(node.input, makers, strict=True):
            if _is_silu(node, maker):  # recorded at its Sigmoid
                return self._print(name)
        prints = self._operands(node)
        if node.op_type in ("Concat", "Shape", "Greater", "Constant"):
            return joined(node.op_type.lower(), prints)
        return self.flow.add(self._names(node)[: max(1, len(prints) - 1)], prints)

    def _operands(self, node: NodeProto) -> list[bytes]:
        """Return the prints of a node's operands, as torch has them: also of some attributes, not of axes or bounds."""
        prints = [self._print(name) for name in node.input if name]
        rule = OPERATORS.get(node.op_type)
        if rule is None:
            return prints
        given = {attribute.name: attribute.f for attribute in node.attribute}
        numbers = [given.get(name, default) for name, default in rule.attribute_operands.items()]
        return prints[: rule.operands] + [content(np.array([number], np.float32)) for number in numbers]

    def _softplus(self, values: list[bytes]) -> bytes:
        """Return the one of two values that a Softplus gives; a print of its own if none does."""
        given = [value for value in values if ("softplus", value) in self.flow.operations]
        return given[0] if given else joined("where", values)

    def _names(self, node: NodeProto) -> tuple[str, ...]:
        if node.op_type == "Sigmoid" and any(_is_silu(other, node) for other in self._producers.values()):
            return ("silu",)
        rule = OPERATORS.get(node.op_type)
        return (node.op_type.lower(),) if rule is None else rule.flow_operations

    def _multiplies_by_one(self, node: NodeProto) -> bool:
        if node.op_type not in ("Mul", "Div"):
            return False
        return bool((self._constants.get(node.input[1], np.zeros(1)) == 1).all())

    def _print(self, name: str) -> bytes:
        if name in self._constants and name not in self._prints:
            array: NDArray[np.generic] = self._constants[name]
            self._prints[name] = content(array) if array.dtype == np.float32 else b""
        return self._prints[name]


def _is_silu(product: NodeProto, sigmoid: NodeProto | None) -> bool:
    """Whether a node is x times the sigmoid of x."""
    if sigmoid is None or (product.op_type, sigmoid.op_type) != ("Mul", "Sigmoid"):
        return False
    return {*product.input} == {sigmoid.input[0], sigmoid.output[0]}
