"""The sizes inside a graph, inferred from its operators: torch writes some that it saw once, and fixes them."""

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass


def infer_shapes(model: ir.Model) -> ir.Model:
    """Return a graph whose inner shapes follow from its inputs.

    What torch wrote of an inner value is its rank and, of an output, the names of its dimensions; the sizes that it
    wrote after an LSTM or a GRU are those of its example. onnxruntime takes them for the truth and declares outputs
    by them.
    """
    outputs = set(model.graph.outputs)
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for value in node.outputs:
            if value.shape is not None:
                value.shape = ir.Shape([_kept(size, is_output=value in outputs) for size in value.shape])
    return ShapeInferencePass()(model).model


def _kept(size: int | ir.SymbolicDim, *, is_output: bool) -> str | None:
    return size.value if is_output and isinstance(size, ir.SymbolicDim) else None
