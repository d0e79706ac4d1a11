"""From the graph of somebody else's file to the graph of a package: its names, its shapes, and its head."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

import onnx_ir as ir

from parity_export.export_graph import ExportGraph
from parity_export.graph.attach_head import attach_head, declare_returned, with_returned_shapes
from parity_export.graph.convert_model import converted
from parity_export.graph.head import name_outputs
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError
from parity_runtime.contract import METADATA_KEY

_HEAD = 18  # the opset whose operators a head is made of


def adopt_graph(source: ModelSource) -> ExportGraph:
    """Return the package's graph of a source that `source_from_onnx` made.

    Of the task ``tensors`` its operators are the file's own, so that it answers as the file bit for bit; of another
    task a head stands behind them, and a Sigmoid or Softmax at their end is part of that.

    Raises:
        InputError: the file's opset is too old for the task, and ONNX's converter cannot raise it.
    """
    if source.adopted is None:
        raise InputError(f"{source.contract.name} was not read from an ONNX file")
    has_head = source.contract.task != "tensors"
    proto, notes = converted(source.adopted, _HEAD if has_head else None, source.contract.name)
    source = source.noting(*notes)
    model = ir.from_proto(proto)
    model.metadata_props.pop(METADATA_KEY, None)
    _name_inputs(model, source)
    if has_head:
        declare_returned(source, model)
        return attach_head(ExportGraph.of(source, model))
    name_outputs(model.graph, source.outputs.names)
    return ExportGraph.of(replace(source, contract=with_returned_shapes(source, model)), model)


def _name_inputs(model: ir.Model, source: ModelSource) -> None:
    """Give the inputs the contract's dimensions, and what the file says of inner shapes their names.

    onnxruntime plans by what a file says of inner shapes: without that its answers differ in their last bits.
    """
    names: dict[str, int | str] = {}
    for value, spec in zip(model.graph.inputs, source.contract.inputs, strict=True):
        named = [] if value.shape is None else list(value.shape)
        names |= {str(dim.value): size for dim, size in zip(named, spec.shape, strict=False) if _has_name(dim)}
        value.shape = ir.Shape(spec.shape)
    taken = {size for spec in source.contract.inputs for size in spec.shape}
    for node in model.graph:
        for value in node.outputs:
            if value not in model.graph.outputs and value.shape is not None:
                value.shape = ir.Shape([_renamed(dim, names, taken) for dim in value.shape])


def _has_name(dim: int | ir.SymbolicDim) -> TypeGuard[ir.SymbolicDim]:
    return isinstance(dim, ir.SymbolicDim) and dim.value is not None


def _renamed(dim: int | ir.SymbolicDim, names: Mapping[str, int | str], taken: Collection[int | str]) -> Any:
    """Return a size of an inner tensor; a name of the file's own that a contract gives to another size is left out."""
    if not _has_name(dim):
        return dim
    name = str(dim.value)
    return names.get(name, None if name in taken else name)
