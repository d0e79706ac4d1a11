"""From the graph of a module to the graph of a package: its head, its shapes, and what the contract takes from it."""

import re
from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from parity_export.export_graph import ExportGraph
from parity_export.graph.head import add_head
from parity_export.graph.output_shapes import returned_shapes
from parity_export.light_graph import weights_as_inputs
from parity_export.sources.model_source import ModelSource
from parity_export.sources.output_spec import SHAPES
from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.contract import batch_name
from parity_runtime.errors import whole_text

_EXPRESSION = re.compile(r"(?!unk__|None)[\w +*()-]+")  # not what inference calls a size that it does not know


def attach_head(traced: ExportGraph) -> ExportGraph:
    """Return a traced graph with the outputs of its contract, and the contract with the outputs of the graph.

    The head is built into the traced graph itself, which ends here: a copy would hold its nodes twice.

    Raises:
        InputError: the module returns several tensors, or its last operator contradicts what it was said to return.
    """
    source, model = traced.source, traced.model
    contract = _with_lengths(source, model)
    add_head(model, contract, source.module_output)
    model = ShapeInferencePass()(model).model
    return traced.with_model(model, contract if contract.task != "tensors" else with_returned_shapes(source, model))


def check_graph(graph: ExportGraph) -> None:
    """Run ONNX's own checker over a graph.

    Raises:
        InputError: the graph is not valid ONNX, such as a length that its opset does not know.
    """
    try:
        # The checker takes a model's bytes apart once more for each large tensor, and opens what lies outside.
        onnx.checker.check_model(weights_as_inputs(graph.onnx.light, graph.onnx.weights))
    except onnx.checker.ValidationError as error:
        raise InputError(f"torch exported a graph that ONNX's checker refuses: {whole_text(error)}") from error
    graph.onnx.give_back()


def with_returned_shapes(source: ModelSource, model: ir.Model) -> ModelContract:
    """Return the contract of tensors with the outputs that a graph gives.

    torch is asked which axes are which dynamic dimension: the exporter invents names, and fixes sizes, after some
    operators. The graph's own word counts where an axis is computed from others (``2*time``).
    """
    declare_returned(source, model)
    return replace(source.contract, outputs=tuple(_spec(value) for value in model.graph.outputs))


def declare_returned(source: ModelSource, model: ir.Model) -> None:
    """Give a graph's outputs the shapes that the source's module returns, in place, and dtypes where they have none."""
    for value, (dtype, shape) in zip(model.graph.outputs, returned_shapes(source), strict=True):
        value.shape = ir.Shape(_known_sizes(value, shape))
        value.dtype = value.dtype or ir.DataType.from_numpy(np.dtype(dtype))


def _with_lengths(source: ModelSource, model: ir.Model) -> ModelContract:
    """Return the contract with the length of the sequences that the module returns, where its task has any.

    Raises:
        InputError: the batch is not the first axis, or the number of classes, the vocabulary or the dimension of the
            vectors changes with the inputs.
    """
    contract = source.contract
    if contract.task not in SHAPES:
        return contract
    (_, shape), *others = returned_shapes(source)
    if others or len(model.graph.outputs) != 1:
        return contract  # the head refuses it
    sizes = _known_sizes(model.graph.outputs[0], shape)
    if sizes[0] != batch_name(contract):
        raise InputError(
            f"{argument('task', contract.task)} takes a module that returns {batch_name(contract)} first; this one "
            f"returns [{', '.join(map(str, sizes))}]: transpose it"
        )
    if isinstance(sizes[-1], str):
        raise InputError(
            f"{argument('task', contract.task)} takes a module that returns a fixed number of "
            f"{_COUNTED[contract.task]}; this one returns {sizes[-1]} of them"
        )
    row = tuple(sizes[1:-1])
    outputs = tuple(
        replace(spec, shape=(*spec.shape[:1], *row, *spec.shape[len(row) + 1 :])) for spec in contract.outputs
    )
    return replace(contract, outputs=outputs)


_COUNTED = {
    "multilabel": "classes",
    "tagging": "classes",
    "language_model": "logits at each position",
    "embedding": "numbers a row",
}


def _known_sizes(value: ir.Value, returned: tuple[int | str, ...]) -> list[int | str]:
    known = value.shape is not None and len(value.shape) == len(returned)  # exporters also declare another rank
    declared = _sizes(value.shape) if known and value.shape is not None else returned
    return [_size(mine, theirs) for mine, theirs in zip(returned, declared, strict=True)]


def _size(returned: int | str, declared: int | str) -> int | str:
    computed = isinstance(returned, str) and returned.startswith("dim")
    return declared if computed and isinstance(declared, str) and _EXPRESSION.fullmatch(declared) else returned


def _sizes(shape: ir.Shape) -> tuple[int | str, ...]:
    return tuple(size if isinstance(size, int) else str(size.value) for size in shape)


def _spec(value: ir.Value) -> TensorSpec:
    shape = () if value.shape is None else _sizes(value.shape)
    dtype = value.dtype.numpy().name if value.dtype is not None else "float32"
    return TensorSpec(str(value.name), dtype, shape)
