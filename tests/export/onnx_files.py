"""ONNX files as others might have written them, small."""

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper


def parsed(graph: str, *, opset: int = 18, ir_version: int = 10, extra: str = "") -> ModelProto:
    """Return the model of ONNX's own notation: ``mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu(x) }``."""
    return onnx.parser.parse_model(f'<ir_version: {ir_version}, opset_import: ["": {opset}{extra}]> {graph}')


def saved(model: ModelProto, path: Path) -> Path:
    """Save a model as one file."""
    onnx.save(model, path)
    return path


def perceptron(width: int = 3, *, ir_version: int = 10, opset: int = 18) -> ModelProto:
    """Return a network ``x [batch, 2] -> scores [batch, width]`` with random weights."""
    random = np.random.default_rng(0)
    weights = [("first", random.normal(size=(2, 8))), ("bias", random.normal(size=8)),
               ("second", random.normal(size=(8, width)))]  # fmt: skip
    initializers = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights]
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["hidden"]),
        helper.make_node("Add", ["hidden", "bias"], ["moved"]),
        helper.make_node("Relu", ["moved"], ["active"]),
        helper.make_node("MatMul", ["active", "second"], ["scores"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])
    answer = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", width])
    listed = [helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in initializers]
    graph = helper.make_graph(
        nodes, "perceptron", [given, *(listed if ir_version < 4 else [])], [answer], initializer=initializers
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def with_metadata(model: ModelProto, **entries: str) -> ModelProto:
    """Return a model with entries of metadata."""
    helper.set_model_props(model, entries)
    return model
