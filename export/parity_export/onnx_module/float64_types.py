"""A node whose floats are all float64, for a kernel that computes it so."""

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from parity_export.onnx_module.node_search import subgraphs

_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16}
_TYPE_ATTRIBUTES = ("to", "dtype")  # of Cast, EyeLike, RandomNormal, ...: which type the result has


def in_float64(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a copy of a node, with its subgraphs, in which every float is float64."""
    widened = onnx.NodeProto()
    widened.CopyFrom(node)
    _widen_node(widened)
    return widened


def _widen_node(node: onnx.NodeProto) -> None:
    if node.op_type == "ConstantOfShape" and not node.attribute:
        node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(1))))
    for attribute in node.attribute:
        _widen_attribute(node, attribute)


def _widen_graph(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    for initializer in graph.initializer:
        _widen_tensor(initializer)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _FLOATS:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        _widen_node(node)


def _widen_attribute(node: onnx.NodeProto, attribute: AttributeProto) -> None:
    for subgraph in subgraphs(attribute):
        _widen_graph(subgraph)
    if attribute.type == AttributeProto.TENSOR:
        _widen_tensor(attribute.t)
    elif attribute.name in _TYPE_ATTRIBUTES and attribute.i in _FLOATS:
        attribute.i = TensorProto.DOUBLE
    elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
        exact = np.asarray(helper.get_attribute_value(attribute), np.float64)
        attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(exact)))


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in _FLOATS:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
