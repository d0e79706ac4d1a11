"""Where ONNX's reference evaluator alone diverges: which operator it computes differently."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from parity_export.gate.comparison import close
from parity_export.onnx_graph import OnnxGraph
from parity_runtime.errors import first_line
from parity_runtime.inference.input_validation import Arrays

_RTOL, _ATOL = 1e-3, 1e-5  # onnx.backend.test's relative tolerance, and a value of it near zero


def differing_operator(graph: OnnxGraph, call: Arrays) -> str:
    """Return a sentence that names the first operator that the evaluator computes otherwise than onnxruntime.

    Each operator is asked by itself, given what onnxruntime computed before it.

    Args:
        graph: the model.
        call: the model's inputs.
    """
    proto, constants = graph.light, graph.constants()
    values = _onnxruntime_values(graph, call)
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    known = {**constants, **values, **call}
    for node in proto.graph.node:
        if all(name in known for name in [*node.input, *node.output] if name):
            reason = _difference(node, known, versions)
            if reason is not None:
                since = onnx.defs.get_schema(node.op_type, versions[node.domain], node.domain).since_version
                return f"{node.op_type} ({node.name or node.output[0]}; {node.op_type}-{since} in ONNX's specification)"
    return "no operator by itself"


def _onnxruntime_values(graph: OnnxGraph, call: Arrays) -> dict[str, NDArray[np.generic]]:
    shown = onnx.ModelProto()
    shown.CopyFrom(graph.light)
    given = {output.name for output in shown.graph.output}
    shown.graph.output.extend(
        onnx.ValueInfoProto(name=name)
        for node in shown.graph.node
        for name in node.output
        if name and name not in given
    )
    session = graph.with_light(shown).session(optimization="disabled")
    names = [output.name for output in session.get_outputs()]
    found = zip(names, session.run(names, call), strict=True)
    return {name: array for name, array in found if isinstance(array, np.ndarray)}


def _difference(node: onnx.NodeProto, known: dict[str, NDArray[np.generic]], versions: dict[str, int]) -> str | None:
    """Return why an operator's answer differs from the one that is known; None if it does not."""
    given = {name: known[name] for name in node.input if name}
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(node, opsets=versions).run(None, given)
    except Exception as error:  # the evaluator's own
        return first_line(error)
    for name, array in zip(node.output, found, strict=False):
        if name and isinstance(array, np.ndarray):
            wanted = known[name]
            if array.shape != wanted.shape:
                return "another shape"
            if wanted.dtype.kind == "O":
                if array.tolist() != wanted.tolist():
                    return "other texts"
                continue
            allowed = _ATOL + _RTOL * np.abs(np.nan_to_num(wanted.astype(np.float64)))
            if not close(array, wanted, allowed):
                return "other values"
    return None
