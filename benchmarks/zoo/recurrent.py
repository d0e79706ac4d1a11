"""Sequences without a transformers library: taggers, a small language model, a TCN, PatchTST."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from .network import Network, below, settled


class Tagger(nn.Module):
    """A tag for every word: an embedding, a bidirectional recurrence, a linear layer."""

    def __init__(self, kind: type[nn.RNNBase], words: int = 10_000, width: int = 256, tags: int = 17) -> None:
        super().__init__()
        self.embedding, self.dropout = nn.Embedding(words, width // 2, padding_idx=0), nn.Dropout(0.3)
        self.recurrence = kind(width // 2, width, num_layers=2, batch_first=True, bidirectional=True, dropout=0.3)
        self.out = nn.Linear(2 * width, tags)

    def forward(self, ids: Tensor) -> Tensor:
        """Return [batch, time, tags] logits."""
        states, _ = self.recurrence(self.embedding(ids))
        return self.out(self.dropout(states))


class SmallLanguageModel(nn.Module):
    """A large vocabulary on a small network: a GRU between an embedding and a head that shares its weights."""

    def __init__(self, words: int = 50_257, width: int = 16, hidden: int = 112) -> None:
        super().__init__()
        self.embedding, self.gru = nn.Embedding(words, width), nn.GRU(width, hidden, batch_first=True)
        self.project, self.head = nn.Linear(hidden, width), nn.Linear(width, words)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Return [batch, time, words] logits."""
        states, _ = self.gru(self.embedding(ids))
        return self.head(self.project(states))


class _TemporalBlock(nn.Module):
    """Two dilated convolutions that see no future, with normalized weights."""

    def __init__(self, inputs: int, outputs: int, size: int, dilation: int) -> None:
        super().__init__()
        self.cut = (size - 1) * dilation
        options = {"padding": self.cut, "dilation": dilation}
        self.first = weight_norm(nn.Conv1d(inputs, outputs, size, **options))
        self.second = weight_norm(nn.Conv1d(outputs, outputs, size, **options))
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        mixed = x
        for layer in (self.first, self.second):
            mixed = self.dropout(torch.relu(layer(mixed)[:, :, : -self.cut].contiguous()))
        return torch.relu(mixed + self.skip(x))


class TCN(nn.Module):
    """Bai et al. 2018: a class for every step of a series."""

    def __init__(self, features: int = 16, width: int = 64, levels: int = 6, classes: int = 8) -> None:
        super().__init__()
        blocks = [_TemporalBlock(width if level else features, width, 3, 1 << level) for level in range(levels)]
        self.blocks, self.out = nn.Sequential(*blocks), nn.Linear(width, classes)

    def forward(self, series: Tensor) -> Tensor:
        """Return [batch, time, classes] logits of a series [batch, features, time]."""
        return self.out(self.blocks(series).transpose(1, 2))


class _PatchLayer(nn.Module):
    """Attention and an MLP, each followed by batch normalization, as PatchTST has it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True, dropout=0.2)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.2), nn.Linear(2 * width, width))
        self.norm1, self.norm2 = nn.BatchNorm1d(width), nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1((x + self.attention(x, x, x, need_weights=False)[0]).transpose(1, 2)).transpose(1, 2)
        return self.norm2((x + self.mlp(x)).transpose(1, 2)).transpose(1, 2)


class PatchTST(nn.Module):
    """Nie et al. 2023: each channel of a series for itself, its patches as tokens; 336 steps foretell 96."""

    def __init__(self, width: int = 128, heads: int = 16, layers: int = 3, seen: int = 336, ahead: int = 96) -> None:
        super().__init__()
        patches = (seen - 16) // 8 + 2
        self.pad, self.embedding = nn.ReplicationPad1d((0, 8)), nn.Linear(16, width)
        self.position = nn.Parameter(torch.empty(patches, width).uniform_(-0.02, 0.02))
        self.layers = nn.Sequential(*(_PatchLayer(width, heads) for _ in range(layers)))
        self.head = nn.Linear(patches * width, ahead)

    def forward(self, series: Tensor) -> Tensor:
        """Return [batch, 96, channels] of a series [batch, 336, channels]."""
        mean = series.mean(1, keepdim=True)
        deviation = torch.sqrt(series.var(1, keepdim=True, unbiased=False) + 1e-5)
        x = ((series - mean) / deviation).transpose(1, 2)
        batch, channels, _ = x.shape
        patches = self.pad(x).unfold(-1, 16, 8)
        tokens = self.embedding(patches).flatten(0, 1) + self.position
        ahead = self.head(self.layers(tokens).flatten(1)).view(batch, channels, -1)
        return ahead.transpose(1, 2) * deviation + mean


_WORDS = ("ids: int64[batch, time]",)
_LENGTHS = {"example": {"batch": 2, "time": 16}, "new": ({"batch": 3, "time": 41}, {"batch": 1, "time": 5})}


def patch_tst(**sizes: int) -> nn.Module:
    """Return a PatchTST that has seen series."""
    module = PatchTST(**sizes)
    return settled(module, torch.randn(8, sizes.get("seen", 336), 7))


NETWORKS = (
    Network("lstm-tagger", lambda: Tagger(nn.LSTM), _WORDS, 3.657, draws={"ids": below(10_000)}, **_LENGTHS),
    Network("gru-tagger", lambda: Tagger(nn.GRU), _WORDS, 3.065, draws={"ids": below(10_000)}, **_LENGTHS),
    Network("language-model-head", SmallLanguageModel, _WORDS, 0.9, draws={"ids": below(50_257)}, **_LENGTHS),
    Network("tcn", TCN, ("series: float32[batch, 16, time]",), 0.143, **_LENGTHS),
    Network(
        "patchtst", patch_tst, ("series: float32[batch, 336, channels]",), 0.92,
        example={"batch": 2, "channels": 7}, new=({"batch": 3, "channels": 5}, {"batch": 1, "channels": 21}),
    ),
)  # fmt: skip
