"""Every intermediate value of a network, on both sides: torch's by node, ONNX's by value name."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from parity_export.gate.comparison import close
from parity_export.graph.torch_export import export_program
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError
from parity_runtime.errors import whole_text
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.session import Optimization, Provider

Trace = dict[str, NDArray[Any]]
"""Values by name, in topological order."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first value that differs.

    Attributes:
        name: of the value.
        operator: that computes it.
        before: the last value before it that was compared and agreed; None if there is none.
        compared: how many values were compared up to it, itself included.
        max_abs: the largest deviation.
        allowed: the deviation that was allowed in its place.
        around: up to five (index, first, second) around the largest deviation, flat indices.
    """

    name: str
    operator: str
    before: str | None
    compared: int
    max_abs: float
    allowed: float
    around: tuple[tuple[int, float, float], ...]


def first_divergence(
    first: Trace, second: Trace, operators: dict[str, str], rtol: float, atol: float
) -> tuple[Divergence | None, int]:
    """Return the first value that diverges, in the order of ``first``, and how many were compared.

    Args:
        first: one side.
        second: the other; values that only one side has are passed over, and text.
        operators: by value name.
        rtol: allowed deviation relative to ``second``.
        atol: allowed deviation, in the value's unit.
    """
    before, compared = None, 0
    for name, ours in first.items():
        theirs = second.get(name)
        if theirs is None or ours.shape != theirs.shape or ours.size == 0 or theirs.dtype.kind == "O":
            continue  # text is only moved
        compared += 1
        allowed = atol + rtol * np.abs(np.nan_to_num(theirs.astype(np.float64)))
        if not close(ours, theirs, allowed):
            place = _Place(name, operators.get(name, "an unnamed operator"), before, compared)
            return _divergence(place, ours, theirs, allowed), compared
        before = name
    return None, compared


def torch_trace(source: ModelSource, call: Arrays) -> Trace:
    """Return what each node of the module's exported program computes, in float32, by node name."""
    program = export_program(source.call, source.example).exported_program
    if program is None:
        raise InputError("torch gives no program to trace")
    values: Trace = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> Any:
            result = super().run_node(node)
            if isinstance(result, torch.Tensor) and node.op == "call_function":
                values[node.name] = result.detach().numpy()
            return result

    graph_module = program.module(check_guards=False)
    with torch.no_grad():
        tensors = source.call.exportable().in_order([torch.from_numpy(array) for array in source.arrays(call)])
        Recorder(graph_module).run(*tensors, enable_io_processing=False)
    return values


def onnx_trace(
    graph: OnnxGraph, call: Arrays, optimization: Optimization = "disabled", provider: Provider = "cpu"
) -> tuple[Trace, dict[str, str]]:
    """Return every value that a graph computes, and the operator of each, by value name.

    An optimized graph is written out as onnxruntime has rewritten it, and its surviving values are read from there:
    asking the original for intermediate values would forbid the very fusions that are to be seen.
    """
    written = graph if optimization == "disabled" else graph.optimized(_writable(optimization))
    proto = onnx.ModelProto()
    proto.CopyFrom(written.light)
    operators = {name: node.op_type for node in proto.graph.node for name in node.output if name}
    given = {output.name for output in proto.graph.output}
    for name in operators:
        if name not in given:
            proto.graph.output.add().name = name
    session = written.with_light(proto).session(provider, optimization="disabled")
    names = [output.name for output in session.get_outputs()]
    try:
        found = dict(zip(names, session.run(names, call), strict=True))
    except Exception as error:  # onnxruntime's own
        raise InputError(f"onnxruntime fails on the rows that were compared: {whole_text(error)}") from error
    return {name: found[name] for name in operators if isinstance(found.get(name), np.ndarray)}, operators


def _writable(optimization: Optimization) -> Optimization:
    """Return a level whose graph any processor runs: the layouts of the level ``all`` exist for one only."""
    return "basic" if optimization == "basic" else "extended"


@dataclass(frozen=True)
class _Place:
    name: str
    operator: str
    before: str | None
    compared: int


def _divergence(place: _Place, ours: NDArray[Any], theirs: NDArray[Any], allowed: NDArray[np.float64]) -> Divergence:
    first, second = ours.reshape(-1).astype(np.float64), theirs.reshape(-1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        distance = np.nan_to_num(np.abs(first - second), nan=np.inf, posinf=np.inf)
    worst = int(distance.argmax())
    indices = range(max(0, worst - 2), min(len(first), worst + 3))
    around = tuple((index, float(first[index]), float(second[index])) for index in indices)
    reach = float(allowed.reshape(-1)[worst])
    return Divergence(place.name, place.operator, place.before, place.compared, float(distance[worst]), reach, around)
