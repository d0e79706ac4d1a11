"""Small modules of every usual kind: what the exporter must carry over, each with its inputs and its meaning."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from parity_export import OutputSpec
from parity_runtime import TensorSpec

TENSORS = OutputSpec()
REGRESSION = OutputSpec(task="regression")
BINARY = OutputSpec(task="binary", output="logits")
CLASSES = OutputSpec(task="multiclass", output="logits")


@dataclass(frozen=True)
class Specimen:
    """A module of the zoo."""

    name: str
    build: Callable[[], nn.Module]
    inputs: tuple[str, ...]
    output_spec: OutputSpec = TENSORS

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec.parse(text) for text in self.inputs)


def mlp(activation: nn.Module, outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 16), activation, nn.Linear(16, 16), activation, nn.Linear(16, outputs))


def trained_norm(norm: nn.Module) -> nn.Module:
    """Give a normalization running statistics and weights that are not 0 and 1."""
    with torch.no_grad():
        for tensor in [*norm.parameters(), *norm.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5)
    return norm


class Recurrent(nn.Module):
    """The last step of an LSTM or GRU, batch first."""

    def __init__(self, kind: type[nn.RNNBase], **options: object) -> None:
        super().__init__()
        self.cell = kind(4, 6, batch_first=True, **options)
        self.out = nn.Linear(6 * (2 if options.get("bidirectional") else 1), 2)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.cell(x)
        return self.out(steps[:, -1])


class TimeFirst(nn.Module):
    """An LSTM as torch has it by default: [time, batch, features], and its states as further outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(3, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, (hidden, cell) = self.cell(x)
        return steps, hidden, cell


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        mixed, _ = self.attention(x, x, x, need_weights=False)
        return mixed


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)


class Words(nn.Module):
    """Integer inputs of a dynamic length into an embedding, averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 6)
        self.out = nn.Linear(6, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.out(self.embedding(words).mean(dim=1))


class TwoInputs(nn.Module):
    """Floats and integers in, two tensors out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.first, self.second = nn.Linear(7, 2), nn.Linear(7, 1)

    def forward(self, numbers: Tensor, category: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([numbers, self.embedding(category)], dim=1)
        return self.first(both), torch.tanh(self.second(both))


class Masked(nn.Module):
    """A boolean input, and a dictionary out."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 2)

    def forward(self, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
        kept = torch.where(mask, x, torch.zeros_like(x))
        return {"sum": kept.sum(dim=1), "scores": self.out(kept)}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.block, self.leave = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.enter(x))
        x = x + torch.relu(self.block(x))
        return self.leave(x)


class Standardized(nn.Module):
    """Preprocessing in the graph: buffers, and missing cells filled."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([1.0, -2.0, 300.0, 0.0, 5.0]))
        self.register_buffer("std", torch.tensor([0.5, 3.0, 90.0, 1.0, 2.0]))
        self.out = nn.Linear(5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.where(torch.isnan(x), self.mean, x)
        return self.out((x - self.mean) / self.std)


class Tied(nn.Module):
    """One weight used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 6) / 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(torch.tanh(functional.linear(x, self.weight)), self.weight)


class BatchCentred(nn.Module):
    """Rows influence one another."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x - x.mean(dim=0, keepdim=True))


class SideBySide(nn.Module):
    """An MLP for every activation, an output each: what one of them gets wrong shows in its own output."""

    def __init__(self) -> None:
        super().__init__()
        self.networks = nn.ModuleList(mlp(activation, 2) for activation in ACTIVATIONS.values())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(network(x) for network in self.networks)


class SharedTable(nn.Module):
    """One input without a batch axis."""

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        return x @ table.T


class Doubled(nn.Module):
    """An output twice as long as its input."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.sin(x)], dim=1)


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), trained_norm(nn.BatchNorm2d(6)), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, groups=2), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


def decoder() -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1), trained_norm(nn.InstanceNorm2d(6, affine=True)),
        nn.ReLU(), nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(6, 1, 1),
    )  # fmt: skip


def one_dimensional() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.PReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.LayerNorm(32)
    )


TABLE = ("x: float32[batch, 5]",)
SEQUENCE = ("x: float32[batch, time, 4]",)

ACTIVATIONS = {
    "tanh": nn.Tanh(), "relu": nn.ReLU(), "leaky-relu": nn.LeakyReLU(), "elu": nn.ELU(), "selu": nn.SELU(),
    "celu": nn.CELU(), "gelu": nn.GELU(), "gelu-tanh": nn.GELU("tanh"), "silu": nn.SiLU(), "mish": nn.Mish(),
    "softplus": nn.Softplus(), "hardswish": nn.Hardswish(), "hardsigmoid": nn.Hardsigmoid(),
    "hardtanh": nn.Hardtanh(), "relu6": nn.ReLU6(), "sigmoid": nn.Sigmoid(), "softsign": nn.Softsign(),
}  # fmt: skip

FURTHER = [
    *(Specimen(f"mlp-{name}", lambda one=one: mlp(one), TABLE, CLASSES) for name, one in ACTIVATIONS.items()),
    Specimen("lstm", lambda: Recurrent(nn.LSTM), SEQUENCE),
    Specimen("lstm-two-layers-both-ways", lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), SEQUENCE),
    Specimen("gru", lambda: Recurrent(nn.GRU), SEQUENCE),
    Specimen("transformer-encoder", Encoder, ("x: float32[batch, time, 8]",)),
]
"""What other tests export as well, in another form: for the search for false refusals (`make soak`) alone."""

END_TO_END = [
    Specimen("every-activation", SideBySide, TABLE),
    Specimen("mlp-multiclass", lambda: mlp(nn.GELU()), TABLE, CLASSES),
    Specimen("mlp-binary", lambda: mlp(nn.Tanh(), 1), TABLE, BINARY),
    Specimen("mlp-regression", lambda: mlp(nn.ReLU(), 2), TABLE, REGRESSION),
    Specimen("linear", lambda: nn.Linear(5, 1), TABLE, REGRESSION),
    Specimen(
        "batchnorm-dropout",
        lambda: nn.Sequential(
            nn.Linear(5, 8), trained_norm(nn.BatchNorm1d(8)), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1)
        ),
        TABLE,
        BINARY,
    ),
    Specimen("rmsnorm", lambda: nn.Sequential(nn.Linear(5, 8), nn.RMSNorm(8)), TABLE),
    Specimen("cnn", convolutional, ("image: float32[batch, 3, 12, 12]",), CLASSES),
    Specimen("cnn-dynamic-size", convolutional, ("image: float32[batch, 3, 16, width]",), CLASSES),
    Specimen("decoder", decoder, ("code: float32[batch, 4, 5, 5]",)),
    Specimen("conv1d-groupnorm-prelu-layernorm", one_dimensional, ("x: float32[batch, 3, 8]",)),
    Specimen(
        "lstm-two-layers-both-ways-of-six-steps",
        lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True),
        ("x: float32[batch, 6, 4]",),
    ),
    Specimen("gru-of-six-steps", lambda: Recurrent(nn.GRU), ("x: float32[batch, 6, 4]",)),
    Specimen("rnn", lambda: Recurrent(nn.RNN), ("x: float32[batch, 6, 4]",)),
    Specimen("lstm-time-first-with-states", TimeFirst, ("x: float32[time, batch, 3]",)),
    Specimen("attention", Attention, ("x: float32[batch, time, 8]",)),
    Specimen("transformer-encoder-of-six-steps", Encoder, ("x: float32[batch, 6, 8]",)),
    Specimen("embedding", Words, ("words: int64[batch, time]",), CLASSES),
    Specimen("two-inputs-two-outputs", TwoInputs, ("numbers: float32[batch, 3]", "category: int64[batch]")),
    Specimen("boolean-input-dictionary-out", Masked, ("x: float32[batch, 6]", "mask: bool[batch, 6]")),
    Specimen("residual", Residual, TABLE, REGRESSION),
    Specimen("standardized-and-imputed", Standardized, TABLE, BINARY),
    Specimen("tied-weights", Tied, ("x: float32[batch, 6]",)),
    Specimen("rows-that-influence-one-another", BatchCentred, ("x: float32[batch, 4]",), REGRESSION),
    Specimen("an-input-without-a-batch", SharedTable, ("x: float32[batch, 4]", "table: float32[9, 4]")),
    Specimen("an-output-of-twice-the-length", Doubled, ("x: float32[batch, time]",)),
    Specimen("fixed-batch", lambda: nn.Linear(4, 2), ("x: float32[3, 4]",)),
]

ZOO = [*FURTHER, *END_TO_END]
