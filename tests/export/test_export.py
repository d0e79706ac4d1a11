import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module, source_from_run
from parity_export.sources.argument_binding import Binding
from parity_runtime import InputError, ParityRefusedError, Predictor, TensorSpec
from parity_training import Run
from tests.export import modules
from tests.soak import sampled

pytestmark = pytest.mark.slow

QUICK = ExportOptions(plots=False, effort="quick")
TABLE5 = (TensorSpec("x", "float32", ("batch", 5)),)
TABLE2 = (TensorSpec("x", "float32", ("batch", 2)),)


def notebook(kind: type[modules.NotebookClassifier] = modules.NotebookClassifier) -> nn.Module:
    torch.manual_seed(7)
    module = kind(2, 4, 1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(4)
    return module


def binary(**changes: object) -> OutputSpec:
    values = {"task": "binary", "output": "probabilities", "classes": ("no", "yes")} | changes
    return OutputSpec(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind",
    sampled([modules.NotebookClassifier, modules.Squeezed, modules.Averaged], {"Averaged"}, lambda kind: kind.__name__),
)
def test_a_binary_module_that_returns_probabilities_answers_the_same(kind: type, tmp_path: Path) -> None:
    module = notebook(kind)
    export_package(source_from_module(module, TABLE2, binary(threshold=0.3), "m"), tmp_path / "p", QUICK)
    predictor = Predictor(tmp_path / "p")
    rows = torch.rand(500, 2) * 3 - 1
    with torch.no_grad():
        expected = module(rows).reshape(-1).numpy()
    np.testing.assert_allclose(predictor.predict_proba(rows.numpy())[:, 1], expected, atol=2e-6)
    clear = np.abs(expected - 0.3) > 1e-4
    assert (predictor.predict(rows.numpy()) == np.where(expected >= 0.3, "yes", "no"))[clear].all()


@pytest.mark.parametrize(("kind", "output"), [(modules.Linear, "logits"), (modules.Softmaxed, "probabilities")])
def test_a_multiclass_module_answers_the_same(kind: type, output: str, tmp_path: Path) -> None:
    module = kind()
    output_spec = OutputSpec(task="multiclass", output=output, classes=("a", "b", "c"))  # type: ignore[arg-type]
    export_package(source_from_module(module, TABLE5, output_spec, "m"), tmp_path / "p", QUICK)
    predictor = Predictor(tmp_path / "p")
    rows = torch.randn(200, 5)
    with torch.no_grad():
        expected = torch.softmax(module.l(rows), dim=1).numpy()
    np.testing.assert_allclose(predictor.predict_proba(rows.numpy()), expected, atol=2e-6)
    assert predictor.predict(rows.numpy()).tolist() == [("a", "b", "c")[index] for index in expected.argmax(axis=1)]


def test_a_regression_and_a_bare_module_answer_the_same(tmp_path: Path) -> None:
    module, rows = modules.Linear(), torch.randn(50, 5)
    expected = module(rows).detach().numpy()
    export_package(source_from_module(module, TABLE5, OutputSpec(task="regression"), "m"), tmp_path / "r", QUICK)
    np.testing.assert_allclose(Predictor(tmp_path / "r").predict(rows.numpy()), expected, atol=2e-6)
    export_package(source_from_module(module, TABLE5, OutputSpec(), "m"), tmp_path / "t", QUICK)
    found = Predictor(tmp_path / "t").run({"x": rows.numpy()})
    np.testing.assert_allclose(found["output"], expected, atol=2e-6)


def test_rows_that_influence_one_another_are_recorded_as_such(tmp_path: Path) -> None:
    source = source_from_module(modules.BatchMean(), TABLE5, OutputSpec(task="regression"), "m")
    assert export_package(source, tmp_path / "p", QUICK).contract.row_independent is False


def test_a_module_in_train_mode_is_exported_in_eval_mode_and_left_as_it_was(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2)).train()
    export_package(source_from_module(module, TABLE5, OutputSpec(task="regression"), "m"), tmp_path / "p", QUICK)
    assert all(part.training for part in module.modules())
    rows = torch.randn(9, 5)
    expected = module.eval()(rows).detach().numpy()
    np.testing.assert_allclose(Predictor(tmp_path / "p").predict(rows.numpy()), expected, atol=2e-6)


@pytest.mark.parametrize(
    ("module", "inputs", "output_spec", "words"),
    [
        (notebook(), TABLE2, binary(output="logits"), "ends in Sigmoid.*output='probabilities'"),
        (notebook(modules.HandMade), TABLE2, binary(output="logits"), "are probabilities"),
        (modules.Softmaxed(), TABLE5, OutputSpec(task="multiclass", output="logits"), "ends in Softmax"),
        (modules.Linear(), TABLE5, OutputSpec(task="multiclass", output="probabilities"), "output='logits'"),
        (modules.Linear(), TABLE5, binary(), "returns 3 columns"),
        (modules.Linear(), TABLE5, OutputSpec(task="multiclass"), "say what the module returns"),
        (modules.Linear(), TABLE5, OutputSpec(task="multiclass", output="logits", classes=("a",)), "names 1 class,"),
        (notebook(), TABLE2, binary(positive="no"), "not the second class"),
        (modules.Linear(), TABLE2, OutputSpec(), "does not accept x: float32"),
        (modules.Linear(), (), OutputSpec(), r"inputs=\['x: float32"),
        (modules.Linear(), TABLE5, OutputSpec(task="regression", targets=("y",)), "names 1 column,"),
        (modules.Linear(), TABLE5, OutputSpec(task="regression", features=("a",)), "names 1 column,"),
        (modules.Branching(), TABLE5, OutputSpec(), "torch cannot export the module"),
        (
            modules.Linear(),
            (TensorSpec("value", "float32", ("batch", 5)),),
            OutputSpec(task="regression"),
            "another name",
        ),
    ],
)
def test_what_contradicts_itself_is_one_sentence_and_leaves_nothing(
    module: nn.Module, inputs: tuple[TensorSpec, ...], output_spec: OutputSpec, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        export_package(source_from_module(module, inputs, output_spec, "m"), tmp_path / "p")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_export_keeps_its_report_and_writes_no_package(
    xor_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source's module is changed after its graph was taken: a wrong weight, as an exporter's bug would give."""
    source = source_from_run(xor_run)

    from parity_export.graph.torch_export import guarded_graph

    def buggy(call: Binding, inputs: object, opset: int | None = None) -> object:
        graph, guards = guarded_graph(call, inputs, opset)  # type: ignore[arg-type]
        with torch.no_grad():
            call.module.linear2.bias.add_(0.01)  # type: ignore[operator, union-attr]
        return onnx_copy(graph), guards

    def onnx_copy(graph):  # type: ignore[no-untyped-def]
        import onnx_ir

        proto = onnx_ir.to_proto(graph)
        tensor = next(one for one in proto.graph.initializer if one.name == "linear2.bias")
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) - np.float32(0.01), tensor.name))
        return onnx_ir.from_proto(proto)

    monkeypatch.setattr("parity_export.graph.trace.guarded_graph", buggy)
    with pytest.raises(ParityRefusedError, match="no package"):
        export_package(source, tmp_path / "p")
    assert os.listdir(tmp_path) == ["p.refused.json"]
    report = json.loads((tmp_path / "p.refused.json").read_text())
    assert report["passed"] is False
    assert report["reasons"] and len(report["results"]) >= 52
    monkeypatch.undo()
    export_package(source_from_run(xor_run), tmp_path / "p", QUICK)
    assert os.listdir(tmp_path) == ["p"]


def test_an_existing_package_is_kept_unless_forced(xor_run: Run, xor_copy: Path) -> None:
    with pytest.raises(InputError, match="with replace=True"):
        export_package(source_from_run(xor_run), xor_copy)
    (xor_copy / "mine.txt").write_text("mine")
    for options in (QUICK, replace(QUICK, replace=True)):  # nobody is told of a way out that ends here
        with pytest.raises(InputError, match="holds mine.txt, which is not a file of the package and would be lost"):
            export_package(source_from_run(xor_run), xor_copy, options)
    assert (xor_copy / "mine.txt").exists()
    (xor_copy / "mine.txt").unlink()
    export_package(source_from_run(xor_run), xor_copy, replace(QUICK, replace=True))


def test_the_graph_carries_nothing_but_what_computes(xor_package: Path, xor_run: Run) -> None:
    model = onnx.load(xor_package / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [entry.key for entry in model.metadata_props] == ["parity.contract"]
    assert json.loads(model.metadata_props[0].value) == json.loads((xor_package / "contract.json").read_text())
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert str(Path.cwd()).encode() not in model.SerializeToString()
    state_dict = xor_run.state_dict()
    graph = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, tensor in state_dict.items():
        assert graph[name].tobytes() == tensor.numpy().tobytes()


@pytest.mark.filterwarnings("ignore:onnx.version is deprecated:DeprecationWarning")  # onnxruntime.backend's own
def test_the_vectors_are_replayed_by_onnx_s_backend_tests(xor_package: Path) -> None:
    """The backend and the comparison of onnx.backend.test; its Runner would first build a thousand tests of its own."""
    from onnx.backend.test.runner import Runner
    from onnxruntime.backend import backend

    folder = xor_package / "test_data_set_0"
    tensors = {
        path.stem: numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes())) for path in folder.iterdir()
    }
    expected = [tensors[f"output_{index}"] for index in range(3)]
    found = backend.prepare(str(xor_package / "model.onnx"), "CPU").run([tensors["input_0"]])
    Runner.assert_similar_outputs(expected, found, rtol=1e-3, atol=1e-7)
    with pytest.raises(AssertionError):
        Runner.assert_similar_outputs([*expected[:2], expected[2] * np.float32(1.01)], found, rtol=1e-3, atol=1e-7)


def test_the_conformance_file_has_the_backend_tests_tolerances(xor_package: Path) -> None:
    conformance = json.loads((xor_package / "conformance.json").read_text())
    assert (conformance["ordinary"]["rtol"], conformance["ordinary"]["atol"]) == (1e-3, 1e-7)
    assert set(conformance["hard"]["kinds"]) == {"boundary", "adversarial"}


def test_two_processes_with_different_hash_seeds_write_the_same_bytes(
    xor_run: Run, xor_package: Path, tmp_path: Path
) -> None:
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # this process has another, its own or a random one
    command = [sys.executable, "-c", "from parity_runtime.cli.main import main; main()", "export", str(xor_run.path)]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    subprocess.run([*command, "package"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (xor_package, tmp_path / "package")
    )
    assert first == second
    assert len(first) == 14
