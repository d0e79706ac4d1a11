"""What an ONNX graph itself answers, computed in float64 from the constants that it holds.

Torch's float64 answers are those of the module; the graph may hold other numbers (0.1 as float32). Each node is
computed by the first of three that can: torch's float64 operators, onnxruntime's float64 kernel, ONNX's reference
evaluator. Beside float32's errors those of float64 are nothing: 2^-29 of them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, helper, inliner, numpy_helper
from onnx.reference import ReferenceEvaluator

from parity_export.gate.batching import ModelFunction
from parity_export.gate.operators_float64 import OPERATORS, Attributes, NotThisOperatorError
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import InputError
from parity_runtime.errors import first_line
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.session import create_session

_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16}
_TYPE_ATTRIBUTES = ("to", "dtype")  # of Cast, EyeLike, RandomNormal, ...: which type the result has
_WRONG_REFERENCE = {"Resize": "align_corners"}
"""Operators, and a word in their attributes, that ONNX's reference evaluator computes wrongly."""

Computed = Callable[[list[Any]], Sequence[Any]]


def graph_float64(graph: OnnxGraph, outputs: Sequence[str]) -> ModelFunction:
    """Return what answers inputs by name with a graph's exact outputs by name, but for float64's own rounding.

    Every float in the graph becomes float64: its inputs, its constants, and what a Cast to float32 or float16 gives. An
    integer that is cast to float32 is rounded to that first: it is a number that the graph begins with, such as a year.

    Args:
        graph: without external data.
        outputs: which of its values are wanted.

    Raises:
        InputError: the graph has no such value. When asked: an operator cannot be evaluated in float64.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    if proto.functions:
        proto = inliner.inline_local_functions(proto)
    rounded = {node.output[0] for node in proto.graph.node if _casts_to_float32(node)}
    _to_float64(proto.graph)
    versions = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    steps = [_Step(node, versions, rounds=node.output[0] in rounded) for node in _needed(proto.graph, outputs)]
    constants = {tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in proto.graph.initializer}
    last = Counter(name for step in steps for name in step.inputs)

    def answer(inputs: Arrays) -> Arrays:
        values: dict[str, Any] = {"": None, **constants}
        values |= {name: _float64(array) for name, array in inputs.items()}
        left = last.copy()
        for step in steps:
            results = step([values[name] for name in step.inputs])
            values |= {name: result for name, result in zip(step.outputs, results, strict=True) if name}
            left.subtract(step.inputs)
            for name in {*step.inputs} - {*outputs, ""}:
                if not left[name]:  # its memory is given back
                    del values[name]
        return {name: np.asarray(values[name]) for name in outputs}

    return answer


class _Step:
    """One node.

    Args:
        node: its floats are float64.
        versions: of the operators.
        rounds: whether it was a Cast to float32.

    Attributes:
        inputs: the names of the values that it takes, also those that only its subgraphs take.
        outputs: the names of its results.
    """

    def __init__(self, node: onnx.NodeProto, versions: onnx.ModelProto, *, rounds: bool = False) -> None:
        self._node, self._versions, self._rounds = node, versions, rounds
        self._attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        self._known: dict[tuple[str, ...], Computed] = {}
        self.inputs = [*node.input, *dict.fromkeys(_captured(node))]
        self.outputs = list(node.output)

    def __call__(self, arguments: list[Any]) -> Sequence[Any]:
        """Return the node's results.

        Raises:
            InputError: nothing can compute it in float64.
        """
        kinds = tuple(
            f"{argument.dtype} {argument.ndim}" if hasattr(argument, "ndim") else type(argument).__name__
            for argument in arguments
        )
        if kinds in self._known:
            return self._known[kinds](arguments)
        reason = ""
        for make in (self._rounded, self._torch, self._onnxruntime, self._reference):
            try:
                computed = make(arguments)
                results = computed(arguments)
            except NotThisOperatorError:
                continue
            except Exception as error:  # torch's, onnxruntime's and the reference evaluator's own
                reason = first_line(error)
                continue
            if not any(getattr(result, "dtype", None) == np.float32 for result in results):
                self._known[kinds] = computed
                return results
            reason = "it answers in float32"
        name = self._node.name or self._node.output[0]
        raise InputError(f"operator {self._node.op_type} at node {name} cannot be evaluated in float64: {reason}")

    def _rounded(self, arguments: list[Any]) -> Computed:
        if not self._rounds or arguments[0].dtype.kind not in "iub":
            raise NotThisOperatorError
        return lambda values: [values[0].astype(np.float32).astype(np.float64)]

    def _torch(self, arguments: list[Any]) -> Computed:
        compute = OPERATORS.get(self._node.op_type)
        doubles = [argument for argument in arguments if argument is not None and argument.dtype == np.float64]
        if compute is None or not doubles or len(self.outputs) != 1 or self._node.domain not in ("", "ai.onnx"):
            raise NotThisOperatorError
        return lambda values: _with_torch(compute, values, self._attributes)

    def _onnxruntime(self, arguments: list[Any]) -> Computed:
        session = create_session(self._alone(arguments).SerializeToString(), optimization="disabled")
        names = [name for name in self.outputs if name]
        wanted = [value.name for value in session.get_inputs()]

        def compute(values: list[Any]) -> Sequence[Any]:
            given = {name: value for name, value in zip(self.inputs, values, strict=True) if name in wanted}
            found = dict(zip(names, session.run(names, given), strict=True))
            return [found.get(name) for name in self.outputs]

        return compute

    def _reference(self, arguments: list[Any]) -> Computed:
        told = _WRONG_REFERENCE.get(self._node.op_type)
        if told is not None and told in str(self._node.attribute):
            raise InputError(f"ONNX's reference evaluator is wrong for {told}")
        names = [name for name in self.outputs if name]
        evaluator = ReferenceEvaluator(self._alone(arguments))

        def compute(values: list[Any]) -> Sequence[Any]:
            given = {name: value for name, value in zip(self.inputs, values, strict=True) if name}
            found = dict(zip(names, evaluator.run(names, given), strict=True))
            return [found.get(name) for name in self.outputs]

        return compute

    def _alone(self, arguments: list[Any]) -> onnx.ModelProto:
        """Return a model of this node alone.

        Raises:
            NotThisOperatorError: an argument is no tensor.
        """
        given = {name: value for name, value in zip(self.inputs, arguments, strict=True) if name}
        if not all(isinstance(value, np.ndarray | np.generic) for value in given.values()):
            raise NotThisOperatorError
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim)
            for name, value in given.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in self.outputs if name]
        graph = helper.make_graph([self._node], "node", inputs, outputs)
        return helper.make_model(graph, opset_imports=self._versions.opset_import, ir_version=self._versions.ir_version)


def _casts_to_float32(node: onnx.NodeProto) -> bool:
    to = [attribute.i for attribute in node.attribute if attribute.name == "to"]
    return node.op_type == "Cast" and to == [TensorProto.FLOAT]


def _with_torch(compute: Any, values: list[Any], attributes: Attributes) -> Sequence[NDArray[Any]]:
    given = [value is not None for value in values]
    count = len(values) - given[::-1].index(True)
    if not all(given[:count]):
        raise NotThisOperatorError
    tensors = [torch.from_numpy(np.asarray(value, order="C")) for value in values[:count]]
    with torch.no_grad():
        return [compute(tensors, attributes).numpy()]


def _float64(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float64) if array.dtype.kind == "f" or array.dtype.name == "bfloat16" else array


def _to_float64(graph: onnx.GraphProto) -> None:
    """Make every float of a graph and of its subgraphs float64, in place."""
    del graph.value_info[:]
    for initializer in graph.initializer:
        _widen(initializer)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _FLOATS:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        if node.op_type == "ConstantOfShape" and not node.attribute:
            node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(1))))
        for attribute in node.attribute:
            _attribute_to_float64(node, attribute)


def _attribute_to_float64(node: onnx.NodeProto, attribute: AttributeProto) -> None:
    for subgraph in _subgraphs(attribute):
        _to_float64(subgraph)
    if attribute.type == AttributeProto.TENSOR:
        _widen(attribute.t)
    elif attribute.name in _TYPE_ATTRIBUTES and attribute.i in _FLOATS:
        attribute.i = TensorProto.DOUBLE
    elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
        exact = np.asarray(helper.get_attribute_value(attribute), np.float64)
        attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(exact)))


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type in _FLOATS:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def _subgraphs(attribute: AttributeProto) -> Iterator[onnx.GraphProto]:
    if attribute.type == AttributeProto.GRAPH:
        yield attribute.g
    yield from attribute.graphs


def _captured(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the values from outside that a node's subgraphs take."""
    for attribute in node.attribute:
        for graph in _subgraphs(attribute):
            own = {value.name for value in (*graph.input, *graph.initializer)}
            own |= {name for inner in graph.node for name in inner.output} | {""}
            taken = [name for inner in graph.node for name in (*inner.input, *_captured(inner))]
            yield from (name for name in (*taken, *(value.name for value in graph.output)) if name not in own)


def _needed(graph: onnx.GraphProto, outputs: Sequence[str]) -> list[onnx.NodeProto]:
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
        if name not in producers:
            raise InputError(f"the graph has no value {name}")
        if producers[name] not in needed:
            needed.add(producers[name])
            node = graph.node[producers[name]]
            waiting += [*node.input, *_captured(node)]
    return [node for index, node in enumerate(graph.node) if index in needed]
