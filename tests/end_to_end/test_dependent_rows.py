"""A model whose rows influence one another answers a table as one batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_runtime import Predictor, TensorSpec

pytestmark = pytest.mark.slow


class Centred(torch.nn.Module):
    """A linear function of what is left after the batch's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x - x.mean(dim=0))


def test_the_whole_table_is_one_batch(parity, tmp_path: Path) -> None:
    specs = [TensorSpec("features", "float32", ("batch", 2))]
    source = source_from_module(Centred(), specs, OutputSpec("regression", targets=("y",)), "centred")
    package = export_package(source, tmp_path / "package", ExportOptions(plots=False, effort="quick")).path
    assert Predictor(package).contract.row_independent is False
    rows = np.random.default_rng(0).random((70_000, 2), np.float32)
    table = tmp_path / "t.csv"
    table.write_text("x1,x2\n" + "".join(f"{a},{b}\n" for a, b in rows.tolist()))
    found = parity("predict", package, table, "--columns", "y").out.splitlines()[1:]
    assert (np.array(found, np.float32) == Predictor(package).predict(rows)).all()
    assert parity("predict", package, table, "--batch-size", "100").is_refused(1, "the whole table is one batch")
    assert parity("predict", package, table, "--errors", "skip").is_refused(1, "would change the others")
