"""The graph of a source, with its head; and what the contract takes over from it."""

import re
from dataclasses import replace

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from parity_export.export_options import ExportOptions
from parity_export.graph.head import add_head
from parity_export.graph.output_shapes import returned_shapes
from parity_export.graph.torch_export import export_graph
from parity_export.graph.weights_check import Initializers, check_initializers
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.errors import first_line

_EXPRESSION = re.compile(r"(?!unk__|None)[\w +*()-]+")  # not what inference calls a size that it does not know

_MAX_BYTES = 2**31 - 2**20  # protobuf's limit, and a mebibyte for what is no weight


def build_graph(source: ModelSource, options: ExportOptions) -> tuple[ir.Model, Initializers]:
    """Return the graph of a source with its head, and where its constants are from.

    Raises:
        InputError: the module is too large, or cannot be exported.
    """
    weights = sum(tensor.nbytes for tensor in source.module.state_dict().values())
    if weights > _MAX_BYTES:
        raise InputError(f"the weights take {weights} bytes; a package is one file of less than 2 GiB")
    model = export_graph(source.module, source.contract.inputs, options.opset)
    initializers = check_initializers(model, source.module)
    add_head(model, source.contract, source.module_output)
    model.ir_version = options.ir_version or model.ir_version
    return ShapeInferencePass()(model).model, initializers


def serialize(model: ir.Model) -> bytes:
    """Return a graph's bytes, the same for the same graph."""
    data: bytes = ir.to_proto(model).SerializeToString(deterministic=True)
    return data


def check_graph(graph: bytes) -> None:
    """Run ONNX's own checker over a serialized graph.

    Raises:
        InputError: the graph is not valid ONNX, such as a length that its opset does not know.
    """
    try:
        onnx.checker.check_model(graph)
    except onnx.checker.ValidationError as error:
        raise InputError(f"torch exported a graph that ONNX's checker refuses: {first_line(error)}") from error


def with_graph_outputs(source: ModelSource, model: ir.Model) -> ModelContract:
    """Return the contract with the outputs that a graph gives, where the task does not say them.

    torch is asked which axes are which dynamic dimension: the exporter invents names, and fixes sizes, after some
    operators. The graph's own word counts where an axis is computed from others (``2*time``).
    """
    if source.contract.task != "tensors":
        return source.contract
    for value, (_, shape) in zip(model.graph.outputs, returned_shapes(source.module, source.contract), strict=True):
        declared = shape if value.shape is None else _sizes(value.shape)
        value.shape = ir.Shape([_size(mine, theirs) for mine, theirs in zip(shape, declared, strict=True)])
    return replace(source.contract, outputs=tuple(_spec(value) for value in model.graph.outputs))


def _size(returned: int | str, declared: int | str) -> int | str:
    computed = isinstance(returned, str) and returned.startswith("dim")
    return declared if computed and isinstance(declared, str) and _EXPRESSION.fullmatch(declared) else returned


def _sizes(shape: ir.Shape) -> tuple[int | str, ...]:
    return tuple(size if isinstance(size, int) else str(size.value) for size in shape)


def _spec(value: ir.Value) -> TensorSpec:
    shape = () if value.shape is None else _sizes(value.shape)
    dtype = value.dtype.numpy().name if value.dtype is not None else "float32"
    return TensorSpec(str(value.name), dtype, shape)
