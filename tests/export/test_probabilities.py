"""Rare probabilities: as exact as their logit explains, never falling when it rises; and a gate that would notice."""

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.export_graph import ExportGraph
from parity_export.gate.probability_tolerance import relative_tolerance
from parity_export.gate.run_gate import run_gate
from parity_export.graph import head
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.sources import output_spec
from parity_export.sources.model_source import ModelSource
from parity_runtime import ParityRefusedError, Predictor, TensorSpec, contract_checks
from parity_runtime.inference.session import create_session
from tests.soak import sampled

ONE = "x: float32[batch, 1]"
BINARY, OWN = OutputSpec("binary", "logits"), OutputSpec("binary", "probabilities")
CLASSES = OutputSpec("multiclass", "logits")
U = 2.0**-24
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
pytestmark = pytest.mark.slow


class Function(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x * self.scale)


def source_of(module: nn.Module, declared: OutputSpec, spec: str = ONE) -> ModelSource:
    return source_from_module(module.eval(), [TensorSpec.parse(spec)], declared, "case")


def package(module: nn.Module, declared: OutputSpec, folder) -> Predictor:
    return Predictor(export_package(source_of(module, declared), folder / "p", ExportOptions(plots=False)).path)


def neighbours(start: float, count: int = 20_000) -> np.ndarray:
    """Return neighbouring float32 numbers in rising order, ``[count, 1]``."""
    bits = np.float32(start).view(np.int32) + np.arange(count, dtype=np.int32)
    return np.sort(bits.view(np.float32))[:, None]


def assert_exact(found: np.ndarray, exact: np.ndarray) -> None:
    """A few ulp, and what half an ulp of a logit changes: log p is about the logit, or the gap of two."""
    normal = exact > SMALLEST_NORMAL
    relative = np.abs(found - exact)[normal] / exact[normal]
    assert (relative < 16 * U + 2 * U * np.abs(np.log(exact[normal]))).all()
    assert (found[~normal] < 2 * SMALLEST_NORMAL).all()


GRID = np.linspace(-90, 90, 4001, dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    ("function", "declared"),
    [
        (lambda x: x, BINARY),
        (lambda x: x[:, 0], BINARY),
        (torch.sigmoid, OWN),
        (lambda x: torch.sigmoid(x).squeeze(1), OWN),
        (lambda x: (torch.sigmoid(x) + torch.sigmoid(x - 1)) / 2, OWN),
        (torch.sigmoid, OutputSpec()),
        (lambda x: torch.sigmoid(x) * torch.sigmoid(x + 2), OutputSpec()),
    ],
    ids=["logits", "logits of one axis", "own sigmoid", "squeezed sigmoid", "mean of two", "tensors", "product of two"],
)
def test_two_classes(function, declared: OutputSpec, tmp_path) -> None:
    predictor = package(Function(function), declared, tmp_path)
    z = torch.from_numpy(GRID).double()
    given = function(z) if declared.output != "logits" else torch.sigmoid(function(z))
    exact = given.numpy().reshape(len(GRID), -1)[:, -1]

    def ask(rows: np.ndarray) -> np.ndarray:
        return list(predictor.run({"x": rows}).values())[1 if declared.output else 0].reshape(len(rows), -1)[:, -1]

    assert_exact(ask(GRID), exact)
    for start in (-87.0, -40.0, -18.0, -15.0, -1.0, -1e-3, 1e-3, 1.0, 10.0):
        assert (np.diff(ask(neighbours(start))) >= 0).all()


@pytest.mark.parametrize("classes", sampled([2, 3, 12], {"3"}))
def test_many_classes(classes: int, tmp_path) -> None:
    steps = torch.linspace(-1, 1, classes)
    predictor = package(Function(lambda x: torch.cat([x, x[:, :1] * 0 + steps[1:]], 1)), CLASSES, tmp_path)
    z = torch.cat([torch.from_numpy(GRID), steps[1:].expand(len(GRID), -1)], 1).double()
    assert_exact(predictor.predict_proba(GRID), torch.softmax(z, 1).numpy())
    for start in (-87.0, -20.0, -1.0, -1e-3, 0.5, 1.0, 10.0):
        assert (np.diff(predictor.predict_proba(neighbours(start))[:, 0]) >= 0).all()


def test_infinite_logits_have_probabilities_of_zero_and_one(tmp_path) -> None:
    package(Function(lambda x: x), BINARY, tmp_path)
    session = create_session((tmp_path / "p" / "model.onnx").read_bytes())
    ends = np.array([[-np.inf], [np.inf], [-3e38], [3e38]], np.float32)
    assert session.run(["probabilities"], {"x": ends})[0].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_a_gate_of_a_network_keeps_its_sigmoid() -> None:
    source = source_of(Function(lambda x: x * torch.sigmoid(x)), OutputSpec())
    assert "Sigmoid" in {node.op_type for node in attach_head(trace(source, ExportOptions())).model.graph}


def sabotaged(module: nn.Module, declared: OutputSpec, change) -> list[str]:
    source = source_of(module, declared)
    graph = onnx.load_from_string(attach_head(trace(source, ExportOptions())).data)
    change(graph.graph)
    return run_gate(ExportGraph.of(source, graph)).report.reasons()


def last(graph: onnx.GraphProto, operator: str) -> onnx.NodeProto:
    return next(node for node in reversed(graph.node) if node.op_type == operator)


def by_sigmoid(graph: onnx.GraphProto) -> None:
    final = last(graph, "Reciprocal")
    negative = helper.make_node("Concat", [graph_logits_negated(graph), "logits"], ["signed"], axis=1)
    final.CopyFrom(helper.make_node("Sigmoid", ["signed"], ["probabilities"]))
    graph.node.insert(list(graph.node).index(final), negative)


def graph_logits_negated(graph: onnx.GraphProto) -> str:
    return last(graph, "Neg").output[0]


def test_a_head_of_sigmoid_is_refused_for_its_rare_probabilities() -> None:
    """onnxruntime's Sigmoid errs by less than any absolute tolerance, and by all of a rare probability."""
    reasons = sabotaged(Function(lambda x: x * 20), BINARY, by_sigmoid)
    assert reasons
    assert all("of probabilities" in reason for reason in reasons)


def test_probabilities_that_are_swapped_in_the_tail_alone_are_refused() -> None:
    """1e-9 in the place of 1e-12 is no absolute difference at all."""

    def clipped(graph: onnx.GraphProto) -> None:
        final = last(graph, "Reciprocal")
        final.output[0] = "raw"
        graph.node.append(helper.make_node("Max", ["raw", "least"], ["probabilities"]))
        graph.initializer.append(numpy_helper.from_array(np.array(1e-9, np.float32), "least"))

    assert sabotaged(Function(lambda x: x * 20), BINARY, clipped)


def test_the_cut_of_probabilities_is_the_referees_own(monkeypatch) -> None:
    """A logit of -1.76 delivered as -1.10, because head and referee had the same wrong constant."""
    module = Function(lambda x: 0.5 + 0.5 * torch.tanh(2 * x))
    monkeypatch.setattr(head, "SMALLEST_PROBABILITY", 0.25)
    source = source_of(module, OWN)
    reasons = run_gate(attach_head(trace(source, ExportOptions()))).report.reasons()
    assert any("of logits" in reason for reason in reasons)


def test_the_threshold_is_the_referees_own(tmp_path, monkeypatch) -> None:
    """The contract's constant and the graph's are one number: the referee takes it from the threshold itself."""
    for module in (contract_checks, output_spec):
        monkeypatch.setattr(module, "binary_logit_threshold", lambda _: 0.25)
    source = source_of(Function(lambda x: x), dataclasses.replace(BINARY, threshold=0.9))
    with pytest.raises(ParityRefusedError, match="of label"):
        export_package(source, tmp_path / "p", ExportOptions(plots=False))


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: torch.sigmoid(x).clamp(1e-7, 1 - 1e-7), id="clamped"),
        pytest.param(lambda x: torch.sigmoid(x) * 1.0, id="times one", marks=pytest.mark.soak),
        pytest.param(lambda x: torch.where(x > -3, torch.sigmoid(x), 0.0), id="masked", marks=pytest.mark.soak),
        pytest.param(lambda x: torch.sigmoid(x.double()).float(), id="in double"),
        pytest.param(lambda x: 0.5 * (1 + torch.tanh(x / 2)), id="by tanh", marks=pytest.mark.soak),
        pytest.param(lambda x: x.clone().sigmoid_(), id="in place"),
    ],
)
def test_probabilities_as_people_write_them_lie_between_zero_and_one(function, tmp_path) -> None:
    predictor = package(Function(function), OWN, tmp_path)
    found = predictor.predict_proba(GRID)
    assert ((found >= 0) & (found <= 1)).all()
    exact = function(torch.from_numpy(GRID).double()).numpy()[:, 0]
    assert np.abs(found[:, 1] - exact).max() < 1e-6


def test_a_softmax_that_is_cut_below_has_the_logits_of_what_it_gives(tmp_path) -> None:
    module = Function(lambda x: torch.softmax(torch.cat([x, -x, 0 * x], 1), 1).clamp(min=1e-7))
    package(module, OutputSpec("multiclass", "probabilities"), tmp_path)


def test_a_logit_that_may_be_anywhere_matters_as_much_as_its_probability() -> None:
    exact, tolerances = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[1e5, 1e-5], [1e5, 1e-5]])
    allowed = relative_tolerance(exact, tolerances)
    assert allowed[0, 0] < 1e-37
    assert allowed[0, 1] < 1e-4  # the other class has no part in the sum
    assert (allowed[1] == 1).all()  # all that lies between 0 and 1
