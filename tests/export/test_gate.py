"""The gate on sabotaged graphs: each was exported correctly and then changed in one place."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from parity_export.expectation import Expectation
from parity_export.export import _serialize
from parity_export.gate import Report, run_gate
from parity_export.graph import export_graph
from parity_export.head import add_head
from parity_export.source import ModelSource, source_from_run
from parity_training import Run


@pytest.fixture(scope="module")
def source(xor_run: Run) -> ModelSource:
    return source_from_run(xor_run)


@pytest.fixture(scope="module")
def expectation(source: ModelSource) -> Expectation:
    return Expectation(source)


@pytest.fixture
def graph(source: ModelSource) -> onnx.ModelProto:
    model = export_graph(source.module, source.contract.inputs)
    add_head(model, source.contract, source.module_output)
    return onnx.load_from_string(_serialize(model))


def judge(graph: onnx.ModelProto, source: ModelSource, expectation: Expectation) -> Report:
    return run_gate(graph.SerializeToString(), source.contract, expectation, row_independent=True)


def initializer(graph: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in graph.graph.initializer if tensor.name == name)


def set_initializer(graph: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = initializer(graph, name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))


def test_the_honest_graph_passes_every_configuration(graph, source, expectation) -> None:
    report = judge(graph, source, expectation)
    assert report.passed, report.reasons()
    assert report.row_independent
    assert {(cell.configuration.optimization, cell.configuration.batch) for cell in report.cells} >= {
        (level, batch) for level in ("disabled", "basic", "extended", "all") for batch in (1, 2, 3, 7, 64, 1000)
    }
    assert all(cell.rows == min(len(expectation.probes), 64 * cell.configuration.batch) for cell in report.cells)
    labels = report.differences("label", "ordinary")
    assert sum(difference.compared for difference in labels) > 10_000


def test_a_wrong_weight_is_refused(graph, source, expectation) -> None:
    def nudge(array: np.ndarray) -> np.ndarray:
        array[0, 0] += 1e-3
        return array

    set_initializer(graph, "linear1.weight", nudge)
    report = judge(graph, source, expectation)
    assert not report.passed
    assert "values of probabilities" in report.reasons()[0]


def test_a_flipped_threshold_is_refused(graph, source, expectation) -> None:
    set_initializer(graph, "head.logit_threshold", lambda array: array + np.float32(0.5))
    report = judge(graph, source, expectation)
    assert {difference.output for cell in report.cells for difference in cell.differences if difference.outside} == {
        "label"
    }


def test_labels_turned_round_are_refused(graph, source, expectation) -> None:
    node = next(node for node in graph.graph.node if node.op_type == "GreaterOrEqual")
    node.op_type = "Less"
    assert any("of label" in reason for reason in judge(graph, source, expectation).reasons())


def test_a_lossy_cast_is_refused(graph, source, expectation) -> None:
    set_initializer(graph, "linear1.weight", lambda array: array.astype(np.float16).astype(np.float32))
    assert not judge(graph, source, expectation).passed


def test_swapped_outputs_and_a_fixed_batch_are_refused_before_values_are_compared(graph, source, expectation) -> None:
    swapped = onnx.ModelProto()
    swapped.CopyFrom(graph)
    first, second = swapped.graph.output[1].name, swapped.graph.output[2].name
    swapped.graph.output[1].name, swapped.graph.output[2].name = second, first
    report = judge(swapped, source, expectation)
    assert (report.cells, report.passed) == ([], False)
    assert "outputs are label, logits, probabilities" in report.reasons()[0]
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    report = judge(graph, source, expectation)
    assert any("features: float32[2, 2]" in reason for reason in report.reasons())


def test_a_gate_that_compared_nothing_says_no() -> None:
    assert not Report().passed
    assert Report().reasons() == ["nothing was compared"]


def test_a_train_mode_leak_is_refused_although_the_default_optimization_hides_it() -> None:
    """onnxruntime's optimizer removes Dropout(training_mode=True); only the unoptimized session shows it."""
    import copy

    from parity_export.source import Meaning, source_from_module
    from parity_runtime import TensorSpec

    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3)).eval()
    inputs = (TensorSpec("x", "float32", ("batch", 4)),)
    source = source_from_module(module, inputs, Meaning(task="regression"), "m")
    leaking = copy.deepcopy(module).train()
    with pytest.warns(UserWarning, match="in training mode"):
        program = torch.onnx.export(
            leaking, (torch.zeros(2, 4),), dynamo=True, verbose=False, input_names=["x"], output_names=["value"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    model = program.model_proto
    assert "Dropout" in {node.op_type for node in model.graph.node}
    report = run_gate(model.SerializeToString(), source.contract, Expectation(source), row_independent=True)
    failed = {cell.configuration.optimization for cell in report.cells if cell.failed}
    assert "disabled" in failed
