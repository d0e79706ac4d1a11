"""What torch cannot capture, or torch.onnx cannot write, is exported all the same and answers as the module."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import rnn

from parity_export.graph.torch_export import export_graph, guarded_graph
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.example_inputs import Example
from parity_runtime import InputError, TensorSpec
from parity_runtime.inference.session import create_session

pytestmark = pytest.mark.slow


class Causal(nn.Module):
    """An encoder that looks into its own mask to see whether it is causal."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[0])
        return self.encoder(x, mask=mask)


class Bags(nn.Module):
    def __init__(self, mode: str, padding_idx: int | None) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(9, 3, mode=mode, padding_idx=padding_idx)

    def forward(self, x: Tensor) -> Tensor:
        return self.table(x)


class WeightedBags(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(9, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.embedding_bag(x, self.table, per_sample_weights=x * 0.5, mode="sum")


class Neighbours(nn.Module):
    """The mean of scattered rows, as graph networks have it."""

    def __init__(self, include_self: bool) -> None:
        super().__init__()
        self.include_self = include_self

    def forward(self, x: Tensor) -> Tensor:
        places = torch.tensor([[0, 1, 1], [2, 2, 2]]).repeat(3, 1)[:5]
        return x.scatter_reduce(0, places, x * 2, "mean", include_self=self.include_self)


class Distances(nn.Module):
    def __init__(self, p: float, count: int = 6) -> None:
        super().__init__()
        self.p, self.codes = p, nn.Parameter(torch.randn(count, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.codes, p=self.p)


class Checked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.isnan().any():
            raise ValueError("x holds NaN")
        return x * 2


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrence = nn.GRU(4, 3, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return rnn.pad_packed_sequence(self.recurrence(packed)[0], batch_first=True)[0]


WORDS = "x: int64[batch, 4]"


@pytest.mark.parametrize(
    ("module", "spec", "shapes"),
    [
        (Causal(), "x: float32[time, batch, 4]", [(5, 3, 4), (1, 1, 4)]),
        *((Bags(mode, padding), WORDS, [(5, 4), (1, 4)]) for mode in ("sum", "mean", "max") for padding in (None, -9)),
        (WeightedBags(), WORDS, [(5, 4)]),
        (Neighbours(include_self=True), "x: float32[5, 3]", [(5, 3)]),
        (Neighbours(include_self=False), "x: float32[5, 3]", [(5, 3)]),
        (Distances(2.0), "x: float32[batch, 4]", [(30, 4), (1, 4)]),
        (Distances(1.0), "x: float32[batch, 4]", [(3, 4)]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_the_graph_answers_as_the_module(module: nn.Module, spec: str, shapes: Sequence[tuple[int, ...]]) -> None:
    given, random = TensorSpec.parse(spec), np.random.default_rng(0)
    session = create_session(OnnxGraph(export_graph(module.eval(), Example.of(module, (given,)))).data)
    for shape in shapes:
        drawn = random.standard_normal(shape) if given.dtype == "float32" else random.integers(0, 9, shape)
        drawn[0] = 0  # a bag of padding alone
        x = drawn.astype(given.dtype)
        (found,) = session.run(None, {"x": x})
        np.testing.assert_allclose(found, module(torch.from_numpy(x)).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [6, 25, 26, 100])
def test_distances_between_any_number_of_points_have_one_graph(count: int) -> None:
    """torch.cdist takes another formula for more than 25 points."""
    module = Distances(2.0, count).eval()
    example = Example.of(module, (TensorSpec.parse("x: float32[batch, 4]"),))
    assert not guarded_graph(module, example)[1].limits


def test_code_that_decides_by_values_is_named() -> None:
    with pytest.raises(InputError, match=r"by the values of a tensor \(test_translations.py, line \d+\), which"):
        export_graph(Checked().eval(), Example.of(Checked().eval(), (TensorSpec.parse("x: float32[batch, 4]"),)))


def test_a_distance_without_a_form_is_named() -> None:
    module = Distances(3.0).eval()
    with pytest.raises(InputError, match=r"torch.cdist with p = 3 has no ONNX form; 1 and 2 have one"):
        export_graph(module, Example.of(module, (TensorSpec.parse("x: float32[batch, 4]"),)))


def test_packing_is_named() -> None:
    module, texts = Packed().eval(), ("x: float32[batch, 5, 4]", "lengths: int64[batch]")
    example = Example.of(module, [TensorSpec.parse(text) for text in texts])
    with pytest.raises(
        InputError, match=r"pack_padded_sequence has no form in a graph; give the recurrence the padded"
    ):
        export_graph(module, example)
