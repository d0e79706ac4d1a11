"""An export makes a thing once: the parsed graph, a session for each configuration, the example inputs."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from parity_export import ExportOptions, OutputSpec, assert_parity, export_package, source_from_module, source_from_run
from parity_export.export_graph import ExportGraph
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.example_inputs import Example
from parity_runtime.inference.session import OPTIMIZATIONS
from parity_training import Run


class Work:
    """What is done while it watches.

    Attributes:
        parses: how many graphs were parsed, without those that ONNX's shape inference parses for itself.
        examples: how often example inputs were looked for.
        sessions: how many were opened, by the graph and the configuration.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parses = self.examples = 0
        self.sessions: Counter[tuple[Any, ...]] = Counter()
        work, parse, of = self, onnx.load_from_string, Example.of

        def parsed(data: bytes) -> onnx.ModelProto:
            work.parses += sys._getframe(1).f_globals["__name__"].startswith("parity_")
            return parse(data)

        def found(*arguments: Any) -> Example:
            work.examples += 1
            return of(*arguments)

        class Session(onnxruntime.InferenceSession):
            def __init__(self, model: bytes, sess_options: Any, **others: Any) -> None:
                level, threads = sess_options.graph_optimization_level, sess_options.intra_op_num_threads
                work.sessions[model, str(level), threads, str(others["providers"])] += 1
                super().__init__(model, sess_options, **others)

        monkeypatch.setattr(onnx, "load_from_string", parsed)
        monkeypatch.setattr(Example, "of", found)
        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)

    def of_graph(self, data: bytes) -> list[int]:
        """Return how often each configuration of a graph was opened."""
        return [count for (model, *_), count in self.sessions.items() if model == data]


def test_a_certified_export_makes_each_thing_once(
    xor_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(monkeypatch)
    exported = export_package(source_from_run(xor_run), tmp_path / "p", ExportOptions(certified=True))
    assert (work.parses, work.examples) == (0, 1)
    assert exported.bound_report is not None
    configurations = len({cell.backend for cell in exported.gate_result.report.results}) - 1  # the reference evaluator
    plain = attach_head(trace(source_from_run(xor_run), ExportOptions())).data
    for graph in (plain, exported.bound_report.model.graph.data):
        assert work.of_graph(graph) == [1] * configurations


def test_assert_parity_makes_each_thing_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Linear(3, 2)
    source = source_from_module(module, ["x: float32[batch, 3]"], OutputSpec(), "m")
    model = attach_head(trace(source, ExportOptions())).data
    work = Work(monkeypatch)
    assert_parity(module, model, {"x": np.ones((4, 3), np.float32)})
    assert (work.parses, work.examples) == (1, 1)
    assert set(work.of_graph(model)) == {1}


def _widened(monkeypatch: pytest.MonkeyPatch, limit: int = 4096) -> None:
    """Have graphs of more bytes count as large."""
    for name in ("LARGE", "_KEPT"):
        monkeypatch.setattr(f"parity_export.onnx_graph.{name}", limit)


class Normed(nn.Module):
    """Has what onnxruntime fuses and folds: a convolution and its normalization, an attention, a Gelu, a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 32)
        self.convolution, self.norm = nn.Conv1d(32, 32, 3, padding=1), nn.BatchNorm1d(32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        words = self.table(x)
        return self.layer(self.norm(self.convolution(words.transpose(1, 2))).transpose(1, 2))


@pytest.fixture(scope="module")
def normed() -> ExportGraph:
    torch.manual_seed(0)
    source = source_from_module(Normed().eval(), ["x: int64[batch, 6]"], OutputSpec(), "m")
    return attach_head(trace(source, ExportOptions()))


def test_a_large_graph_holds_the_weights_of_the_module_themselves(
    normed: ExportGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = normed.onnx
    assert not small.weights and small.proto is small.light and small.session() is small.session()
    _widened(monkeypatch)
    large = OnnxGraph(small.model)
    table = normed.source.module.get_parameter("table.weight").detach().numpy()
    assert np.shares_memory(large.weights["table.weight"], table)
    assert len(large.light.SerializeToString()) < small.size / 4
    assert large.session() is not large.session() and large.evaluator() is not large.evaluator()
    assert np.shares_memory(large.model.graph.initializers["table.weight"].const_value.numpy(), table)
    written = OnnxGraph(small.data)  # what is read from bytes is set aside as well
    assert written.weights.keys() == large.weights.keys()
    assert written.data == large.data == small.data


def test_a_large_graph_answers_as_the_same_graph_in_one_piece(
    normed: ExportGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = normed.onnx
    rows = {"x": np.random.default_rng(0).integers(0, 64, (5, 6))}
    _widened(monkeypatch)
    large = OnnxGraph(small.data)
    assert large.weights
    for level in OPTIMIZATIONS:
        found, wanted = (graph.session(optimization=level).run(None, rows)[0] for graph in (large, small))
        assert found.tobytes() == wanted.tobytes()
        ours, theirs = (graph.optimized(level) for graph in (large, small))
        kinds = [sorted(node.op_type for node in graph.light.graph.node) for graph in (ours, theirs)]
        assert kinds[0] == kinds[1]
    ours, theirs = (graph.optimized("extended").session(optimization="disabled") for graph in (large, small))
    assert ours.run(None, rows)[0].tobytes() == theirs.run(None, rows)[0].tobytes()
    ours, theirs = (graph.evaluator().run(None, rows)[0] for graph in (large, small))
    assert ours.tobytes() == theirs.tobytes()


def test_the_session_that_writes_its_graph_answers_as_any_other() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    source = source_from_module(module.eval(), ["x: float32[batch, 8]"], OutputSpec(), "m")
    data = attach_head(trace(source, ExportOptions())).data
    rows = {"x": np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)}
    for level in ("disabled", "basic", "extended", "all"):
        writing, other = OnnxGraph(data), OnnxGraph(data)
        assert writing.optimized(level).light.graph.node
        found, wanted = (graph.session("cpu", 1, level).run(None, rows)[0] for graph in (writing, other))
        assert found.tobytes() == wanted.tobytes()
