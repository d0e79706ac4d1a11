"""Beside a jump, and where values tie, honest backends answer either side; everywhere else the gate is as strict."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

from parity_export import ExportOptions, OutputSpec, assert_parity, export_package, source_from_module
from parity_export.cli.export import summary
from parity_export.export_graph import ExportGraph
from parity_export.gate.monte_carlo_arithmetic import MonteCarloArithmetic
from parity_export.gate.rounding_envelope import Envelope
from parity_export.gate.run_gate import run_gate
from parity_export.gate.tie_order import TieOrder
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import Predictor, TensorSpec
from tests.export.test_sabotage import Function, append, check_refused, exported, set_weight
from tests.older_onnxruntime import refused_before

TWELVE = ["x: float32[batch, 12]"]


def package(module: nn.Module, specs: list[str], folder) -> Predictor:
    source = source_from_module(module.eval(), [TensorSpec.parse(spec) for spec in specs], OutputSpec(), "m")
    return Predictor(export_package(source, folder / "p", ExportOptions(plots=False)).path)


JUMPS = {
    "hour of the day": lambda _, x: torch.remainder(x, 24.0),
    "floor of a quotient": lambda _, x: torch.floor_divide(x, 0.1),
    "rounded product": lambda _, x: torch.round(x * 3.3),
    "comparison of a sum": lambda _, x: torch.where(x.sum(1, keepdim=True) > 0.1, x, -x),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", JUMPS)
def test_a_module_with_jumps_exports(name: str, tmp_path) -> None:
    predictor = package(Function(JUMPS[name]), ["x: float32[batch, 3]"], tmp_path)
    rows = np.random.default_rng(5).uniform(-50, 50, (1000, 3)).astype(np.float32)
    found = predictor.run({"x": rows})["output"]
    wanted = JUMPS[name](None, torch.from_numpy(rows)).numpy()
    assert (np.abs(found - wanted) < 1e-3).mean() > 0.99


def best(_: object, x: Tensor) -> tuple[Tensor, Tensor]:
    value, index = functional.relu(x).topk(4, dim=1)
    return (x * torch.arange(1.0, 13)).gather(1, index), value


@pytest.mark.slow
@refused_before("1.32")
def test_ties_and_what_is_gathered_by_a_tied_index_are_nobodys(tmp_path) -> None:
    package(Function(best), TWELVE, tmp_path)


@pytest.mark.slow
def test_a_gather_by_a_wrong_index_is_found_all_the_same() -> None:
    model = exported(Function(best), TWELVE)
    gather = next(node for node in model.graph.node if node.op_type == "GatherElements")
    index = gather.input[1]
    gather.input[1] = "shifted"
    model.graph.node.insert(
        list(model.graph.node).index(gather), helper.make_node("Sub", ["eleven", index], ["shifted"])
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(11), "eleven"))
    check_refused(Function(best), model, TWELVE, "ordinary probes")


class Stumps(nn.Module):
    """Logits as a forest gives them: each of forty comparisons adds its own."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        self.register_buffer("features", torch.tensor(random.integers(0, 4, 40)))
        self.register_buffer("thresholds", torch.tensor(random.uniform(-1, 1, 40), dtype=torch.float32))
        self.register_buffer("gains", torch.tensor(random.normal(size=(40, 3)) * 3, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, self.features] > self.thresholds).to(x.dtype) @ self.gains


@pytest.mark.slow
def test_a_wrong_leaf_of_a_forest_is_found() -> None:
    """The decisions of a forest lie at its thresholds, so that half of the probes are beside a jump."""
    spec = OutputSpec("multiclass", output="logits")
    graph = attach_head(trace(source_from_module(Stumps(), ["x: float32[batch, 4]"], spec, "m"), ExportOptions()))
    model = onnx.load_from_string(graph.data)
    set_weight(model, "gains", lambda gains: gains + np.float32(0.01) * (np.arange(40) == 3)[:, None])
    result = run_gate(ExportGraph(graph.source, OnnxGraph(model.SerializeToString())), effort="quick")
    assert any("of logits (ordinary probes)" in reason for reason in result.report.reasons()), result.report.reasons()


class ObliqueStumps(Stumps):
    """What is compared is a sum, which rounds: a backend may decide otherwise than float64."""

    def forward(self, x: Tensor) -> Tensor:
        return self.right(x) @ self.gains

    def right(self, x: Tensor) -> Tensor:
        return (x @ self.gains[:4, :1] + x[:, self.features] > self.thresholds).to(x.dtype)


class Votes(ObliqueStumps):
    """Probabilities as a random forest gives them, which no softmax makes: the mean of what forty trees say."""

    def forward(self, x: Tensor) -> Tensor:
        right = self.right(x)[..., None]
        leaves = functional.softmax(self.gains, -1)
        return (right * leaves + (1 - right) * leaves.flip(-1)).mean(1)


@pytest.mark.slow
def test_a_wrong_share_of_votes_is_found() -> None:
    """Beside a threshold a probability jumps, which says nothing of how exact the others are."""
    spec = OutputSpec("multiclass", output="probabilities")
    source = source_from_module(Votes(), ["x: float32[batch, 4]"], spec, "m")
    graph = attach_head(trace(source, ExportOptions()))
    assert run_gate(graph).report.passed
    other = Votes()
    other.gains[3, 0] += 0.1
    wrong = attach_head(trace(source_from_module(other, ["x: float32[batch, 4]"], spec, "m"), ExportOptions()))
    result = run_gate(ExportGraph(graph.source, wrong.onnx))
    assert any("of probabilities (ordinary probes)" in reason for reason in result.report.reasons())


@pytest.mark.slow
@pytest.mark.parametrize(("module", "output"), [(ObliqueStumps, "logits"), (Votes, "probabilities")])
def test_what_a_package_says_of_its_exactness_counts_no_jump(module: type[Stumps], output: str, tmp_path) -> None:
    """Neither the test vectors, which any runner is held to, nor the largest deviation."""
    spec = OutputSpec("multiclass", output=output)
    source = source_from_module(module(), ["x: float32[batch, 4]"], spec, "m")
    exported = export_package(source, tmp_path / "p", ExportOptions(plots=False))
    assert json.loads((tmp_path / "p" / "conformance.json").read_text())["ordinary"]["atol"] < 1e-4
    report = exported.gate_result.report
    for found in report.differences("probabilities", "ordinary") + report.differences("logits", "ordinary"):
        assert found.max_abs < 1e-3
    assert any(found.beside_jumps and found.jump > 0.01 for found in report.differences(output, "ordinary"))
    assert sum("beside a jump" in line for line in summary(exported)) >= 1


@pytest.mark.slow
def test_a_wrong_period_is_found() -> None:
    module, other = (Function(lambda _, x, n=n: torch.remainder(x, n)) for n in (24.0, 12.0))
    check_refused(module, exported(other, TWELVE), TWELVE, "ordinary probes")


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["Greater", "GreaterOrEqual"])
def test_a_comparison_is_asked_at_equality_itself(operator: str) -> None:
    """At 0 exactly every backend decides alike: > in the place of >= is wrong there, however few rows lie there."""
    module = Function(lambda _, x: torch.where(x >= 0, 1.0, 0.0))
    model = exported(module, TWELVE)
    next(node for node in model.graph.node if node.op_type == "GreaterOrEqual").op_type = operator
    if operator == "GreaterOrEqual":
        assert_parity(module, model.SerializeToString(), TWELVE)
    else:
        check_refused(module, model, TWELVE, "special probes")


def test_moved_operands_answer_both_sides_of_a_jump_and_change_nothing_exact() -> None:
    x = torch.full((1000,), 24.0)
    with MonteCarloArithmetic(0):
        moved = torch.remainder(x, 24.0)
        kept = (x >= 24, x.round(), torch.relu(x))
    assert set((moved > 12).tolist()) == {True, False}
    assert all(bool((array == array[0]).all()) for array in kept)


def test_moved_operands_leave_what_is_written_in_place_to_the_caller() -> None:
    x = torch.ones(4)
    with MonteCarloArithmetic(0):
        y = x.mul_(2.0)
    assert y is x
    np.testing.assert_allclose(x.numpy(), 2.0, rtol=1e-6)


@pytest.mark.parametrize("lowest", [True, False])
def test_equal_values_are_ordered_by_their_index_where_torch_leaves_it_open(lowest: bool) -> None:
    x = torch.tensor([[1.0, 3.0, 3.0, 0.0, 3.0]])
    with TieOrder(lowest=lowest) as mode:
        top = x.topk(2, dim=1).indices
        rising = x.sort(dim=1).indices
        first, stable = x.argmax(dim=1), x.sort(dim=1, stable=True).indices
    assert mode.ties
    assert top.tolist() == ([[1, 2]] if lowest else [[4, 2]])
    assert rising.tolist() == [[3, 0, *((1, 2, 4) if lowest else (4, 2, 1))]]
    assert (first.tolist(), stable.tolist()) == ([1], [[3, 0, 1, 2, 4]])


@pytest.mark.slow
def test_the_first_of_equal_values_is_what_argmax_says() -> None:
    """torch documents the first maximum, so that the last one is another answer."""
    module = Function(lambda _, x: (x > 0).float().argmax(1))
    model = exported(module, TWELVE)
    assert_parity(module, model.SerializeToString(), TWELVE)
    node = next(node for node in model.graph.node if node.op_type == "ArgMax")
    next(one for one in node.attribute if one.name == "select_last_index").i = 1
    check_refused(module, model, TWELVE, "ordinary probes")


@pytest.mark.slow
def test_a_constant_shift_at_the_end_is_found_where_a_module_jumps() -> None:
    module = Function(JUMPS["hour of the day"])
    model = exported(module, TWELVE)
    append(model, [helper.make_node("Add", ["raw", "shift"], ["OUT"])], {"shift": np.array(1e-3, np.float32)})
    check_refused(module, model, TWELVE, "ordinary probes")


def test_beside_a_jump_a_value_may_lie_as_far_outside_as_the_neighbours_lie_apart() -> None:
    rows, torch_answers = np.arange(2), {"y": np.float32([[5, 5], [5, 5]]), "n": np.array([[5], [5]])}
    envelope = Envelope(torch_answers)
    near = Envelope({"y": np.float32([[1, np.nan], [2, 6]]), "n": np.array([[4], [7]])})
    near.high["y"] = np.float32([[3, 1], [np.inf, 6]])
    envelope.widen("y", near, rows, np.array([[True, True], [True, False]]))
    envelope.widen("n", near, rows, np.array([[True], [True]]))
    assert envelope.low["y"].tolist() == [[-1, 5], [2, 5]]
    assert envelope.high["y"].tolist() == [[5, 5], [np.inf, 5]]
    assert (envelope.low["n"].tolist(), envelope.high["n"].tolist()) == ([[4], [5]], [[5], [7]])
