"""The trained networks that the proof is tried on, from data that everyone has."""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from parity_export import ModelSource, source_from_run
from parity_export.export_graph import ExportGraph
from parity_export.export_options import ExportOptions
from parity_export.gate.probe_ranges import ranges, widened
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_training import (
    NetworkChoice,
    TableDataset,
    TableSettings,
    TrainSettings,
    XORSettings,
    table_data,
    train_model,
    train_xor,
)
from tests.proof.graphs import certified_graph


@dataclass(frozen=True)
class Subject:
    """A trained network, exported and certified.

    Attributes:
        name: of its data.
        source: the torch module and its contract.
        plain: the serialized graph.
        certified: the same, certified.
        batch: rows that it is asked at most at once.
    """

    name: str
    source: ModelSource
    plain: bytes
    certified: bytes
    batch: int = 2**17

    @property
    def graph(self) -> ExportGraph:
        """The plain graph with its source."""
        return ExportGraph.of(self.source, self.plain)

    @cached_property
    def tight(self) -> "Subject":
        """The same with tight error bounds, which take the memory of some more rows for each."""
        return replace(self, certified=certified_graph(self.plain, self.source.contract, "tight"), batch=2**12)

    def uniform(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Draw rows over the features' ranges, a quarter wider on both sides."""
        low, high = widened(ranges(self.source.contract))
        return random.uniform(low, high, (count, len(low))).astype(np.float32)

    def exact(self, rows: np.ndarray) -> np.ndarray:
        """Return the logits, computed by torch in float64."""
        return _answered(self._double, rows.astype(np.float64))

    def torch(self, rows: np.ndarray) -> np.ndarray:
        """Return the logits, computed by torch in float32."""
        return _answered(self.source.module, rows)

    @cached_property
    def _double(self) -> nn.Module:
        return copy.deepcopy(self.source.module).double()


def _answered(module: nn.Module, rows: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(rows)).numpy().reshape(len(rows), -1)


def _subject(name: str, run: Any, user_network: Any = None) -> Subject:
    source = source_from_run(run, user_network=user_network)
    plain = attach_head(trace(source, ExportOptions())).data
    return Subject(name, source, plain, certified_graph(plain, source.contract))


def xor() -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        return _subject("XOR, 2-4-1 tanh", train_xor(Path(folder) / "run", XORSettings(epochs=100)))


def _table(name: str, data: Any, choice: NetworkChoice, epochs: int) -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        columns = [f"c{index}" for index in range(data.data.shape[1])]
        table = Path(folder) / "table.csv"
        rows = np.column_stack([data.data, data.target])
        np.savetxt(table, rows, delimiter=",", header=",".join([*columns, "kind"]), comments="", fmt="%.9g")
        settings = TableSettings("kind")
        problem = table_data(TableDataset(table, settings), settings, "table")
        train = TrainSettings(epochs=epochs, batch_size=32, learning_rate=1e-2, optimizer="Adam")
        return _subject(name, train_model(problem, choice, train, Path(folder) / "run"), choice.user_network)


def iris() -> Subject:
    from sklearn.datasets import load_iris

    return _table("iris, 4-100-3 ReLU", load_iris(), NetworkChoice(), 30)


def cancer() -> Subject:
    from sklearn.datasets import load_breast_cancer

    return _table("breast cancer, 30-100-1 ReLU", load_breast_cancer(), NetworkChoice(), 10)


class Block(nn.Module):
    """A residual block: x and two linear maps of it, a ReLU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(torch.relu(self.first(x)))


class ResidualMLP(nn.Module):
    """Three residual blocks of 64."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        blocks = [Block(64) for _ in range(3)]
        self.layers = nn.Sequential(nn.Linear(num_inputs, 64), *blocks, nn.ReLU(), nn.Linear(64, num_outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(features)


def digits() -> Subject:
    from sklearn.datasets import load_digits

    return _table("digits, 64-64x8-10 ReLU", load_digits(), NetworkChoice(arguments={"hidden": [64] * 8}), 10)


def residual() -> Subject:
    from sklearn.datasets import load_digits

    choice = NetworkChoice(f"{__name__}:ResidualMLP", {}, ResidualMLP)
    return _table("digits, 3 residual blocks of 64", load_digits(), choice, 10)


def deep() -> Subject:
    from sklearn.datasets import load_breast_cancer

    deep_tanh = NetworkChoice(arguments={"hidden": [128, 128, 128], "activation": "Tanh"})
    return _table("breast cancer, 30-128-128-128-1 tanh", load_breast_cancer(), deep_tanh, 10)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "xor": cache(xor), "iris": cache(iris), "cancer": cache(cancer), "deep": cache(deep),
    "digits": cache(digits), "residual": cache(residual),
}  # fmt: skip
"""Each is trained and exported once in a process; nothing changes them."""
