"""parity adopt: what a graph's operators say of its integers, and graphs whose rows are none."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from parity_export import Adoption, ExportOptions, ProbeOptions, adopt_package, source_from_onnx
from parity_export.gate.backends import DEFAULT
from parity_export.gate.batching import LazyModel, RememberedAnswers
from parity_export.gate.oracle import GateSetting, Oracle
from parity_export.gate.quantized_kernels import quantized_notes
from parity_export.gate.run_gate import run_gate
from parity_export.gate.size_plans import plan_sizes
from parity_export.gate.torch_reference import TorchReference
from parity_export.graph.adopt_graph import adopt_graph
from parity_export.onnx_graph import OnnxGraph
from parity_export.onnx_module.operators.operator import UndefinedError
from parity_export.select_test_vectors import select_test_vectors
from parity_export.sources.onnx_file.graph_domains import graph_domains
from parity_runtime import InputError, Predictor
from parity_runtime.inference.session import create_session
from tests.export.onnx_files import parsed, saved

QUICK = ExportOptions(plots=False, effort="quick")

BODY = """<body = b (int64 i, bool ci, float[N, 4] s) => (bool co, float[N, 4] t) { co = Identity(ci) t = Tanh(s) }>"""


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        ("(int64[N, T] x) => (float[N, T, 6] y) <int64 d = {6}, float[2] v = {0, 1}> { y = OneHot (x, d, v) }",
         "in 0..5"),
        ("(int64[N] x) => (float[N, 3] y) <int64 d = {3}, float[2] v = {0, 1}> { "
         "c = Cast <to = 6> (x) y = OneHot (c, d, v) }", "in 0..2"),
        (f"(float[N, 4] a, int64 x) => (float[N, 4] y) <bool c = {{1}}> {{ y = Loop (x, c, a) {BODY} }}", "in 0..16"),
        ("(int64[N, 2] x, float[N, 7] a, float[N, 2] u) => (float[N, 7] y) { "
         "y = ScatterElements <axis = -1> (a, x, u) }", "in 0..6"),
        ("(int64[N] a, int64[N] x) => (int64[N] y) { y = Div (a, x) }", ">= 1"),
        ("(int64[N] a, int64[N] x) => (int64[N] y) { y = Div (x, a) }", None),
        ("(int64[N] x) => (int64[N] y) { y = Add (x, x) }", None),
    ],
)  # fmt: skip
def test_operators_say_what_an_integer_holds(graph: str, words: str | None) -> None:
    found = graph_domains(parsed(f"mine {graph}")).get("x")
    assert (None if found is None else found.words) == words


def test_keys_and_what_lies_beside_them_are_asked() -> None:
    model = parsed("""mine (int64[N] x) => (int64[N] y) {
        y = ai.onnx.ml.LabelEncoder <keys_int64s = [3, 7], values_int64s = [0, 1], default_int64 = -1> (x) }""",
        extra=', "ai.onnx.ml": 3')  # fmt: skip
    assert graph_domains(model)["x"].words == "in 2..8"


def test_a_trip_count_is_small_and_a_person_says_another(tmp_path: Path) -> None:
    graph = f"mine (float[N, 4] a, int64 n) => (float[N, 4] y) <bool c = {{1}}> {{ y = Loop (n, c, a) {BODY} }}"
    source = source_from_onnx(saved(parsed(graph), tmp_path / "m.onnx"))
    assert [spec.domain for spec in source.contract.inputs] == ["", "in 0..16"]
    assert "n: in 0..16 (Loop counts by it); declare it otherwise as inputs=['n: int64[] in 0..32']" in source.notes[0]


def test_a_graph_without_inputs_is_refused(tmp_path: Path) -> None:
    path = saved(parsed("mine () => (float[2] y) { y = Constant <value = float[2] {1, 2}> () }"), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="takes no inputs: its output is always the same"):
        source_from_onnx(path)


def test_what_the_sizes_do_not_decide_names_no_sizes(tmp_path: Path) -> None:
    path = saved(parsed("mine (float[N, 4] x) => (int64[2, M] y) { y = NonZero (x) }"), tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"fixed number of the best \(topk\)$"):
        source_from_onnx(path)


def test_the_smallest_length_is_found_by_halving(tmp_path: Path) -> None:
    path = saved(parsed("""mine (float[batch, T] x) => (float[batch, 1] y)
        <int64[1] first = {191}, int64[1] last = {192}, int64[1] axis = {1}, int64[2] shape = {0, 1}> {
        cut = Slice (x, first, last, axis)
        y = Reshape (cut, shape) }"""), tmp_path / "m.onnx")  # fmt: skip
    source = source_from_onnx(path)
    assert dict(source.contract.dimensions) == {"T": ">= 192"}
    assert "T is at least 192: the graph takes none that was tried below" in source.notes


@pytest.mark.slow
def test_a_reshape_that_mixes_rows_is_asked_at_lengths_or_refused(tmp_path: Path) -> None:
    graph = "mine (float[{}, 4] x) => (float[a, b] y) <int64[2] s = {{2, -1}}> {{ y = Reshape (x, s) }}"
    path = saved(parsed(graph.format("batch")), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="the size of a row of y depends on how many rows are run together"):
        adopt_package(path, tmp_path / "p", options=QUICK)
    said = Adoption(inputs=["x: float32[rows, 4]"], probes=ProbeOptions(dimensions=["rows >= 1"]))
    assert source_from_onnx(path, said).contract.dimensions == {"rows": ">= 1"}
    adopted = adopt_package(saved(parsed(graph.format("N")), path), tmp_path / "p", options=QUICK)
    assert adopted.contract.row_independent is False
    x = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
    assert np.array_equal(Predictor(adopted.path).run({"x": x})["y"], x.reshape(2, -1))


def test_saturating_products_are_named_where_they_saturate() -> None:
    graph = "mine (uint8[N, 4] x, int8[4, 4] w) => (int32[N, 4] y) { y = MatMulInteger (x, w) }"
    notes = list(quantized_notes(OnnxGraph(parsed(graph))))
    data = parsed("mine (uint8[1, 96] x, int8[96, 80] w) => (int32[1, 80] y) { y = MatMulInteger (x, w) }")
    given = {"x": np.full((1, 96), 200, np.uint8), "w": np.full((96, 80), -128, np.int8)}
    exact = bool((create_session(data.SerializeToString()).run(None, given)[0] == 96 * 200 * -128).all())
    assert len(notes) == (not exact)
    assert exact or "MatMulInteger is wrong on this processor, which has no VNNI" in notes[0]
    assert not list(quantized_notes(OnnxGraph(parsed("mine (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }"))))


def test_a_kernel_that_answers_otherwise_with_two_threads_is_named() -> None:
    """So it does: its state is quantized for the rows of each thread."""
    random = np.random.default_rng(1)
    graph = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 15, "com.microsoft": 1]>
mine (float[time, 4, 16] x) => (float[time, 1, 4, 16] y) <float[1] s = {0.015625}, int8[1] z = {0}> {
  y = com.microsoft.DynamicQuantizeLSTM <hidden_size = 16> (x, W, R, , , , , , s, z, s, z)
}""")
    for name in "WR":
        weights = random.integers(-60, 60, (1, 16, 64)).astype(np.int8)
        graph.graph.initializer.append(numpy_helper.from_array(weights, name))
    assert any("depend on the number of threads" in note for note in quantized_notes(OnnxGraph(graph)))
    rows = random.normal(size=(6, 4, 16)).astype(np.float32)
    rows[:, :2] *= 0.01
    one, two = (
        create_session(graph.SerializeToString(), threads=threads).run(None, {"x": rows})[0] for threads in (1, 2)
    )
    assert np.abs(one - two).max() > 1e-3


def test_a_pooling_is_asked_at_sizes_that_its_window_fits(tmp_path: Path) -> None:
    """onnxruntime answers a window of 16 over 4 elements as well, which ONNX's formula knows nothing of."""
    pools = parsed("""mine (float[batch, 1, time] x) => (float[batch, 1, n] y) {
        y = MaxPool <kernel_shape = [16], strides = [16]> (x) }""")
    source = source_from_onnx(saved(pools, tmp_path / "pool.onnx"))
    assert source.example.sizes["time"] >= 16
    with pytest.raises(UndefinedError, match="a window of 16 elements moves over 4"):
        source.module(torch.zeros(2, 1, 4))
    assert adopt_package(tmp_path / "pool.onnx", tmp_path / "package", options=QUICK).gate_result.report.passed


def test_an_image_that_is_halved_has_multiples_and_inner_shapes_keep_their_names(
    tmp_path: Path,
) -> None:
    """One element would do as well: it is added to any number of them. onnxruntime plans by the inner shapes."""
    halved = parsed("""mine (float[N, 1, "in.h", "in.w"] x) => (float[N, 1, a, b] y)
    <float[4] twice = {1, 1, 2, 2}, float[1, 1, 3, 3] w = {1, 0, 1, 0, 1, 0, 1, 0, 1}> {
        half = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)
        quarter = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (half, w)
        back = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (
            quarter, , twice)
        sum = Add (half, back)
        whole = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (
            sum, , twice)
        y = Add (x, whole) }""")
    sizes = ["N", 1, "in.h", "in.w"]
    halved.graph.value_info.append(helper.make_tensor_value_info("whole", TensorProto.FLOAT, sizes))
    graph = adopt_graph(source_from_onnx(saved(halved, tmp_path / "m.onnx")))
    assert graph.contract.dimensions == {"in_h": "multiple of 4", "in_w": "multiple of 4"}
    assert graph.contract.outputs[0].shape == ("N", 1, "in_h", "in_w")
    (whole,) = (value for value in graph.onnx.light.graph.value_info if value.name == "whole")
    assert [dim.dim_param or dim.dim_value for dim in whole.type.tensor_type.shape.dim] == ["N", 1, "in_h", "in_w"]


def test_a_length_that_ends_is_no_multiple(tmp_path: Path) -> None:
    table = parsed("""mine (float[N, time, 2] x) => (float[N, time, 2] y)
    <int64[1] zero = {0}, int64[1] one = {1}> {
        length = Shape <start = 1, end = 2> (x)
        rows = Slice (positions, zero, length, zero)
        y = Add (x, rows) }""")
    table.graph.initializer.append(numpy_helper.from_array(np.ones((24, 2), np.float32), "positions"))
    assert source_from_onnx(saved(table, tmp_path / "m.onnx")).contract.dimensions == {}


@pytest.mark.parametrize(("time", "domain"), [("time", "in 1..time"), ("16", "")])
def test_lengths_of_a_recurrent_operator_end_at_the_length_of_its_rows(tmp_path: Path, time: str, domain: str) -> None:
    """Where that is fixed nothing is said: rows of 16 may have a length of 16."""
    random = np.random.default_rng(0)
    recurs = parsed(f"""mine (float[batch, {time}, 3] x, int64[batch] lengths) => (float[batch, 4] y) {{
        steps = Transpose <perm = [1, 0, 2]> (x)
        count = Cast <to = 6> (lengths)
        all, last = GRU <hidden_size = 4> (steps, w, r, , count)
        y = Squeeze (last, zero) }}""")
    recurs.graph.initializer.extend(
        numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (1, 12, 3)), ("r", (1, 12, 4)))
    )
    recurs.graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero"))
    source = source_from_onnx(saved(recurs, tmp_path / "gru.onnx"))
    assert [spec.domain for spec in source.contract.inputs] == ["", domain]
    assert any("lengths: in 1..time (GRU ends each row there)" in note for note in source.notes) == bool(domain)


def test_a_test_vector_allows_what_a_backend_was_seen_to_deviate_by(tmp_path: Path) -> None:
    model = parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu (x) }")
    graph = adopt_graph(source_from_onnx(saved(model, tmp_path / "relu.onnx")))
    result = run_gate(graph, effort="quick")
    assert result.report.largest("ordinary") == {"y": 0.0}
    atols = [select_test_vectors(graph.contract, result.oracle, {"y": seen}).ordinary.atol for seen in (0.0, 1e-3)]
    assert atols[0] == 1e-7 and atols[1] >= 1e-3


def test_an_evaluation_that_fails_where_it_is_moved_says_nothing(tmp_path: Path) -> None:
    """A size that is computed of floats is another where they are moved by an ulp, and the graph fails at it."""
    sized = parsed("""mine (float[batch, 6] x) => (float[batch, 6] y)
        <float[1] six = {6.0}, int64[1] rows = {-1}, float[1] three = {3.0}, int64[1] zero = {0}> {
        thirds = Expand (third, many)
        a = Mul (six, thirds) least = ReduceMin <keepdims = 0> (a, zero) b = Mul (least, three)
        c = Floor (b) d = Cast <to = 7> (c)
        shape = Concat <axis = 0> (rows, d) z = Reshape (x, shape) y = Add (x, z) }""")
    sized.graph.initializer.append(numpy_helper.from_array(np.array([1 / 3], np.float32), "third"))
    sized.graph.initializer.append(numpy_helper.from_array(np.array([12]), "many"))
    assert adopt_package(saved(sized, tmp_path / "s.onnx"), tmp_path / "p", options=QUICK).gate_result.report.passed


@pytest.mark.parametrize("mixes", [False, True])
def test_rows_that_mix_at_some_sizes_mix_at_all(tmp_path: Path, mixes: bool) -> None:
    """A few rows of other sizes may show nothing of it: where an earlier size did, they are asked in equal batches."""
    model = parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu (x) }")
    graph = adopt_graph(source_from_onnx(saved(model, tmp_path / "relu.onnx")))
    sizes = plan_sizes(graph.source, "quick", ()).sizes[0]
    setting = GateSetting(
        LazyModel(lambda: DEFAULT.load(graph.onnx, graph.contract)),
        RememberedAnswers(LazyModel(lambda: TorchReference(graph.source, double=True))),
        mixes=mixes,
    )
    assert Oracle(sizes.source, sizes.dimensions, sizes.plan, setting).row_independent is not mixes
