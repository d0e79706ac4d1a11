"""The encoder in front of a table's graph: what it takes, that it is exact, and that the gate refuses a wrong one."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.export_graph import ExportGraph
from parity_export.gate.encoder_check import check_encoder
from parity_export.gate.reference_evaluator import differing_operator
from parity_export.gate.row_traits import row_traits
from parity_export.gate.run_gate import run_gate
from parity_export.gate.text_probes import all_texts, unknown_texts
from parity_export.gate.timestamp_probes import calendar_timestamps
from parity_export.gate.torch_reference import TorchReference
from parity_export.graph.attach_encoder import attach_encoder, encoded_name
from parity_export.graph.attach_head import attach_head, check_graph
from parity_export.graph.onnx_versions import check_loads, oldest_onnxruntime
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_export.select_test_vectors import select_test_vectors
from parity_runtime import Feature, InputError, ParityRefusedError, Predictor
from parity_runtime.contract import Task
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.inference.session import OPTIMIZATIONS, import_onnxruntime
from parity_runtime.verification.verify import verify
from parity_training.data.encode_columns import CALENDAR_SIZES, calendar_indices, encode_columns, network_inputs, year
from tests.export.table_models import AGE, ALL, CITY, JOINED, MEMBER, PLAN, table_contract, table_rows, table_source
from tests.soak import sampled

_TABLES = {
    "every kind": ALL,
    "numbers and text": (AGE, CITY),
    "text alone": (CITY,),
    "two of text": (CITY, PLAN),
    "timestamps alone": (JOINED,),
    "text and timestamps": (CITY, JOINED),
}


@cache
def encoded_graph(features: tuple[Feature, ...] = ALL, sample_rows: int = 200) -> ExportGraph:
    """Return the whole graph of a table, with a sample of rows; nobody may change it."""
    source = table_source(features)
    source = replace(source, sample=table_rows(source.contract, sample_rows))
    return attach_encoder(attach_head(trace(source, ExportOptions())))


def changed(graph: ExportGraph, change: Callable[[onnx.GraphProto], None]) -> ExportGraph:
    """Return a graph of which something was changed."""
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.onnx.proto)
    change(proto.graph)
    return ExportGraph(graph.source, OnnxGraph(proto))


def node_of(graph: onnx.GraphProto, name: str) -> onnx.NodeProto:
    """Return the node of a name."""
    return next(node for node in graph.node if node.name == name)


@pytest.mark.parametrize("features", _TABLES.values(), ids=_TABLES.keys())
def test_a_graph_takes_strings_and_seconds_and_answers_as_torch(features: Sequence[Feature]) -> None:
    """Only the inputs that the table needs, on onnxruntime at every level and on ONNX's reference evaluator."""
    graph = encoded_graph(features)
    check_graph(graph)
    contract, rows = graph.contract, table_rows(graph.contract, 300, seed=1)
    assert [tensor.name for tensor in graph.onnx.session().get_inputs()] == [spec.name for spec in contract.inputs]
    wanted = TorchReference(graph.source)(rows)
    for level in OPTIMIZATIONS:
        found = graph.onnx.session(optimization=level).run(["logits"], rows)[0]
        np.testing.assert_allclose(found, wanted["logits"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(graph.onnx.evaluator().run(["logits"], rows)[0], wanted["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("features", _TABLES.values(), ids=_TABLES.keys())
def test_the_gate_passes_it(features: Sequence[Feature]) -> None:
    """Every text and every turn of the calendar is asked, of the graph and of its encoder alone."""
    result = run_gate(encoded_graph(features))
    assert result.report.passed, result.report.reasons()
    assert result.report.row_independent
    assert not result.report.not_run
    counts = result.oracle.probes.counts() if result.oracle else {}
    names = {feature.input for feature in features}
    assert ("text" in counts) == ("categories" in names)
    assert ("calendar" in counts) == ("timestamps" in names)
    assert result.report.to_json()["encoder"]["values"] > 0


def test_no_node_is_added_without_text_and_timestamps() -> None:
    """A table of numbers has the graph that it always had."""
    source = table_source((AGE, MEMBER))
    headed = attach_head(trace(source, ExportOptions()))
    assert attach_encoder(headed) is headed
    assert network_inputs(source.contract) == source.contract.inputs
    assert check_encoder(headed) is None


def test_only_the_nodes_that_are_needed() -> None:
    """Text takes one LabelEncoder a column, and no calendar; timestamps take no LabelEncoder and no ai.onnx.ml."""
    text, times = encoded_graph((AGE, CITY)).onnx.proto, encoded_graph((AGE, JOINED)).onnx.proto
    assert [node.op_type for node in text.graph.node if node.name.startswith("encoder.")] == ["LabelEncoder"]
    assert {entry.domain: entry.version for entry in text.opset_import}["ai.onnx.ml"] == 4
    assert "ai.onnx.ml" not in {entry.domain for entry in times.opset_import}
    floats = [tensor for tensor in times.graph.initializer if tensor.name.startswith("encoder.")]
    arrays = [numpy_helper.to_array(tensor) for tensor in floats]
    assert [array.dtype for array in arrays if array.dtype != np.int64] == [np.float32]  # the year that is missing


def _by_hand(seconds: int) -> tuple[int, int, int, int, int]:
    """Return the year, and the indices of month, day, weekday and hour, by Python's calendar of 400 years."""
    days, second = divmod(seconds, 86_400)
    era, rest = divmod(days, 146_097)
    timestamp = date.fromordinal(date(1970, 1, 1).toordinal() + rest)
    return timestamp.year + 400 * era, timestamp.month, timestamp.day, timestamp.isoweekday(), second // 3_600 + 1


def test_the_calendar_is_right_for_every_int64() -> None:
    """The graph, and the Python reference that it is compared with, against a third calendar."""
    contract = table_contract((JOINED,))
    random = np.random.default_rng(5)
    anywhere = random.integers(-(2**63), 2**63 - 1, 20_000, endpoint=True)
    near = random.integers(-(10**11), 10**11, 20_000)
    seconds = np.concatenate([calendar_timestamps(), anywhere, near])
    present = seconds[seconds != MISSING_TIMESTAMP]
    wanted = np.array([_by_hand(one) for one in present.tolist()])
    np.testing.assert_array_equal(year(present), wanted[:, 0].astype(np.float32))
    for column, found in zip(wanted.T[1:], calendar_indices(present), strict=True):
        np.testing.assert_array_equal(found, column)
    inputs = {"timestamps": seconds[:, None]}
    graph = encoded_graph((JOINED,)).onnx
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    names = [encoded_name(contract, spec.name) for spec in network_inputs(contract)]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    for level in OPTIMIZATIONS:
        found = OnnxGraph(proto).session(optimization=level).run(names, inputs)
        for spec, array in zip(network_inputs(contract), found, strict=True):
            np.testing.assert_array_equal(array, encode_columns(contract, inputs)[spec.name])


def test_a_missing_timestamp_is_replaced_before_any_arithmetic() -> None:
    """INT64_MIN goes into one comparison and one Where; nothing else takes the input."""
    graph = encoded_graph((JOINED,)).onnx.proto.graph
    takers = {node.op_type for node in graph.node if "timestamps" in node.input}
    assert takers == {"Equal", "Where"}
    encoded = encode_columns(table_contract((JOINED,)), {"timestamps": np.array([[MISSING_TIMESTAMP]])})
    assert np.isnan(encoded["features"]).all()
    assert encoded["indices"].tolist() == [[0] * len(CALENDAR_SIZES)]


def test_unknown_texts_are_unknown() -> None:
    """None of them is a category or empty; white space, case, accents, numbers and long texts are among them."""
    unknown = unknown_texts(CITY.categories)
    assert not {*unknown} & {*CITY.categories, ""}
    assert {" ", "1.0", "zürich", "Paris ", "Pari", "PARIS", "Zu\u0308rich", "\u00a0"} <= {*unknown}
    assert any(len(text) >= 1000 for text in unknown)
    assert {*CITY.categories, ""} <= {*all_texts(CITY)}


def _other_index(graph: onnx.GraphProto) -> None:
    node = node_of(graph, "encoder.index_0")
    (values,) = [attribute for attribute in node.attribute if attribute.name == "values_int64s"]
    values.ints[1], values.ints[2] = values.ints[2], values.ints[1]


def _unknown_is_missing(graph: onnx.GraphProto) -> None:
    for attribute in node_of(graph, "encoder.index_0").attribute:
        if attribute.name == "default_int64":
            attribute.i = 0


def _one_key_more(graph: onnx.GraphProto) -> None:
    """Take a text for a category that nobody would think of asking: the graph's own texts are asked too."""
    for attribute in node_of(graph, "encoder.index_0").attribute:
        if attribute.name == "keys_strings":
            attribute.strings.append(b"xyzzy")
        if attribute.name == "values_int64s":
            attribute.ints.append(3)


def _month_off_before_1970(graph: onnx.GraphProto) -> None:
    """Add to each month whether it is before 1970."""
    node = node_of(graph, "encoder.month")
    made = helper.make_node("Add", [node.input[0], "encoder.before_1970"], ["wrong"], name="wrong")
    node.input[0] = "wrong"
    graph.node.insert([one.name for one in graph.node].index(node.name), made)


def _truncated_days(graph: onnx.GraphProto) -> None:
    """Divide as C does, towards zero: the days before 1970 are one too late."""
    node = node_of(graph, "encoder.days")
    node.input[1] = next(tensor.name for tensor in graph.initializer if numpy_helper.to_array(tensor).tolist() == 0)


def _untouched_missing(graph: onnx.GraphProto) -> None:
    """Let INT64_MIN through to the arithmetic."""
    for node in graph.node:
        node.input[:] = ["timestamps" if name == "encoder.seconds" else name for name in node.input]
    node_of(graph, "encoder.year").input[0] = "never"
    node_of(graph, "encoder.present").input[0] = "always"
    graph.initializer.append(numpy_helper.from_array(np.array(False), "never"))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))


def _julian(graph: onnx.GraphProto) -> None:
    """Make every fourth year a leap year, 1900 too."""
    node = node_of(graph, "encoder.leap")
    node.input[1] = next(tensor.name for tensor in graph.initializer if numpy_helper.to_array(tensor).tolist() == 0)


def _nothing_is_a_year(graph: onnx.GraphProto) -> None:
    """Give a missing timestamp the year 1970 in the place of NaN."""
    node_of(graph, "encoder.year").input[1] = "encoder.year_as_float"


_WRONG = {
    "a category has another's index": _other_index,
    "an unknown category is missing": _unknown_is_missing,
    "an unknown text is taken for a category": _one_key_more,
    "a month is off by one before 1970": _month_off_before_1970,
    "days are truncated": _truncated_days,
    "INT64_MIN is computed with": _untouched_missing,
    "1900 is a leap year": _julian,
    "a missing timestamp has a year": _nothing_is_a_year,
}


@pytest.mark.parametrize(
    "name", sampled(_WRONG, {"an unknown category is missing", "days are truncated", "a missing timestamp has a year"})
)
def test_the_gate_refuses_a_wrong_encoder(name: str) -> None:
    """Whatever it does wrong, the report names the column and the cell."""
    change = _WRONG[name]
    report = run_gate(changed(encoded_graph((AGE, CITY, JOINED)), change)).report
    assert not report.passed
    named = "city" if change in (_other_index, _unknown_is_missing, _one_key_more) else "joined"
    assert any(f"for {named} = " in reason for reason in report.reasons()), report.reasons()


@pytest.mark.parametrize(
    "change",
    sampled(
        [_other_index, _unknown_is_missing, _month_off_before_1970, _untouched_missing, _julian],
        {"_other_index", "_month_off_before_1970"},
        lambda change: change.__name__,
    ),
)
def test_the_answers_alone_refuse_a_wrong_encoder(change: Callable[[onnx.GraphProto], None]) -> None:
    """Without the comparison of the encoder by itself, the probes that are asked of the whole graph show it too."""
    report = run_gate(changed(encoded_graph((AGE, CITY, JOINED)), change)).report
    assert any(result.failed for result in report.results)


def test_an_encoder_that_the_network_does_not_listen_to_is_judged_all_the_same() -> None:
    """A network whose table of months is zero answers alike whatever month it is; the encoder is still wrong."""
    graph = encoded_graph.__wrapped__((AGE, JOINED))
    silent = graph.source.module
    for table in silent.tables:
        table.data.zero_()
    deaf = attach_encoder(attach_head(trace(graph.source, ExportOptions())))
    report = run_gate(changed(deaf, _month_off_before_1970)).report
    assert not any(result.failed for result in report.results)
    assert not report.passed


def test_an_encoder_that_computes_nothing_is_refused() -> None:
    """The value that the network's indices are must be there."""

    def rename(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            node.input[:] = ["other" if name == "encoder.indices" else name for name in node.input]
            node.output[:] = ["other" if name == "encoder.indices" else name for name in node.output]

    report = check_encoder(changed(encoded_graph((CITY,)), rename))
    assert report is not None
    assert report.mismatches == ["the graph has no value encoder.indices, which its encoder computes"]


def test_the_evaluator_is_asked_of_every_operator_also_of_text() -> None:
    """Where ONNX's reference evaluator alone differs, each operator is asked by itself: text is compared as text."""
    graph = encoded_graph((CITY, PLAN))
    assert differing_operator(graph.onnx, table_rows(graph.contract, 20)) == "no operator by itself"


def test_vectors_record_every_trait_of_a_cell() -> None:
    """A missing and an unknown text, one outside of ASCII, a missing timestamp and one before 1970, in both sets."""
    graph = encoded_graph()
    result = run_gate(graph)
    assert result.oracle is not None
    contract = replace(graph.contract, tolerance=result.expected.reported_tolerances["ordinary"])
    vectors = select_test_vectors(contract, result.oracle, {})
    assert vectors.hard is not None
    for inputs in (vectors.ordinary.inputs, vectors.hard.inputs):
        traits = row_traits(contract, inputs)
        assert len(traits) == 6
        assert all(rows.any() for rows in traits.values()), {name: int(rows.sum()) for name, rows in traits.items()}
        assert not any("\0" in text for text in inputs["categories"].ravel())


def test_a_moment_before_1970_is_recorded_although_training_saw_none() -> None:
    """Rows with turns of the calendar are asked of every runner."""
    later = replace(JOINED, low=1e9, high=1.7e9)
    graph = encoded_graph((AGE, later))
    result = run_gate(graph)
    assert result.oracle is not None
    contract = replace(graph.contract, tolerance=result.expected.reported_tolerances["ordinary"])
    traits = row_traits(contract, select_test_vectors(contract, result.oracle, {}).ordinary.inputs)
    assert traits["timestamp before 1970"].any()
    assert traits["missing timestamp"].any()


@pytest.mark.parametrize("task", ["tensors", "regression"])
@pytest.mark.parametrize("name", ["categories", "timestamps"])
def test_an_input_of_a_module_may_have_the_name_of_a_tables_text(name: str, task: Task) -> None:
    """Embeddings' indices are often called categories: no cell of them is text."""
    source = source_from_module(nn.Linear(3, 1).eval(), [f"{name}: float32[batch, 3]"], OutputSpec(task), "m")
    assert row_traits(source.contract, {name: np.zeros((2, 3), np.float32)}) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(["categories", "timestamps"], {"timestamps"}))
def test_a_regression_over_an_input_of_such_a_name_is_exported(name: str, tmp_path: Path) -> None:
    source = source_from_module(nn.Linear(3, 1).eval(), [f"{name}: float32[batch, 3]"], OutputSpec("regression"), "m")
    result = export_package(source, tmp_path / "m", ExportOptions(plots=False, effort="quick")).gate_result
    assert result.oracle is not None and not {"text", "calendar"} & {*result.oracle.probes.counts()}
    verify(tmp_path / "m")


def test_a_graph_of_text_needs_an_onnxruntime_that_knows_its_encoder() -> None:
    """LabelEncoder of ai.onnx.ml 4 came with onnxruntime 1.17; a graph of numbers alone may need an older one."""
    assert oldest_onnxruntime(18, 8) == "1.14"
    assert oldest_onnxruntime(18, 8, 4) == "1.17"
    assert oldest_onnxruntime(21, 10, 4) == "1.18"
    assert oldest_onnxruntime(18, 8, 5) == "1.21"


def test_an_onnxruntime_without_the_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is traced, with the command that mends it."""
    monkeypatch.setattr(import_onnxruntime(), "__version__", "1.16.3")
    with pytest.raises(InputError, match=r"1\.16\.3 has no LabelEncoder .* pip install 'onnxruntime>=1\.17'"):
        check_loads(18, 8, text=True)


@pytest.mark.parametrize("task", sampled(["binary", "regression"], {"binary"}))
def test_a_module_of_ones_own_over_a_table_becomes_a_certified_package(task: str, tmp_path: Path) -> None:
    """Its vectors verify on the plain and on the certified graph, and zero rows are answered with none."""
    source = table_source(ALL, task)
    source = replace(source, sample=table_rows(source.contract, 200))
    path = export_package(source, tmp_path / task, ExportOptions(certified=True, plots=False)).path
    verify(path)
    predictor = Predictor(path, certified=True)
    assert predictor.contract.min_onnxruntime == "1.18"
    rows = table_rows(source.contract, 0)
    assert all(len(array) == 0 for array in predictor.run(dict(rows)).values())


def test_a_wrong_encoder_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The export exits without a package; the report beside its name says which cell is wrong."""

    def exchanged(headed: ExportGraph) -> ExportGraph:
        return changed(attach_encoder(headed), _other_index)

    monkeypatch.setattr("parity_export.export.attach_encoder", exchanged)
    source = table_source((AGE, CITY))
    with pytest.raises(ParityRefusedError, match=r"no package: .* \(and \d+ more\)"):
        export_package(source, tmp_path / "wrong", ExportOptions(plots=False))
    assert not (tmp_path / "wrong").exists()
    reasons = json.loads((tmp_path / "wrong.refused.json").read_text(encoding="utf-8"))["reasons"]
    assert any("the encoder gives the index 3 for city = 'Paris', not 2" in reason for reason in reasons)


def test_a_missing_cell_that_the_contract_refuses_is_not_recorded(tmp_path: Path) -> None:
    """The graph has an answer all the same, and the gate asks for it; a reader would refuse the row."""
    refusing = tuple(replace(feature, missing="refuse") for feature in (AGE, CITY, JOINED))
    path = export_package(table_source(refusing), tmp_path / "refusing", ExportOptions(plots=False)).path
    verify(path)
    inputs = json.loads((path / "conformance.json").read_text(encoding="utf-8"))["ordinary"]["inputs"]
    assert "" not in inputs["categories"]["data"]
    assert str(MISSING_TIMESTAMP) not in inputs["timestamps"]["data"]
