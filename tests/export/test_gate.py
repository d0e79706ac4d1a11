"""The gate on sabotaged graphs: each was exported correctly and then changed in one place."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from parity_export.export_graph import ExportGraph
from parity_export.export_options import ExportOptions
from parity_export.gate.gate_plan import BATCH_SIZES
from parity_export.gate.probe_sampling import ProbeSampler
from parity_export.gate.report import Report
from parity_export.gate.run_gate import run_gate
from parity_export.graph.attach_head import attach_head
from parity_export.graph.torch_export import guarded_graph
from parity_export.graph.trace import trace
from parity_export.sources.model_source import ModelSource, source_from_module
from parity_export.sources.output_spec import OutputSpec
from parity_export.sources.trained_source import source_from_run
from parity_runtime import Feature, ModelContract, ParityRefusedError, TensorSpec
from parity_runtime.inference.session import OPTIMIZATIONS
from parity_training import Run


@pytest.fixture(scope="module")
def source(xor_run: Run) -> ModelSource:
    return source_from_run(xor_run)


@pytest.fixture(scope="module")
def honest(source: ModelSource) -> bytes:
    return attach_head(trace(source, ExportOptions())).data


@pytest.fixture
def graph(honest: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(honest)


def verdict_on(graph: onnx.ModelProto, source: ModelSource) -> Report:
    return run_gate(ExportGraph.of(source, graph)).report


def initializer(graph: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in graph.graph.initializer if tensor.name == name)


def set_initializer(graph: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = initializer(graph, name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))


def test_the_honest_graph_passes_every_configuration(graph, source) -> None:
    report = verdict_on(graph, source)
    assert report.passed, report.reasons()
    assert report.row_independent
    backends = {
        (cell.backend.runtime, cell.backend.optimization, cell.backend.threads, cell.batch) for cell in report.results
    }
    assert backends >= {
        ("onnxruntime", level, threads, batch) for level in OPTIMIZATIONS for threads in (1, 2) for batch in BATCH_SIZES
    }
    assert backends >= {("onnx-reference", "disabled", 1, batch) for batch in (1, 2, 3, 7)}
    assert all(cell.rows >= 64 for cell in report.results if cell.backend.runtime == "onnxruntime")
    labels = report.differences("label", "ordinary")
    assert sum(difference.compared for difference in labels) > 10_000


def test_a_wrong_weight_is_refused(graph, source) -> None:
    def nudge(array: np.ndarray) -> np.ndarray:
        array[0, 0] += 1e-3
        return array

    set_initializer(graph, "linear1.weight", nudge)
    report = verdict_on(graph, source)
    assert not report.passed
    assert "values of probabilities" in report.reasons()[0]


def test_a_flipped_threshold_is_refused(graph, source) -> None:
    set_initializer(graph, "head.logit_threshold", lambda array: array + np.float32(0.5))
    report = verdict_on(graph, source)
    assert {difference.output for cell in report.results for difference in cell.differences if difference.outside} == {
        "label"
    }


def test_labels_turned_round_are_refused(graph, source) -> None:
    node = next(node for node in graph.graph.node if node.op_type == "GreaterOrEqual")
    node.op_type = "Less"
    assert any("of label" in reason for reason in verdict_on(graph, source).reasons())


def test_a_lossy_cast_is_refused(graph, source) -> None:
    set_initializer(graph, "linear1.weight", lambda array: array.astype(np.float16).astype(np.float32))
    assert not verdict_on(graph, source).passed


def test_swapped_outputs_and_a_fixed_batch_are_refused_before_values_are_compared(graph, source) -> None:
    swapped = onnx.ModelProto()
    swapped.CopyFrom(graph)
    first, second = swapped.graph.output[1].name, swapped.graph.output[2].name
    swapped.graph.output[1].name, swapped.graph.output[2].name = second, first
    report = verdict_on(swapped, source)
    assert (report.results, report.passed) == ([], False)
    assert "outputs are label, logits, probabilities" in report.reasons()[0]
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    report = verdict_on(graph, source)
    assert any("features: float32[2, 2]" in reason for reason in report.reasons())


def test_a_gate_that_compared_nothing_says_no() -> None:
    assert not Report().passed
    assert Report().reasons() == ["nothing was compared"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")  # torch's own
def test_a_train_mode_leak_is_refused_although_the_default_optimization_hides_it() -> None:
    """onnxruntime's optimizer removes Dropout(training_mode=True); only the unoptimized session shows it."""
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3)).eval()
    source = source_from_module(module, (TensorSpec("x", "float32", ("batch", 4)),), OutputSpec(task="regression"), "m")
    with pytest.warns(UserWarning, match="in training mode"):
        program = torch.onnx.export(
            module.train(), (torch.zeros(2, 4),), dynamo=True, verbose=False, input_names=["x"],
            output_names=["value"], dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    module.eval()
    model = program.model_proto
    assert "Dropout" in {node.op_type for node in model.graph.node}
    report = verdict_on(model, source)
    assert "disabled" in {cell.backend.optimization for cell in report.results if cell.failed}


def test_one_bit_of_one_initializer_is_refused_by_its_name(graph, source, tmp_path, monkeypatch) -> None:
    """A last bit changes answers by less than any tolerance; the comparison with the state_dict finds it."""
    from parity_export import export_package
    from parity_runtime import ParityRefusedError

    def flipped(*arguments: object) -> object:
        model, guards = guarded_graph(*arguments)
        weight = model.graph.initializers["linear1.weight"]
        array = weight.const_value.numpy().copy()
        array.view(np.uint32)[0, 0] ^= 1
        weight.const_value = type(weight.const_value)(torch.from_numpy(array), name="linear1.weight")
        return model, guards

    monkeypatch.setattr("parity_export.graph.trace.guarded_graph", flipped)
    with pytest.raises(ParityRefusedError, match=r"initializer linear1\.weight"):
        export_package(source, tmp_path / "p")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["noise", "dropout", "dtype"])
def test_a_module_that_cannot_be_compared_is_refused(kind: str, tmp_path) -> None:
    from parity_export import export_package

    class Unfit(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            if kind == "noise":
                return y + torch.randn_like(y)
            if kind == "dropout":
                return torch.nn.functional.dropout(y, 0.5, training=True)
            return y * (2.0 if y.dtype == torch.float64 else 1.0)

    inputs = (TensorSpec("x", "float32", ("batch", 4)),)
    source = source_from_module(Unfit(4, 3), inputs, OutputSpec(task="regression"), "m")
    words = "nothing can be compared" if kind == "dtype" else "same rows each time"
    with pytest.raises(ParityRefusedError, match=words) as refused:
        export_package(source, tmp_path / "p")
    assert refused.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_was_constant_in_training_is_varied() -> None:
    features = tuple(Feature(name, "x", index, low=7.0, high=7.0) for index, name in enumerate("ab"))
    inputs, outputs = (TensorSpec("x", "float32", ("batch", 2)),), (TensorSpec("value", "float32", ("batch", 1)),)
    contract = ModelContract("constant", "regression", inputs, outputs, features=features, targets=("y",))
    for probes in ProbeSampler(contract, {}, {}).rows(np.random.default_rng(0), None)[:3]:
        assert (np.ptp(probes.inputs["x"], axis=0) > 1).all()


@pytest.mark.slow
def test_a_filled_row_keeps_to_the_indices_that_torch_takes(tmp_path) -> None:
    from parity_export import export_package

    source = source_from_module(torch.nn.Embedding(1, 3), (TensorSpec.parse("x: int64[batch, 4]"),), OutputSpec(), "m")
    assert export_package(source, tmp_path / "p", ExportOptions(plots=False)).gate_result.report.passed
