"""The modules of the public reports: each the smallest that shows its kind, and the same in float32 and float64."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.parity.zoo import trained_norm


class Call(nn.Module):
    """One function of the inputs."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


class BothWays(nn.Module):
    """Two LSTMs, one of them over the reversed sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = nn.LSTM(4, 5, batch_first=True), nn.LSTM(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        there, _ = self.there(x)
        back, _ = self.back(x.flip(1))
        return torch.cat([there, back.flip(1)], dim=-1)


class Packed(nn.Module):
    """An LSTM over sequences of several lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.clamp(1, 5), batch_first=True, enforce_sorted=False)
        steps, _ = self.cell(packed)
        return nn.utils.rnn.pad_packed_sequence(steps, batch_first=True, total_length=5)[0]


class Encoder(nn.Module):
    """Token embeddings through a TransformerEncoder with its fast path."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
        self.embedding = nn.Embedding(15, 8)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.encoder(self.embedding(tokens))


class Scale(nn.Module):
    """A vector of weights whose norm is a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
        nn.utils.parametrizations.weight_norm(self, "weight", dim=0)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def summed_by_length(x: Tensor) -> Tensor:
    """Take another way for long sequences."""
    return x[:, :6].sum(dim=1) if x.shape[1] > 6 else x.mean(dim=1)


def in_pairs(x: Tensor) -> Tensor:
    """Pad a sequence to an even length and join its steps two by two."""
    even = functional.pad(x, [0, 0, 0, -x.shape[1] % 2])
    return even.reshape(x.shape[0], even.shape[1] // 2, -1)


def doubled_if_positive(x: Tensor) -> Tensor:
    return torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: x - 1, (x,))


def root_mean_square(x: Tensor, scale: Tensor) -> Tensor:
    return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + 1e-5) * scale


def weight_norm() -> nn.Module:
    return nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 3, 2))


def running_instance_norm() -> nn.Module:
    return trained_norm(nn.InstanceNorm2d(2, affine=True, track_running_stats=True))


def folded() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), trained_norm(nn.BatchNorm2d(3)), nn.ReLU())


def average_pool_of_padded(x: Tensor) -> Tensor:
    return functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1)), 2)


def average_pool_of_end_padded(x: Tensor) -> Tensor:
    return functional.avg_pool2d(functional.pad(x, (0, 1, 0, 1)), 2, stride=1)
