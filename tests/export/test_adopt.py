"""parity adopt: an ONNX file of anybody's becomes a package that answers as a bare session does, or is refused."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from parity_export import Adoption, ExportOptions, OutputSpec, adopt_package, source_from_onnx
from parity_export.check_model import read_model
from parity_export.graph.adopt_graph import adopt_graph
from parity_runtime import FormatError, InputError, Package, ParityRefusedError, Predictor, verify
from tests.export.onnx_files import parsed, perceptron, saved, with_metadata

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent.parent / "data"
QUICK = ExportOptions(plots=False, effort="quick")


def answers(path: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what a bare session answers."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, inputs), strict=True))


def test_the_command_makes_a_package_that_answers_bit_for_bit(parity, tmp_path: Path) -> None:
    path, package = saved(perceptron(), tmp_path / "scores.onnx"), tmp_path / "package"
    done = parity("adopt", path, package, "--no-plots", "--effort", "quick")
    assert done.code == 0, done.err
    assert "agree with the file's own graph in float64" in done.out
    contract = Package.open(package).contract
    assert [str(spec) for spec in (*contract.inputs, *contract.outputs)] == [
        "x: float32[N, 2]", "scores: float32[N, 3]",
    ]  # fmt: skip
    x = np.random.default_rng(3).normal(size=(50, 2)).astype(np.float32)
    assert Predictor(package).run({"x": x})["scores"].tobytes() == answers(path, {"x": x})["scores"].tobytes()
    for asked in (("verify", package), ("info", package), ("bench", package, "--seconds", "0.01")):
        found = parity(*asked)
        assert found.code == 0, found.err
    assert "Adopted by Parity from an ONNX file" in (package / "README.md").read_text()
    again = parity("adopt", path, package, "--no-plots")
    assert again.code == 1
    assert "--force" in again.err


def test_a_classifier_is_certified_and_predicts_a_table(parity, tmp_path: Path) -> None:
    path, package = saved(perceptron(), tmp_path / "scores.onnx"), tmp_path / "package"
    spec = OutputSpec("multiclass", "logits", ("a", "b", "c"))
    adopted = adopt_package(path, package, Adoption(output_spec=spec),
                            ExportOptions(plots=False, effort="quick", certified=True))  # fmt: skip
    assert adopted.bound_report is not None
    x = np.random.default_rng(3).normal(size=(50, 2)).astype(np.float32)
    found = Predictor(package).run({"x": x})
    theirs = answers(path, {"x": x})["scores"]
    assert found["logits"].tobytes() == theirs.tobytes()
    assert np.array_equal(found["label"], theirs.argmax(axis=1))
    (tmp_path / "rows.csv").write_text("x1,x2\n0.5,1.5\n-1,2\n")
    for asked in (("predict", package, tmp_path / "rows.csv"), ("certify", package, tmp_path / "rows.csv")):
        done = parity(*asked)
        assert done.code == 0, done.err


def test_the_meaning_that_ultralytics_wrote_is_taken_and_said(tmp_path: Path) -> None:
    graph = parsed("""mine (float[batch, 3, 8, 8] images) => (float[batch, 3] output0) {
        pooled = GlobalAveragePool (images) flat = Flatten (pooled) output0 = Softmax <axis = 1> (flat) }""")
    told = {"author": "Ultralytics", "task": "classify", "names": "{0: 'cat', 1: 'dog', 2: 'none'}", "imgsz": "[8, 8]"}
    path = saved(with_metadata(graph, **told), tmp_path / "pets.onnx")
    source = source_from_onnx(path)
    assert "3 classes are from ultralytics' metadata (classify, names)" in source.notes[0]
    adopted = adopt_package(path, tmp_path / "package", options=QUICK)
    assert adopted.contract.classes == ("cat", "dog", "none")
    assert str(adopted.contract.inputs[0]) == "images: float32[batch, 3, 8, 8] in 0..1"
    plain = source_from_onnx(path, Adoption(output_spec=OutputSpec("tensors")))
    assert plain.contract.task == "tensors"


def test_a_label_of_rows_that_overflow_float32_on_the_way_is_nobodys(tmp_path: Path) -> None:
    adopted = adopt_package(DATA / "xor" / "model.onnx", tmp_path / "p", options=ExportOptions(plots=False)).path
    rows = [[0, 0], [0, 1]]
    inputs = {"features": np.array(rows, np.float32)}
    assert Predictor(adopted).run(inputs)["label"].tolist() == Predictor(DATA / "xor").predict(rows).tolist() == [0, 1]


def test_outputs_may_be_chosen_and_renamed(tmp_path: Path) -> None:
    two = parsed("""mine (float[batch, 2] x, float[batch, 2] unused) => (float[batch, 2] y, float[batch, 2] z) {
        y = Relu (x) z = Add (x, unused) }""")
    path = saved(two, tmp_path / "two.onnx")
    adopted = adopt_package(path, tmp_path / "package", Adoption(output_spec=OutputSpec(output=["y=positive"])), QUICK)
    assert [spec.name for spec in adopted.contract.outputs] == ["positive"]
    with pytest.raises(InputError, match="has no output w, but y, z"):
        source_from_onnx(path, Adoption(output_spec=OutputSpec(output=["w"])))
    with pytest.raises(InputError, match="takes one output, and .* has y, z; choose one, as output='y=logits'"):
        source_from_onnx(path, Adoption(output_spec=OutputSpec("multiclass", "logits")))


def test_opset_7_of_ir_version_3_is_converted_and_compared_with_the_file_itself(tmp_path: Path) -> None:
    path = saved(perceptron(ir_version=3, opset=7), tmp_path / "old.onnx")
    adopted = adopt_package(path, tmp_path / "package", options=QUICK)
    model = onnx.load(adopted.path / "model.onnx")
    assert model.ir_version >= 4
    assert model.opset_import[0].version == 18
    assert [value.name for value in model.graph.input] == ["x"]
    assert any("converted from opset 7 to 18" in note for note in adopted.gate_result.notes)
    x = np.random.default_rng(3).normal(size=(5, 2)).astype(np.float32)
    assert Predictor(adopted.path).run({"x": x})["scores"].tobytes() == answers(path, {"x": x})["scores"].tobytes()


def test_an_operator_that_opset_18_has_no_more_is_converted(tmp_path: Path) -> None:
    old = parsed("""mine (float[2, 3, 8, 8] x) => (float[2, 3, 16, 16] y) {
        y = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x) }""", opset=7, ir_version=3)  # fmt: skip
    path = saved(old, tmp_path / "old.onnx")
    adopt_package(path, tmp_path / "package", options=QUICK)
    x = np.random.default_rng(3).normal(size=(2, 3, 8, 8)).astype(np.float32)
    assert np.array_equal(Predictor(tmp_path / "package").run({"x": x})["y"], answers(path, {"x": x})["y"])


def test_a_graph_that_onnx_s_converter_changed_is_refused_with_a_way_out(tmp_path: Path) -> None:
    old = parsed("""mine (float[batch, 3, 3] x) => (float[batch, 3, 3] y)
        <float[3] slope = {0.1, 0.5, 2.0}> { y = PRelu(x, slope) }""", opset=6, ir_version=3)  # fmt: skip
    words = (
        "ONNX's converter, which made .* opset 18 from the file's of opset 6, .*: export the model anew with opset=18"
    )
    with pytest.raises(ParityRefusedError, match=words):
        adopt_package(saved(old, tmp_path / "old.onnx"), tmp_path / "package", options=QUICK)
    assert not (tmp_path / "package").exists()


def test_the_best_of_a_missing_cell_is_nobody_s(tmp_path: Path) -> None:
    """Where a NaN is among the cells, backends choose another as the largest."""
    text = "mine (float[batch, 3] x) => (float[batch, 3] y) { y = Hardmax(x) }"
    adopt_package(saved(parsed(text), tmp_path / "a.onnx"), tmp_path / "package", options=QUICK)


def test_an_opset_that_no_converter_takes_is_refused(tmp_path: Path) -> None:
    old = parsed("""mine (float[2, 3, 4] x) => (float[2, 3, 4] y) {
        y = Scan <num_scan_inputs = 1, body = each (float[1] one) => (float[1] same) { same = Identity(one) }> (x)
        }""", opset=7, ir_version=3)  # fmt: skip
    with pytest.raises(InputError, match="old has opset 7, and ONNX's converter cannot make one of it"):
        adopt_package(saved(old, tmp_path / "old.onnx"), tmp_path / "package", options=QUICK)
    assert not (tmp_path / "package").exists()


def test_an_allowed_operator_is_recorded_and_has_to_be_allowed_again(parity, tmp_path: Path) -> None:
    model = parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { y = com.microsoft.Gelu(x) }",
                   extra=', "com.microsoft": 1')  # fmt: skip
    path, package = saved(model, tmp_path / "gelu.onnx"), tmp_path / "package"
    refused = parity("adopt", path, package)
    assert refused.code == 1
    assert "--allow-operator com.microsoft::Gelu" in refused.err
    done = parity("adopt", path, package, "--no-plots", "--effort", "quick", "--allow-operator", "com.microsoft::Gelu")
    assert done.code == 0, done.err
    assert Package.open(package).contract.operators == ("com.microsoft::Gelu",)
    with pytest.raises(FormatError, match="Gelu"):
        Predictor(package)
    verify(package, allow_operators=["com.microsoft::Gelu"])
    again = parity("certify", package, "--allow-operator", "com.microsoft::Gelu")
    assert "--allow-operator" in parity("certify", package).err
    assert "--allow-operator" not in again.err
    never = parity("adopt", path, tmp_path / "other", "--allow-operator", "com.microsoft::EPContext")
    assert never.code == 1
    assert "never allowed" in never.err


def test_check_names_no_option_that_it_has_not(tmp_path: Path) -> None:
    model = parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { y = com.microsoft.Gelu(x) }",
                   extra=', "com.microsoft": 1')  # fmt: skip
    with pytest.raises(InputError, match="only those of the ONNX standard are run$"):
        read_model(saved(model, tmp_path / "gelu.onnx"))


def test_a_graph_that_answers_differently_each_time_is_refused(parity, tmp_path: Path) -> None:
    noisy = parsed("""mine (float[batch, 2] x) => (float[batch, 2] y) {
        noise = RandomNormalLike (x) y = Add (x, noise) }""")
    done = parity("adopt", saved(noisy, tmp_path / "noisy.onnx"), tmp_path / "package")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "draws random numbers (RandomNormalLike 'noise')" in done.err


def test_weights_of_a_file_beside_the_model_become_the_packages(tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    random = np.random.default_rng(0)
    weights = numpy_helper.from_array(random.normal(size=(64, 64)).astype(np.float32), "weights")
    model = parsed("mine (float[batch, 64] x) => (float[batch, 64] y) { y = MatMul (x, weights) }")
    model.graph.initializer.append(weights)
    onnx.save(model, path, save_as_external_data=True, location="outside.data", size_threshold=0)
    x = random.normal(size=(5, 64)).astype(np.float32)
    for external in (False, True):
        options = ExportOptions(plots=False, effort="quick", external_weights=external, replace=True)
        package = adopt_package(path, tmp_path / "package", options=options).path
        assert (package / "weights.bin").exists() == external
        assert Predictor(package).run({"x": x})["y"].tobytes() == answers(path, {"x": x})["y"].tobytes()


def test_a_graph_that_onnxruntime_answers_otherwise_is_no_package(tmp_path: Path) -> None:
    # Sigmoid of onnxruntime is 100 % off near -17: as a probability of its own it is refused, and the report is kept.
    path = saved(parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { s = Sigmoid (x) y = Log (s) }"),
                 tmp_path / "log.onnx")  # fmt: skip
    with pytest.raises(ParityRefusedError, match=r"no package: .* differ"):
        adopt_package(path, tmp_path / "package", Adoption(inputs=["x: float32[batch, 2] in -30..0"]), QUICK)
    assert not (tmp_path / "package").exists()
    assert json.loads((tmp_path / "package.refused.json").read_text())["reasons"]


def test_squares_of_negative_numbers_are_compared(tmp_path: Path) -> None:
    squares = parsed("mine (float[batch, 2] x) => (float[batch, 2] y) <float two = {2}> { y = Pow (x, two) }")
    adopted = adopt_package(saved(squares, tmp_path / "squares.onnx"), tmp_path / "package", options=QUICK)
    assert adopted.gate_result.report.passed


def test_a_length_on_the_first_axis_counts_no_rows(tmp_path: Path) -> None:
    total = parsed("""mine (float[time, 2] x) => (float[time, 2] y, float[2] z) <int64[1] axes = {0}> {
        y = Relu (x) z = ReduceSum <keepdims = 0> (x, axes) }""")
    source = source_from_onnx(saved(total, tmp_path / "total.onnx"))
    assert source.contract.dimensions == {"time": ">= 1"}
    assert any("time counts no rows" in note for note in source.notes)


def test_an_output_that_the_file_declares_with_another_rank_has_the_one_that_it_is_given(tmp_path: Path) -> None:
    model = parsed("mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu (x) }")
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_param = "seqlen"
    source = source_from_onnx(saved(model, tmp_path / "rank.onnx"))
    assert [str(spec) for spec in adopt_graph(source).contract.outputs] == ["y: float32[batch, 2]"]
