"""What an ONNX graph itself answers, computed in float64 from the constants that it holds.

Torch's float64 answers are those of the module; the graph may hold other numbers (0.1 as float32). Beside float32's
errors those of float64 are nothing: 2^-29 of them.
"""

from collections.abc import Sequence

from parity_export.gate.batching import ModelFunction
from parity_export.onnx_graph import OnnxGraph
from parity_export.onnx_module.graph_module import GraphModule
from parity_export.onnx_module.values import array_of, tensor_of
from parity_runtime.inference.input_validation import Arrays


def graph_float64(graph: OnnxGraph, outputs: Sequence[str]) -> ModelFunction:
    """Return what answers inputs by name with a graph's exact outputs by name, but for float64's own rounding.

    Args:
        graph: without external data.
        outputs: which of its values are wanted.

    Raises:
        InputError: the graph has no such value. When asked: an operator cannot be evaluated in float64.
    """
    module = GraphModule(graph.proto, outputs, only_float64=True).double()

    def answer(inputs: Arrays) -> Arrays:
        found = module(*(tensor_of(inputs[name]) if name in inputs else None for name in module.inputs))
        return {name: array_of(value) for name, value in zip(outputs, found, strict=True)}

    return answer
