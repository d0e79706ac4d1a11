"""What onnxruntime puts in the place of operators: three lines of defence, each alone."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, source_from_module
from parity_export.error_bounds import CannotCertifyError
from parity_export.error_bounds.check_bounds import check_bounds
from parity_export.error_bounds.derive_bounds import derive_bounds
from parity_export.export_graph import ExportGraph
from parity_export.gate.run_gate import run_gate
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_runtime import TensorSpec
from tests.soak import sampled

GUARDS = ("WrittenGelus.find", "refuse_inexact_fusions")
pytestmark = pytest.mark.slow


class Between(nn.Module):
    """A function of numbers between two linear maps."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.function = nn.Linear(4, 2), nn.Linear(2, 1), function

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x)))


class Copied(nn.Module):
    """A Gelu with an Identity in it: torch's detach is one in the graph."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.erf((x / 1.4142).clone()))


FUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh, factored": lambda x: 0.5 * x * (1 + torch.tanh(0.79788 * x * (1 + 0.044715 * x * x))),
    "erf": lambda x: 0.5 * x * (1 + torch.erf(x / 1.4142)),
    "erf, the half last": lambda x: x * (1 + torch.erf(x / 1.4142)) * 0.5,
    "erf, times 1": lambda x: 0.5 * x * (1 + torch.erf(x / 1.4142 * 1.0)),
    "erf, plus 0": lambda x: 0.5 * x * (1 + torch.erf(x / 1.4142 + 0.0)),
    "erf, copied": Copied(),
}
"""Spellings for which onnxruntime 1.32 puts an operator of its own."""

ALIKE: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda x: 0.5 * x * (1 + torch.tanh(0.79788 * (x + 0.044715 * x * x * x))),
    "erf of a product": lambda x: 0.5 * x * (1 + torch.erf(x * 0.70711)),
    "erf, its sign turned": lambda x: 0.5 * x * (1 - torch.erf(-x * 0.70711)),
    "erf, multiplied out": lambda x: 0.5 * x + 0.5 * x * torch.erf(x * 0.70711),
    "erf of what is computed twice": lambda x: 0.5 * (x + 1.0) * (1 + torch.erf((1.0 + x) / 1.4142)),
}
"""Spellings that another version may take for one."""

OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "the normal distribution": lambda x: 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "a Gelu of another number": lambda x: 0.5 * x * (1 + torch.erf(x / 1.5)),
    "the tanh of a Gelu": lambda x: torch.tanh(0.79788 * (x + 0.044715 * x * x * x)),
    "gated by the erf of another": lambda x: 0.5 * x[:, :1] * (1 + torch.erf(x[:, 1:] / 1.4142)) + x,
    "QuickGelu": lambda x: x * torch.sigmoid(1.702 * x),
}


@cache
def exported(function: Callable[[Tensor], Tensor]) -> ExportGraph:
    torch.manual_seed(0)
    output_spec, specs = (
        OutputSpec("binary", "logits", ("no", "yes")),
        [TensorSpec("features", "float32", ("batch", 4))],
    )
    source = source_from_module(Between(function).eval(), specs, output_spec, "model")
    return attach_head(trace(source, ExportOptions()))


def without(monkeypatch: pytest.MonkeyPatch, *guards: str) -> None:
    for guard in guards:
        monkeypatch.setattr(f"parity_export.error_bounds.propagate.{guard}", lambda *_: None)


@pytest.mark.parametrize("name", sampled([*FUSED, *ALIKE], {*FUSED, "tanh", "erf, multiplied out"}))
def test_a_written_gelu_is_found_however_it_is_spelled(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    without(monkeypatch, "refuse_inexact_fusions")
    with pytest.raises(CannotCertifyError, match="it ends a written-out Gelu.*; use torch.nn.GELU"):
        derive_bounds(exported((FUSED | ALIKE)[name]))


@pytest.mark.parametrize("name", FUSED)
def test_what_onnxruntime_fuses_is_found_in_its_own_graph(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    without(monkeypatch, "WrittenGelus.find")
    with pytest.raises(CannotCertifyError, match=r"level (basic|extended) replaces operators of the graph by a Gelu"):
        derive_bounds(exported(FUSED[name]))


@pytest.mark.parametrize("name", sampled(FUSED, {"tanh, factored", "erf"}))
def test_the_gate_sees_what_a_backend_makes_of_the_plain_graph(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Also where torch's float64 answers are not the exact ones of the graph."""
    without(monkeypatch, *GUARDS)
    graph = exported(FUSED[name])
    bound_report, gate_result = derive_bounds(graph), run_gate(graph)
    assert not bound_report.exact and gate_result.oracle is not None
    check_bounds(bound_report, graph, gate_result.oracle)
    assert any(
        line.endswith("leave their proven error bound") and "plain graph" in line for line in bound_report.violations
    )


@pytest.mark.parametrize("name", sampled(OTHERS, {"a Gelu of another number", "gated by the erf of another"}))
def test_what_is_no_gelu_is_certified(name: str) -> None:
    graph = exported(OTHERS[name])
    bound_report, gate_result = derive_bounds(graph), run_gate(graph)
    assert gate_result.oracle is not None
    check_bounds(bound_report, graph, gate_result.oracle)
    assert bound_report.violations == [] and bound_report.bounded > 0


class WrittenNorm(nn.Module):
    """A LayerNormalization of two numbers as it is written in papers."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.tensor([0.7, 1.9])), nn.Parameter(torch.tensor([0.1, -3.0]))

    def forward(self, x: Tensor) -> Tensor:
        centre = x - x.mean(-1, keepdim=True)
        root = torch.sqrt(centre.pow(2).mean(-1, keepdim=True) + 1e-5)
        return centre / root * self.gain + self.shift


WRITTEN: dict[str, Callable[[Tensor], Tensor]] = {
    "Gelu by erf": lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "Gelu by erf of a product": lambda x: x * 0.5 * (1 + torch.erf(x * math.sqrt(0.5))),
    "Gelu by tanh": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3)))),
    "LayerNormalization": WrittenNorm(),
}
"""With float32's nearest constants: onnxruntime puts an operator in their place, which the error bound allows."""


@pytest.mark.parametrize("name", sampled(WRITTEN, {"Gelu by tanh", "LayerNormalization"}))
def test_what_is_written_out_exactly_is_certified_whoever_fuses_it(name: str) -> None:
    graph = exported(WRITTEN[name])
    bound_report, gate_result = derive_bounds(graph), run_gate(graph)
    assert gate_result.oracle is not None
    check_bounds(bound_report, graph, gate_result.oracle)
    assert bound_report.violations == [] and bound_report.bounded > 0


class Sequences(nn.Module):
    """A Linear of a sequence is a MatMul and an Add: onnxruntime fuses that Add into the Gelu."""

    def __init__(self, approximate: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 2)), nn.Linear(2, 3), nn.GELU(approximate), nn.Flatten(), nn.Linear(3, 2)
        )

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


@pytest.mark.parametrize("approximate", sampled(["none", "tanh"], {"none"}))
def test_a_bias_that_is_fused_into_a_gelu_is_certified(approximate: str) -> None:
    graph = exported(Sequences(approximate))
    bound_report, gate_result = derive_bounds(graph), run_gate(graph)
    assert gate_result.oracle is not None
    check_bounds(bound_report, graph, gate_result.oracle)
    assert bound_report.violations == [] and np.isfinite(bound_report.largest_bound)
