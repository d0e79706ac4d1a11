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
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.example_inputs import Example
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


def test_a_large_graph_keeps_its_bytes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_from_module(nn.Linear(3, 2), ["x: float32[batch, 3]"], OutputSpec(), "m")
    data = attach_head(trace(source, ExportOptions())).data
    small = OnnxGraph(data)
    assert small.proto is small.proto and small.session() is small.session() and small.evaluator() is small.evaluator()
    for limit in ("LARGE", "_KEPT"):
        monkeypatch.setattr(f"parity_export.onnx_graph.{limit}", len(data) - 1)
    large = OnnxGraph(data)
    assert large.proto is not large.proto and large.session() is not large.session()
    assert large.evaluator() is not large.evaluator() and large.model is not large.model


def test_the_session_that_writes_its_graph_answers_as_any_other() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    source = source_from_module(module.eval(), ["x: float32[batch, 8]"], OutputSpec(), "m")
    data = attach_head(trace(source, ExportOptions())).data
    rows = {"x": np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)}
    for level in ("disabled", "basic", "extended", "all"):
        writing, other = OnnxGraph(data), OnnxGraph(data)
        assert writing.optimized(level).graph.node
        found, wanted = (graph.session("cpu", 1, level).run(None, rows)[0] for graph in (writing, other))
        assert found.tobytes() == wanted.tobytes()
