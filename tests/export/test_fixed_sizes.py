"""Modules whose code makes a number of a size: torch.onnx.export fixes the dimension without a word."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.graph.torch_export import export_graph
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.example_inputs import Example
from parity_runtime import InputError, Predictor, TensorSpec
from parity_runtime.inference.session import create_session
from tests.soak import sampled

SERIES = TensorSpec.parse("x: float32[batch, time, 4]")


class WithToken(nn.Module):
    """A token of its own before each series, as many as ``len`` counts rows."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.arange(4.0))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(x), 1, -1), x], 1).cumsum(1)


class Reshaped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(int(x.shape[0]), -1).sum(1)


class LastStep(nn.Module):
    """The state at each row's own length, of a GRU whose length is dynamic as well."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrence = nn.GRU(4, 3, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.recurrence(x)[0][torch.arange(len(x)), lengths - 1]


class Looped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([row.cumsum(0) for row in x])


@pytest.mark.slow
@pytest.mark.parametrize("kind", sampled([WithToken, Reshaped], {"WithToken"}, lambda kind: kind.__name__))
def test_a_size_that_the_code_makes_a_number_of_stays_dynamic(kind: type[nn.Module], tmp_path: Path) -> None:
    module = kind().eval()
    exported = export_package(
        source_from_module(module, (SERIES,), OutputSpec(), "m"),
        tmp_path / "p",
        ExportOptions(plots=False, effort="quick"),
    )
    assert exported.contract.inputs == (SERIES,)
    for batch, time in ((5, 9), (1, 1)):
        x = np.random.default_rng(batch).standard_normal((batch, time, 4), np.float32)
        (found,) = Predictor(tmp_path / "p").run({"x": x}).values()
        np.testing.assert_allclose(found, module(torch.from_numpy(x)).detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_recurrence_keeps_its_dynamic_length_where_the_code_is_read() -> None:
    module, specs = LastStep().eval(), (SERIES, TensorSpec.parse("lengths: int64[batch]"))
    session = create_session(OnnxGraph(export_graph(module, Example.of(module, specs))).data)
    for batch, time in ((3, 7), (1, 1), (4, 1), (1, 5)):
        inputs = {"x": torch.randn(batch, time, 4), "lengths": torch.randint(1, time + 1, (batch,))}
        (found,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        np.testing.assert_allclose(found, module(**inputs).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "size"), [(Looped(), "batch", 2), (nn.RNN(4, 3, batch_first=True), "time", 3)]
)
def test_what_torch_fixes_in_any_case_is_told_with_the_way_out(module: nn.Module, name: str, size: int) -> None:
    spec = TensorSpec("x" if isinstance(module, Looped) else "input", SERIES.dtype, SERIES.shape)
    with pytest.raises(
        InputError, match=f"fixes the dimension {name} at the example's size, {size}, .* instead of {name}"
    ):
        export_graph(module.eval(), Example.of(module.eval(), (spec,)))
