"""Makes the packages beside it: ``python tests/data/make_packages.py``, from an environment with the dev extra.

They are checked in so that the runtime is tested where torch has never been, and so that a package of an earlier
version must go on answering. Make them again only when the format itself has to change.
"""

import shutil
from pathlib import Path

import torch
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module, source_from_run
from parity_runtime import TensorSpec
from parity_training import train_xor

HERE = Path(__file__).parent
KEPT = ("test.csv", "evaluation.json")


class Series(nn.Module):
    """A recurrent network over sequences of any length: a value a step, and one for the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # [batch, time, 3]
        steps, (last, _) = self.lstm(x)  # [batch, time, 4], [1, batch, 4]
        return steps, self.linear(last[0])  # [batch, time, 4], [batch, 2]


def make() -> None:
    """Write xor, species, rent and series, and two of them certified."""
    run = train_xor(HERE / "run")
    for name in KEPT:
        shutil.copy(run.path / name, HERE / name)
    export_package(source_from_run(run), HERE / "xor")
    proven = ExportOptions(certified=True, plots=False)
    export_package(source_from_run(run), HERE / "xor_certified", proven)
    shutil.rmtree(run.path)
    torch.manual_seed(7)
    species = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    rent = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    sources = [
        source_from_module(
            species,
            [TensorSpec("features", "float32", ("batch", 4))],
            OutputSpec("multiclass", "logits", ("setosa", "versicolor", "virginica"), features=("a", "b", "c", "d")),
            "species",
        ),
        source_from_module(
            rent,
            [TensorSpec("features", "float32", ("batch", 3))],
            OutputSpec("regression", features=("area", "rooms", "age"), targets=("cold", "warm")),
            "rent",
        ),
        source_from_module(Series(), [TensorSpec("x", "float32", ("batch", "time", 3))], OutputSpec(), "series"),
    ]
    for source in sources:
        export_package(source, HERE / source.contract.name)
    export_package(sources[1], HERE / "rent_certified", proven)


if __name__ == "__main__":
    make()
