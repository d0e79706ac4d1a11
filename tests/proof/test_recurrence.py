"""LSTMs and GRUs: what torch exports is certified, and what torch never writes is refused."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from parity_export import OutputSpec, source_from_module
from parity_export.error_bounds import CannotCertifyError
from parity_export.export_options import Bounds, ExportOptions
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_runtime import TensorSpec
from tests.proof.arithmetic import COMPLIANT, Exact
from tests.proof.evaluator import evaluate
from tests.proof.graphs import certified_graph, value_graph

ROWS, PLACES, FEATURES, HIDDEN = 30, 5, 3, 6


class Last(nn.Module):
    """The last place of a recurrence, and the last states that it returns beside it."""

    def __init__(self, cell: type[nn.RNNBase], **options: Any) -> None:
        super().__init__()
        self.inner = cell(FEATURES, HIDDEN, batch_first=True, **options)
        self.out = nn.Linear(HIDDEN * (2 if options.get("bidirectional") else 1), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, states = self.inner(x)
        last = states[1] if isinstance(states, tuple) else states
        answer: torch.Tensor = self.out(steps[:, -1]) + last[0][:, :2]
        return answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "options", "length", "bounds"),
    [(nn.LSTM, {"num_layers": 2, "bidirectional": True}, "time", "fast"), (nn.GRU, {}, PLACES, "tight")],
    ids=["LSTM", "GRU"],
)
def test_what_torch_exports_is_certified(cell: Any, options: Any, length: Any, bounds: Bounds) -> None:
    torch.manual_seed(1)
    module = Last(cell, **options).eval()
    spec = TensorSpec("x", "float32", ("batch", length, FEATURES))
    source = source_from_module(module, [spec], OutputSpec("regression"), "m")
    plain = attach_head(trace(source, ExportOptions())).onnx.data
    certified = certified_graph(plain, source.contract, bounds)
    x = np.random.default_rng(2).normal(size=(ROWS, PLACES, FEATURES)).astype(np.float32)
    exact = module.double()(torch.from_numpy(x).double()).detach().numpy()
    session = onnxruntime.InferenceSession(certified, providers=["CPUExecutionProvider"])
    value, bound = session.run(["value", "error_bound"], {"x": x})
    found = [value, *onnxruntime.InferenceSession(plain).run(["value"], {"x": x}), module.float()(torch.from_numpy(x))]
    for one in found:
        assert (np.abs(np.asarray(one.tolist()) - exact) <= bound).all()
    assert np.isfinite(bound).all() and bound.max() < 1e-3


def _graph(kind: str, *, inputs: int = 4, **attributes: Any) -> tuple[bytes, Any]:
    gates, random = {"LSTM": 4, "GRU": 3}[kind], np.random.default_rng(3)
    shapes = {"w": (2, gates * HIDDEN, FEATURES), "r": (2, gates * HIDDEN, HIDDEN), "b": (2, 2 * gates * HIDDEN)}
    constants = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    constants |= {"flat": np.array([-1, PLACES * 2 * HIDDEN]), "lengths": np.full(ROWS, PLACES, np.int32)}
    taken = ["Transpose0", "w", "r", "b", "lengths"][:inputs]
    given = {"hidden_size": HIDDEN, "direction": "bidirectional"} | attributes
    nodes = [
        ("Transpose", ["features"], {"perm": [1, 0, 2]}),
        (kind, taken, given),
        ("Transpose", [f"{kind}1"], {"perm": [2, 0, 1, 3]}),
        ("Reshape", ["Transpose2", "flat"], {}),
    ]
    return value_graph(nodes, constants, [PLACES, FEATURES], PLACES * 2 * HIDDEN)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_every_place_of_both_directions_stays_within_its_bound(kind: str) -> None:
    graph, contract = _graph(kind, **({"linear_before_reset": 1} if kind == "GRU" else {}))
    certified = certified_graph(graph, contract)
    x = {"features": np.random.default_rng(4).normal(size=(ROWS, PLACES, FEATURES)).astype(np.float32)}
    exact = evaluate(graph, x, Exact())["value"]
    session = onnxruntime.InferenceSession(certified, providers=["CPUExecutionProvider"])
    value, bound = session.run(["value", "error_bound"], x)
    for found in (value, *(evaluate(graph, x, one)["value"] for one in COMPLIANT.values())):
        assert (np.abs(found - exact) <= bound).all()
    assert np.isfinite(bound).all()


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("GRU", {}, "linear_before_reset is 0"),
        ("LSTM", {"inputs": 5}, "lengths of their own"),
        ("LSTM", {"inputs": 3}, "no biases"),
        ("LSTM", {"clip": 1.0}, "other gates"),
        ("LSTM", {"input_forget": 1}, "other gates"),
        ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"] * 2}, "other gates"),
        ("GRU", {"layout": 1, "linear_before_reset": 1}, "another layout"),
        ("LSTM", {"direction": "forward"}, "other shapes"),
    ],
)
def test_what_torch_never_writes_is_refused(kind: str, options: Any, words: str) -> None:
    with pytest.raises(CannotCertifyError, match=words):
        certified_graph(*_graph(kind, **options))
