"""Whether a certificate of a graph speaks for the torch module as well: the same weights, the same operations."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.data_flow import digest
from parity_export.error_bounds.graph_data_flow import GraphFlow
from parity_export.error_bounds.torch_data_flow import TorchFlow
from parity_export.export_graph import ExportGraph
from parity_export.gate.final_activation import watch
from parity_export.graph.attach_encoder import encoded_name
from parity_export.graph.encoder_nodes import PREFIX


def torch_gaps(graph: ExportGraph) -> list[str]:
    """Return why a certificate of a graph does not speak for its module; nothing where it does.

    The Sigmoid or Softmax that a module ends in stands behind the logits, and is left out.
    """
    source = graph.source
    torch_flow = TorchFlow.of(source.call, source.example.tensors(), watch(source))
    given = [encoded_name(source.contract, spec.name) for spec in source.module_inputs]
    graph_flow = GraphFlow(graph.onnx, source.contract.bounded, given)
    strange = [name for name, array in _of_code(graph).items() if digest(array) not in torch_flow.numbers]
    gaps = [f"torch did not get the graph's constant {name}" for name in strange]
    return gaps + (_counts(torch_flow, graph_flow) or _wiring(torch_flow, graph_flow))


def _counts(theirs: TorchFlow, ours: GraphFlow) -> list[str]:
    """Return the operations that one runs more often than the other."""
    run, made = (Counter(name for name, _ in flow.operations) for flow in (theirs.flow, ours.flow))
    return [f"torch runs {name} {run[name]} times, the graph {made[name]} times"
            for name in sorted(run | made) if run[name] != made[name]]  # fmt: skip


def _wiring(theirs: TorchFlow, ours: GraphFlow) -> list[str]:
    """Return the first operation that the graph gives other values, and whether another one is returned."""
    rest = Counter(ours.flow.operations)
    for name, value in theirs.flow.operations:
        if not rest[name, value]:
            return [f"torch computes {name} from other values than the graph"]
        rest[name, value] -= 1
    return [] if theirs.result == ours.result else ["torch returns another of its values than the graph"]


def code_constants(graph: ExportGraph) -> list[str]:
    """Return the graph's float constants that its module's code brings in and that float16 does not hold.

    Torch computes with such a number in float64 when it is asked in float64, the graph with its float32: then torch's
    float64 answers are not the exact ones of the graph.
    """
    return [name for name, array in _of_code(graph).items() if not _short(array)]


def _of_code(graph: ExportGraph) -> dict[str, NDArray[np.float32]]:
    """Return a graph's float32 constants that are no tensors of its module, without those of head and encoder."""
    module = graph.source.module
    tensors = {*module.state_dict(), *dict(module.named_buffers())}
    return {
        name: array
        for name, array in graph.onnx.constants().items()
        if name not in tensors and not name.startswith(("head.", PREFIX)) and array.dtype == np.float32
    }


def _short(array: NDArray[Any]) -> bool:
    with np.errstate(over="ignore"):
        return bool((array.astype(np.float16).astype(np.float32) == array).all())
