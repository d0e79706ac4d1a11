"""An ONNX graph without its large tensors, which stand beside it by name: what is parsed and checked is small.

The light form refers to them as external data, in the place where a package keeps them; nobody opens it. Sessions are
handed the tensors in memory.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import numpy_helper

from parity_runtime.package.weights_file import SMALLEST, WEIGHTS, may_lie_outside

Weights = Mapping[str, NDArray[Any]]
"""Tensors by the names of their initializers, C-contiguous; nobody writes into them."""


def weights_of(model: ir.Model) -> Weights:
    """Return the large tensors of an onnx_ir model's main graph: views of the memory that it holds them in.

    One that nothing takes is none: onnxruntime drops it, and then misses it.
    """
    values = model.graph.initializers
    tensors = {
        name: value.const_value for name, value in values.items() if value.uses() or value in model.graph.outputs
    }
    arrays = {
        name: np.ascontiguousarray(tensor.numpy())
        for name, tensor in tensors.items()
        if tensor is not None and tensor.nbytes >= SMALLEST
    }
    return {name: array for name, array in arrays.items() if may_lie_outside(array.dtype, array.shape)}


def light_proto(model: ir.Model, weights: Weights) -> onnx.ModelProto:
    """Return the protobuf of an onnx_ir model without some tensors; the model is left as it was."""
    values = [(model.graph.initializers[name], model.graph.initializers[name].const_value) for name in weights]
    try:
        for value, tensor in values:
            if tensor is not None:
                value.const_value = ir.ExternalTensor(
                    WEIGHTS, None, None, tensor.dtype, shape=ir.Shape(tensor.shape.numpy()), name=str(value.name)
                )
        return ir.to_proto(model)
    finally:
        for value, tensor in values:
            value.const_value = tensor


def full_model(light: onnx.ModelProto, weights: Weights) -> ir.Model:
    """Return the onnx_ir model of a light protobuf; it holds the tensors themselves, not copies."""
    model = ir.from_proto(light)
    for name, array in weights.items():
        model.graph.initializers[name].const_value = ir.tensor(array, name=name)
    return model


def split_proto(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, Weights]:
    """Return a light copy of a protobuf, and its large tensors that its nodes take, or that it gives."""
    taken = {name for node in proto.graph.node for name in node.input} | {value.name for value in proto.graph.output}
    light = without(proto, "graph")
    light.graph.CopyFrom(without(proto.graph, "initializer"))
    weights = dict[str, NDArray[Any]]()
    for tensor in proto.graph.initializer:
        is_large = tensor.ByteSize() >= SMALLEST and tensor.name in taken
        array = numpy_helper.to_array(tensor) if is_large else np.zeros(0)
        if may_lie_outside(array.dtype, array.shape):
            weights[tensor.name] = array
            light.graph.initializer.append(_reference(tensor))
        else:
            light.graph.initializer.append(tensor)
    return light, weights


def full_proto(light: onnx.ModelProto, weights: Weights) -> onnx.ModelProto:
    """Return a protobuf with its tensors: they are held once more."""
    full = onnx.ModelProto()
    full.CopyFrom(light)
    for tensor in full.graph.initializer:
        if tensor.name in weights:
            inline(tensor)
            tensor.raw_data = weights[tensor.name].tobytes()
    return full


def inline(tensor: onnx.TensorProto) -> None:
    """Make of a reference a tensor whose numbers are to follow."""
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def weights_as_inputs(light: onnx.ModelProto, weights: Weights) -> onnx.ModelProto:
    """Return a copy that takes its large tensors as inputs, for what asks for no more than their types and shapes."""
    found = onnx.ModelProto()
    found.CopyFrom(light)
    kept = [tensor for tensor in light.graph.initializer if tensor.name not in weights]
    del found.graph.initializer[:]
    found.graph.initializer.extend(kept)
    given = {value.name for value in light.graph.input}
    found.graph.input.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in light.graph.initializer
        if tensor.name in weights and tensor.name not in given
    )
    return found


def _reference(tensor: onnx.TensorProto) -> onnx.TensorProto:
    return onnx.TensorProto(
        name=tensor.name,
        data_type=tensor.data_type,
        dims=tensor.dims,
        data_location=onnx.TensorProto.EXTERNAL,
        external_data=[onnx.StringStringEntryProto(key="location", value=WEIGHTS)],
    )


def without(message: Any, name: str) -> Any:
    """Return a copy of a protobuf message without one of its fields."""
    copy = type(message)()
    for field, value in message.ListFields():
        if field.name == name:
            continue
        if hasattr(value, "MergeFrom"):  # a message, or a list
            getattr(copy, field.name).MergeFrom(value)
        else:
            setattr(copy, field.name, value)
    return copy
