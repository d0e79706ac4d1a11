"""A graph, its nodes in order: what is computed of its inputs, each value let go where it was last taken."""

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, helper

from parity_export.onnx_module.node_search import captured
from parity_export.onnx_module.step import Step, Versions
from parity_export.onnx_module.values import Value, constant, tensor_of, widened
from parity_runtime import InputError

After = Callable[[Step, Sequence[Value], Sequence[Value]], Sequence[Value]]

_TEXTS = ("value_string", "value_strings")


class Graph:
    """A graph that computes some of its values.

    Args:
        proto: of a model, or of a node's attribute.
        versions: of the operators.
        outputs: the values that are wanted.
        weights: constants that stand beside the graph, by name.
        inner: whether it is a node's, and takes values from the graph around it.

    Attributes:
        constants: by name: what the initializers and the nodes `Constant` hold.
        steps: the nodes that are needed, in the graph's order.

    Raises:
        InputError: the graph has no such value.
    """

    def __init__(
        self,
        proto: onnx.GraphProto,
        versions: Versions,
        outputs: Sequence[str],
        weights: Mapping[str, Any] | None = None,
        *,
        inner: bool = False,
    ) -> None:
        beside = weights or {}
        self.outputs = list(outputs)
        self.constants: dict[str, Value] = {
            tensor.name: tensor_of(beside[tensor.name]) if tensor.name in beside else constant(tensor)
            for tensor in proto.initializer
        }
        nodes = []
        for node in _needed(proto, outputs, inner=inner):
            value = _constant(node)
            if value is None:
                nodes.append(node)
            else:
                self.constants[node.output[0]] = value
        self.steps = [Step(node, versions, _bodies(node, versions)) for node in nodes]
        self._last = Counter(name for step in self.steps for name in step.inputs)

    def __call__(self, inputs: Mapping[str, Value], *, double: bool, after: After | None = None) -> list[Value]:
        """Return the outputs of inputs by name; what a subgraph takes from outside stands among them.

        Args:
            inputs: of the graph.
            double: compute in float64.
            after: is given each node, its operands and its results, and returns what stands in their place.
        """
        values: dict[str, Value] = {"": None, **{name: widened(value) if double else value
                                                for name, value in inputs.items()}}  # fmt: skip
        left = self._last.copy()
        kept = {*self.outputs, ""}
        for step in self.steps:
            given = [self._value(name, values, double=double and not step.moves) for name in step.inputs]
            results = step(given, double=double)
            results = results if after is None else after(step, given, results)
            values |= {name: result for name, result in zip(step.outputs, results, strict=False) if name}
            left.subtract(step.inputs)
            for name in {*step.inputs} - kept:
                if not left[name]:  # its memory is given back
                    values.pop(name, None)
        return [self._value(name, values, double=double) for name in self.outputs]

    def with_constants(self, constants: Mapping[str, Value]) -> "Graph":
        """Return the same graph with other constants in the place of those of their names; its nodes are shared."""
        other = copy.copy(self)
        other.constants = {**self.constants, **constants}
        return other

    def _value(self, name: str, values: Mapping[str, Value], *, double: bool) -> Value:
        if name in values:
            return values[name]
        value = self.constants[name]
        return widened(value) if double else value


def _bodies(node: onnx.NodeProto, versions: Versions) -> dict[str, "Graph"]:
    """Return a node's own graphs, by attribute."""
    return {
        attribute.name: Graph(attribute.g, versions, [value.name for value in attribute.g.output], inner=True)
        for attribute in node.attribute
        if attribute.type == AttributeProto.GRAPH
    }


def _constant(node: onnx.NodeProto) -> Value:
    """Return what a node `Constant` holds; None of any other."""
    if node.op_type != "Constant" or node.domain not in ("", "ai.onnx") or not node.attribute:
        return None
    attribute = node.attribute[0]
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return constant(value)
    if attribute.name == "sparse_value":
        return None
    if attribute.name in _TEXTS:
        array = np.asarray([one.decode() for one in ([value] if isinstance(value, bytes) else value)], object)
        return array.reshape(()) if isinstance(value, bytes) else array
    return tensor_of(np.asarray(value, "float32" if "float" in attribute.name else "int64"))


def _needed(graph: onnx.GraphProto, outputs: Sequence[str], *, inner: bool) -> list[onnx.NodeProto]:
    """Return the nodes that the outputs are computed by, in the graph's order.

    Raises:
        InputError: the graph has no such value.
    """
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output}
    given = {value.name for value in (*graph.input, *graph.initializer)}
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in given or not name:
            continue
        if name not in producers and inner:  # of the graph around it
            continue
        if name not in producers:
            raise InputError(f"the graph has no value {name}")
        if producers[name] not in needed:
            needed.add(producers[name])
            node = graph.node[producers[name]]
            waiting += [*node.input, *captured(node)]
    return [node for index, node in enumerate(graph.node) if index in needed]
