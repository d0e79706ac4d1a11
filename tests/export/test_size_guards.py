"""A module whose code decides by a size: its graph holds one branch, and the package says for which sizes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, ProbeOptions, export_package, source_from_module
from parity_export.graph.trace import trace
from parity_runtime import InputError, ParityRefusedError, Predictor

SEQUENCE = "x: float32[batch, time, 4]"


class Deciding(nn.Module):
    def __init__(self, decide: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.decide = nn.Linear(4, 3), decide

    def forward(self, x: Tensor) -> Tensor:
        return self.decide(self.layer(x), x).mean(1)


def within(hidden: Tensor, x: Tensor) -> Tensor:
    return hidden * 2 if 60 < x.shape[1] < 100 else hidden


def at_seven(hidden: Tensor, x: Tensor) -> Tensor:
    return hidden * 2 if x.shape[1] == 7 else hidden


def of_table(hidden: Tensor, x: Tensor) -> Tensor:
    return hidden + torch.arange(150.0).reshape(50, 3)[: x.shape[1]]


def of_many_rows(hidden: Tensor, x: Tensor) -> Tensor:
    return hidden * 2 if x.shape[0] > 5000 else hidden


def source_of(decide: Callable[[Tensor, Tensor], Tensor], *dimensions: str, sample=None):
    module, probes = Deciding(decide).eval(), ProbeOptions(dimensions=dimensions)
    return source_from_module(module, [SEQUENCE], OutputSpec(), "m", sample, probes)


@pytest.mark.slow
def test_a_package_is_no_longer_than_the_branch_that_its_graph_holds(tmp_path: Path) -> None:
    exported = export_package(source_of(within), tmp_path / "p", ExportOptions(plots=False, effort="quick"))
    assert exported.contract.dimensions == {"time": "in 1..60"}
    assert "time in 1..60: outside of it the module's code takes another branch" in " ".join(exported.gate_result.notes)
    with pytest.raises(InputError, match=r"time = 80; .*in 1\.\.60"):
        Predictor(tmp_path / "p").run({"x": np.zeros((1, 80, 4), np.float32)})


def test_more_than_the_branch_is_refused_with_what_it_is_for() -> None:
    with pytest.raises(InputError, match=r"for time in 1\.\.60: .* dimensions=\['time in 1\.\.60'\]"):
        trace(source_of(within, "time in 1..512"), ExportOptions())
    assert trace(source_of(within, "time in 1..60"), ExportOptions()).contract.dimensions == {"time": "in 1..60"}
    sample = {"x": np.zeros((2, 70, 4), np.float32)}
    with pytest.raises(InputError, match=r"for time in 1\.\.60"):
        trace(source_of(within, sample=sample), ExportOptions())


def test_a_rule_that_lies_within_is_taken() -> None:
    def beyond_ten(hidden: Tensor, x: Tensor) -> Tensor:
        return hidden * 2 if x.shape[1] > 10 else hidden

    for text in ("time >= 16", "time multiple of 12", "time in 11..30"):
        said = text.removeprefix("time ")
        assert trace(source_of(beyond_ten, text), ExportOptions()).contract.dimensions == {"time": said}


class Positioned(nn.Module):
    """Looks its positions up, as GPT-2 does, from ``offset`` on, as RoBERTa's; or takes the last for all behind it."""

    def __init__(self, offset: int = 0, *, ends: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.places, self.offset, self.ends = nn.Embedding(9, 4), nn.Embedding(30, 4), offset, ends

    def forward(self, ids: Tensor, past: Tensor | None = None) -> Tensor:
        first = self.offset + (0 if past is None else past.shape[1])
        places = torch.arange(first, first + ids.shape[1])
        return self.words(ids) + self.places(places.clamp(max=29) if self.ends else places)


PAST = ["ids: int64[batch, time]", "past: float32[batch, past, 2]", "mask: float32[batch, total]"]


class Continued(Positioned):
    def forward(self, ids: Tensor, past: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(ids, past), mask * 2


@pytest.mark.parametrize(
    ("module", "inputs", "said", "dimensions"),
    [
        (Positioned(), PAST[:1], [], {"time": "in 1..30"}),
        (Positioned(offset=2), PAST[:1], [], {"time": "in 1..28"}),
        (Positioned(), PAST[:1], ["time in 3..20"], {"time": "in 3..20"}),
        (Positioned(ends=True), PAST[:1], [], {}),
        (Continued(), PAST, ["total = past + time"], {"total": "= past + time, in 1..30"}),
        (Deciding(of_table), [SEQUENCE], [], {"time": "in 1..50"}),
    ],
)
def test_rows_are_no_longer_than_the_table_of_positions(module, inputs, said, dimensions) -> None:
    source = source_from_module(module.eval(), inputs, OutputSpec(), "m", probes=ProbeOptions(dimensions=said))
    assert trace(source, ExportOptions()).contract.dimensions == dimensions


def test_the_number_of_rows_may_not_decide() -> None:
    with pytest.raises(InputError, match=r"decides by the number of rows, .* batch in 1\.\.5000; .*fix the number"):
        trace(source_of(of_many_rows), ExportOptions())


def test_a_size_that_the_code_compares_with_is_run() -> None:
    assert {"time": 7} in trace(source_of(at_seven), ExportOptions()).source.decided_sizes
    assert trace(source_of(lambda hidden, _: hidden), ExportOptions()).source.decided_sizes == ()


class Two(nn.Module):
    """Decides by the sizes of two inputs."""

    def __init__(self, decide: Callable[[int, int], bool]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.decide = nn.Linear(4, 3), decide

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        hidden = self.layer(x).sum(1) + self.layer(y).sum(1)
        return hidden * 2 if self.decide(x.shape[1], y.shape[1]) else hidden


@pytest.mark.parametrize(
    ("decide", "sizes"),
    [
        pytest.param(lambda a, b: a == b, {"a": 6, "b": 6}, marks=pytest.mark.soak),
        (lambda a, b: a * b > 30_000, {"a": 59, "b": 512}),
        pytest.param(lambda a, b: a * b == 42, {"a": 6, "b": 7}, marks=pytest.mark.soak),
        pytest.param(lambda a, b: a // 50 == 3, {"a": 150, "b": 4}, marks=pytest.mark.soak),
        pytest.param(lambda a, b: (a - 3) * (a - 3) == 100, {"a": 13, "b": 4}, marks=pytest.mark.soak),
        (lambda a, b: a % 6 == 5, {"a": 11, "b": 4}),
        (lambda a, b: a // (b - 1) == 6, {"a": 30, "b": 6}),
    ],
)
def test_sizes_that_decide_otherwise_are_run(decide: Callable[[int, int], bool], sizes: dict[str, int]) -> None:
    module, inputs = Two(decide).eval(), ["x: float32[batch, a, 4]", "y: float32[batch, b, 4]"]
    source = trace(source_from_module(module, inputs, OutputSpec(), "m"), ExportOptions()).source
    assert sizes in source.decided_sizes
    assert any("the graph assumes" in note for note in source.notes)
    sample = {"x": np.zeros((1, 9, 4), np.float32), "y": np.zeros((1, 8, 4), np.float32)}
    alone = source_from_module(module, inputs, OutputSpec(), "m", sample, ProbeOptions(samples_only=True))
    with pytest.raises(InputError, match=r"decides by sizes .* samples_only=True runs no others"):
        trace(alone, ExportOptions())


class Crossed(nn.Module):
    """Attends causally where queries and keys are as many."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        causal = torch.full((q.shape[1], k.shape[1]), -torch.inf).triu(1) if q.shape[1] == k.shape[1] else None
        return self.attention(q, k, k, attn_mask=causal)[0]


@pytest.mark.slow
def test_an_attention_that_is_causal_where_sizes_are_alike_is_refused(tmp_path: Path) -> None:
    source = source_from_module(
        Crossed().eval(), ["q: float32[batch, queries, 8]", "k: float32[batch, keys, 8]"], OutputSpec(), "m"
    )
    with pytest.raises(ParityRefusedError, match=r"queries 6, keys 6: .*assumes queries != keys"):
        export_package(source, tmp_path / "p", ExportOptions(plots=False, effort="quick"))


def test_the_number_of_rows_may_not_be_compared_with() -> None:
    with pytest.raises(InputError, match=r"decides by the number of rows, .* batch != 11; .*fix the number"):
        trace(source_of(lambda hidden, x: hidden * 2 if x.shape[0] == 11 else hidden), ExportOptions())


class Strided(nn.Module):
    """An image, strided down to positions that attend to one another: of a small example to a single one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.queries = nn.Parameter(torch.randn(5, 8))

    def forward(self, image: Tensor) -> Tensor:
        memory = self.body(image).flatten(2).transpose(1, 2)
        memory = memory + self.attention(memory, memory, memory)[0]
        return self.attention(self.queries.expand(memory.shape[0], -1, -1), memory, memory)[0]


@pytest.mark.slow
def test_an_example_whose_sizes_are_equal_to_something_by_chance_gives_way_to_a_larger_one(tmp_path: Path) -> None:
    source = source_from_module(Strided().eval(), ["image: float32[batch, 1, height, width]"], OutputSpec(), "m")
    package = export_package(source, tmp_path / "p", ExportOptions(plots=False, effort="quick")).path
    image = np.random.default_rng(0).standard_normal((2, 1, 33, 17)).astype(np.float32)
    with torch.no_grad():
        expected = source.module(torch.from_numpy(image)).numpy()
    assert np.abs(Predictor(package).run({"image": image})["output"] - expected).max() < 1e-5


@pytest.mark.slow
def test_a_branch_at_one_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParityRefusedError, match="time 7: .* differ"):
        export_package(source_of(at_seven), tmp_path / "p", ExportOptions(plots=False, effort="quick"))
