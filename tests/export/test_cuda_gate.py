"""On a machine with a CUDA device the gate asks it as well, and what it passes answers there."""

from pathlib import Path

import pytest
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_runtime import verify

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("cuda"), pytest.mark.slow]

MODULES = {
    "mlp": (nn.Sequential(nn.Linear(8, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 3)), "x: float32[batch, 8]"),
    "cnn": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "x: float32[batch, 3, 16, 16]",
    ),
    "attention": (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), "src: float32[batch, time, 16]"),
    "gru": (nn.GRU(4, 8, batch_first=True), "x: float32[batch, 6, 4]"),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("external_weights", [False, True])
def test_the_gate_asks_cuda(name: str, external_weights: bool, tmp_path: Path) -> None:
    module, spec = MODULES[name]
    source = source_from_module(module.eval(), [spec], OutputSpec(), name)
    options = ExportOptions(plots=False, external_weights=external_weights or None)
    exported = export_package(source, tmp_path / "package", options)
    providers = {result.backend.provider for result in exported.gate_result.report.results}
    assert providers == {"cpu", "cuda"}
    assert verify(exported.path, provider="cuda").provider == "cuda"
