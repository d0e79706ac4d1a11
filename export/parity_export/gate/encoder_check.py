"""The encoder by itself: what it makes of text and timestamps, against the Python reference, exactly.

A network may answer alike whatever month it is; then its answers say nothing of the month. Here the encoder's own
values are compared, which are integers, and years.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from parity_export.export_graph import ExportGraph
from parity_export.gate.backends import REFERENCE, backends
from parity_export.gate.probes import SEED
from parity_export.gate.text_probes import all_texts
from parity_export.gate.timestamp_probes import calendar_timestamps, seconds_range
from parity_export.graph.attach_encoder import encoded_name
from parity_runtime import Feature, ModelContract
from parity_runtime.contract import is_encoded
from parity_runtime.errors import first_line
from parity_runtime.feature import CATEGORIES, FEATURES, TIMESTAMPS
from parity_runtime.inference.input_validation import Arrays
from parity_training.data.encode_columns import CALENDAR_SIZES, encode_columns, network_inputs

_FIRST_DAY, _DAYS = -62_091, 146_097  # 1800-01-01, and 400 years from there: every date of the calendar's cycle
_DAY = 86_400
_RANDOM_ROWS = 4096


@dataclass
class EncoderReport:
    """What was compared.

    Attributes:
        rows: how many were asked of each backend.
        values: compared, over all backends.
        mismatches: what differs, a line each.
        not_run: of ONNX's reference evaluator, why it could not.
    """

    rows: int
    values: int
    mismatches: list[str]
    not_run: list[str]


def check_encoder(graph: ExportGraph) -> EncoderReport | None:
    """Compare a graph's encoder with the Python reference on every backend; None where the graph has none."""
    contract = graph.contract
    if not is_encoded(contract):
        return None
    names = {spec.name: encoded_name(contract, spec.name) for spec in network_inputs(contract)}
    computed = {name: inner for name, inner in names.items() if inner != name}
    made = {name for node in graph.onnx.light.graph.node for name in node.output}
    lost = [inner for inner in computed.values() if inner not in made]
    if lost:
        return EncoderReport(0, 0, [f"the graph has no value {lost[0]}, which its encoder computes"], [])
    inputs = _rows(contract, _texts_of(graph.onnx.light.graph))
    report = EncoderReport(len(next(iter(inputs.values()))), 0, [], [])
    wanted = encode_columns(contract, inputs)
    alone = graph.onnx.with_light(_alone(graph.onnx.light, list(computed.values())))
    for backend in backends(alone):
        try:
            found = backend.load_values(alone, list(computed.values()))(inputs)
        except Exception as error:  # onnxruntime's and the reference evaluator's own
            reason = f"{backend} fails in the encoder: {first_line(error)}"
            (report.not_run if backend == REFERENCE else report.mismatches).append(reason)
            continue
        for name, inner in computed.items():
            report.values += wanted[name].size
            report.mismatches += [
                f"{backend}: {line}" for line in _differing(contract, name, found[inner], wanted, inputs)
            ]
    return report


def _alone(model: onnx.ModelProto, outputs: list[str]) -> onnx.ModelProto:
    """Return a model of the nodes that some values are computed by."""
    producers = {name: node for node in model.graph.node for name in node.output}
    needed, waiting = set[str](), list(outputs)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += producers[name].input if name in producers else ()
    graph = onnx.GraphProto(
        name="encoder",
        node=[node for node in model.graph.node if needed & {*node.output}],
        input=model.graph.input,
        initializer=[tensor for tensor in model.graph.initializer if tensor.name in needed],
        output=[onnx.ValueInfoProto(name=name) for name in outputs],
    )
    return onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=graph)


def _texts_of(graph: onnx.GraphProto) -> list[str]:
    """Return the texts that a graph's nodes hold: what is no category may be taken for one."""
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    return [text.decode(errors="ignore") for attribute in attributes for text in (*attribute.strings, attribute.s)]


def _rows(contract: ModelContract, held: list[str]) -> Arrays:
    """Return every text of every column, and timestamps: turns of the calendar, 400 years of days, random ones.

    Args:
        contract: of a table.
        held: the texts that the graph holds.
    """
    random = np.random.default_rng(SEED)
    columns = {
        CATEGORIES: [
            np.array(list(dict.fromkeys([*all_texts(one), *held])), object) for one in contract.features_of(CATEGORIES)
        ],
        TIMESTAMPS: [_moments(one, random) for one in contract.features_of(TIMESTAMPS)],
    }
    rows = max(len(column) for found in columns.values() for column in found)
    inputs: Arrays = {
        name: np.stack([np.resize(column, rows) for column in found], axis=1)
        for name, found in columns.items()
        if found
    }
    numbers = len(contract.features_of(FEATURES))
    return inputs | ({FEATURES: random.standard_normal((rows, numbers)).astype(np.float32)} if numbers else {})


def _moments(feature: Feature, random: np.random.Generator) -> NDArray[np.int64]:
    limits, (low, high) = np.iinfo(np.int64), seconds_range(feature)
    anywhere = random.integers(limits.min, limits.max, _RANDOM_ROWS, endpoint=True)
    near = random.uniform(low, high, _RANDOM_ROWS).astype(np.int64)
    days = (_FIRST_DAY + np.arange(_DAYS)) * _DAY + random.integers(0, _DAY, _DAYS)
    return np.concatenate([calendar_timestamps(), anywhere, near, days])


def _differing(
    contract: ModelContract, name: str, found: NDArray[Any], encoded: Arrays, inputs: Arrays
) -> Iterator[str]:
    """Yield one line for each column of one of the network's inputs that differs: the first such row."""
    wanted = encoded[name]
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        yield f"the encoder gives {name} as {found.dtype}{list(found.shape)}, not {wanted.dtype}{list(wanted.shape)}"
        return
    differs = ~((found == wanted) | (np.isnan(found) & np.isnan(wanted)))
    for column in np.flatnonzero(differs.any(axis=0)):
        row = int(np.argmax(differs[:, column]))
        feature, part = _source(contract, name, int(column))
        cell = inputs[feature.input][row, feature.index]
        yield (
            f"the encoder gives {part} {found[row, column]} for {feature.name} = {cell!r}, not {wanted[row, column]} "
            f"({int(differs[:, column].sum())} of {len(wanted)} rows)"
        )


def _source(contract: ModelContract, name: str, column: int) -> tuple[Feature, str]:
    """Return from which feature a column of a network's input is, and what it is of that."""
    plain = contract.features_of(FEATURES if name == FEATURES else CATEGORIES)
    if column < len(plain):
        return plain[column], "the number" if name == FEATURES else "the index"
    column -= len(plain)
    parts = ("year",) if name == FEATURES else tuple(CALENDAR_SIZES)
    return contract.features_of(TIMESTAMPS)[column // len(parts)], f"the {parts[column % len(parts)]}"
