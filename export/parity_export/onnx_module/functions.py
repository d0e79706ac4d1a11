"""A model's own functions, laid into its graph."""

import onnx
from onnx import defs, inliner

from parity_export.onnx_module.node_search import nodes_within
from parity_export.onnx_module.operators.table import full_name
from parity_runtime import InputError
from parity_runtime.printable import shown


def without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model in whose graph the nodes of its own functions stand where those were called.

    A function may be of another opset than the model, if its operators are the same in both: onnxruntime reads it by
    the model's, and ONNX's converter does not keep what every operator means.

    Raises:
        InputError: an operator of a function that is called means something else in the model's opset.
    """
    if not model.functions:
        return model
    aligned = onnx.ModelProto()
    aligned.CopyFrom(model)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    for function in aligned.functions:
        for entry in function.opset_import:
            wanted = versions.get(entry.domain, entry.version)
            if wanted != entry.version and _same_forms(function, entry, wanted):
                entry.version = wanted
    inlined = inliner.inline_local_functions(aligned)
    left = {(function.domain, function.name): function for function in inlined.functions}
    for node in nodes_within(inlined.graph.node):
        if (node.domain, node.op_type) in left:
            raise InputError(
                f"function {shown(full_name(node.domain, node.op_type))} is of another opset than its model, where its "
                "operators mean something else; export the model again, with all functions of one opset"
            )
    return inlined


def _same_forms(function: onnx.FunctionProto, entry: onnx.OperatorSetIdProto, wanted: int) -> bool:
    """Whether a function's operators of a domain are defined alike in two versions of that."""
    names = {node.op_type for node in nodes_within(function.node) if node.domain == entry.domain}
    try:
        return all(_form(name, entry, entry.version) == _form(name, entry, wanted) for name in names)
    except defs.SchemaError:
        return False


def _form(name: str, entry: onnx.OperatorSetIdProto, version: int) -> int:
    """Return since when an operator is what it is in a version."""
    return defs.get_schema(name, version, entry.domain).since_version
