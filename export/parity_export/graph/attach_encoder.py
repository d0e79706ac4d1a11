"""From the graph of a network of a table to one that takes the table's own cells: strings and seconds.

The encoder is written in ONNX, node by node, and not traced from torch: the gate compares it with
`parity_training.data.encode_columns`, which shares no code with it. It stands in front of what torch exported, whose
inputs (`network_inputs`) become values inside the graph.
"""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from parity_export.export_graph import ExportGraph
from parity_export.graph.calendar import CalendarParts, calendar_parts
from parity_export.graph.encoder_nodes import PREFIX, EncoderNodes
from parity_export.graph.onnx_versions import ML_DOMAIN, ML_OPSET
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import is_encoded
from parity_runtime.feature import (
    CATEGORIES,
    FEATURES,
    FIRST_INDEX,
    MISSING_CATEGORY,
    MISSING_INDEX,
    TIMESTAMPS,
    UNKNOWN_INDEX,
)
from parity_training.data.encode_columns import INDICES


def encoded_name(contract: ModelContract, name: str) -> str:
    """Return what an input of the network is called inside the graph of a contract."""
    passed_on = name == FEATURES and not contract.features_of(TIMESTAMPS)
    return name if passed_on or not is_encoded(contract) else f"{PREFIX}{name}"


def attach_encoder(headed: ExportGraph) -> ExportGraph:
    """Return a graph that takes the inputs of its contract; one without text and timestamps as it is.

    The encoder is built into the graph itself, which ends here: a copy would hold its nodes twice.
    """
    contract, model = headed.contract, headed.model
    if not is_encoded(contract):
        return headed
    graph, nodes = model.graph, EncoderNodes(model.graph)
    network = {str(value.name): value for value in graph.inputs}
    passed = {name: value for name, value in network.items() if encoded_name(contract, name) == name}
    given = {spec.name: passed[spec.name] if spec.name in passed else _input(spec) for spec in contract.inputs}
    encoded = write_encoder(nodes, contract, given)
    for name, value in encoded.items():
        ir.convenience.replace_all_uses_with(network[name], value)
        value.name = encoded_name(contract, name)
    graph.inputs.clear()
    graph.inputs.extend(given.values())
    nodes.insert()
    if contract.features_of(CATEGORIES):
        model.opset_imports[ML_DOMAIN] = ML_OPSET
    return headed.with_model(ShapeInferencePass()(model).model, contract)


def _input(spec: TensorSpec) -> ir.Value:
    dtype = ir.DataType.STRING if spec.dtype == "string" else ir.DataType.from_numpy(np.dtype(spec.dtype))
    return ir.Value(name=spec.name, shape=ir.Shape(spec.shape), type=ir.TensorType(dtype))


def graph_inputs(contract: ModelContract) -> dict[str, ir.Value]:
    """Return a value for each input of a contract's graph, by its name."""
    return {spec.name: _input(spec) for spec in contract.inputs}


def write_encoder(nodes: EncoderNodes, contract: ModelContract, given: dict[str, ir.Value]) -> dict[str, ir.Value]:
    """Add the nodes of a contract's encoder, and return the network's inputs that they compute, by their names.

    Args:
        nodes: of the graph that the encoder is for.
        contract: of a table with text or timestamps.
        given: the graph's inputs, by their names.
    """
    indices = _category_indices(nodes, contract, given[CATEGORIES]) if CATEGORIES in given else []
    found: dict[str, ir.Value] = {}
    if TIMESTAMPS in given:
        parts = calendar_parts(nodes, given[TIMESTAMPS])
        numbers = [given[FEATURES]] if FEATURES in given else []
        found[FEATURES] = _joined(nodes, [*numbers, parts.year], FEATURES)
        indices.append(_in_order(nodes, parts))
    return found | {INDICES: _joined(nodes, indices, INDICES)}


def _category_indices(nodes: EncoderNodes, contract: ModelContract, texts: ir.Value) -> list[ir.Value]:
    """Return the index of each column's cell, each int64 ``[batch, 1]``."""
    features, found = contract.features_of(CATEGORIES), []
    for feature in features:
        column = texts
        if len(features) > 1:
            place = nodes.constant(np.array([feature.index]))
            column = nodes.add("Gather", [texts, place], f"category_{feature.index}", axis=1)
        found.append(
            nodes.add(
                "LabelEncoder",
                [column],
                f"index_{feature.index}",
                ML_DOMAIN,
                keys_strings=[MISSING_CATEGORY, *feature.categories],
                values_int64s=[MISSING_INDEX, *range(FIRST_INDEX, FIRST_INDEX + len(feature.categories))],
                default_int64=UNKNOWN_INDEX,
            )
        )
    return found


def _in_order(nodes: EncoderNodes, parts: CalendarParts) -> ir.Value:
    """Return the parts of each timestamp side by side, int64 ``[batch, 4 timestamps]``."""
    last = nodes.constant(np.array([2]))
    columns = [nodes.add("Unsqueeze", [part, last], f"part_{index}") for index, part in enumerate(parts.indices)]
    return nodes.add("Flatten", [nodes.add("Concat", columns, "parts", axis=2)], "calendar", axis=1)


def _joined(nodes: EncoderNodes, columns: list[ir.Value], name: str) -> ir.Value:
    return columns[0] if len(columns) == 1 else nodes.add("Concat", columns, name, axis=1)
