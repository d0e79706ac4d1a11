"""Networks of the sizes and kinds that people train, small enough for a gate of seconds; beside the zoo's layers."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.parity.zoo import CLASSES, REGRESSION, TENSORS, Specimen


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.n, self.m = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        same = stride == 1 and width == out
        self.s = nn.Identity() if same else nn.Sequential(nn.Conv2d(width, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.m(self.b(functional.relu(self.n(self.a(x))))) + self.s(x))


def resnet(*widths: int) -> nn.Module:
    blocks = [Block(width, out, 2 if width != out else 1) for width, out in itertools.pairwise(widths)]
    stem = [nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 100))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.deep = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(16, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first = functional.relu(self.down(x))
        second = functional.relu(self.deep(functional.max_pool2d(first, 2)))
        return self.out(torch.cat([first, self.up(second)], 1))


class Inverted(nn.Module):
    """MobileNet's block with a squeeze and excitation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide, self.deep = (
            nn.Conv2d(width, 4 * width, 1),
            nn.Conv2d(4 * width, 4 * width, 3, 1, 1, groups=4 * width),
        )
        self.squeeze, self.narrow = nn.Conv2d(4 * width, 4 * width, 1), nn.Conv2d(4 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.hardswish(self.deep(functional.hardswish(self.wide(x))))
        gate = functional.hardsigmoid(self.squeeze(wide.mean((2, 3), keepdim=True)))
        return x + self.narrow(wide * gate)


class Patches(nn.Module):
    """A small vision transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 32, 4, 4)
        layer = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True, norm_first=True)
        self.body, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(self.cut(x).flatten(2).transpose(1, 2)).mean(1))


class Causal(nn.Module):
    """A small language model."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.q, self.o, self.n = (
            nn.Embedding(50, 32),
            nn.Linear(32, 96),
            nn.Linear(32, 32),
            nn.LayerNorm(32),
        )

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        q, k, v = (part.unsqueeze(1) for part in self.q(self.n(x)).chunk(3, -1))
        x = x + self.o(functional.scaled_dot_product_attention(q, k, v, is_causal=True).squeeze(1))
        return x @ self.words.weight.T


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.e, self.r, self.o = (
            nn.Embedding(20, 6),
            nn.LSTM(6, 5, batch_first=True, bidirectional=True),
            nn.Linear(10, 3),
        )

    def forward(self, ids: Tensor) -> Tensor:
        return self.o(self.r(self.e(ids))[0])


class Recurrence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.r = nn.LSTM(6, 4, batch_first=True)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, (h, c) = self.r(x, (h, c))
        return y, h, c


class Temporal(nn.Module):
    """Dilated convolutions over time with gates."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.ModuleList(nn.Conv1d(4, 8, 2, dilation=d, padding=d) for d in (1, 2, 4))

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.f:
            value, gate = conv(x)[..., : x.shape[-1]].chunk(2, 1)
            x = x + torch.tanh(value) * torch.sigmoid(gate)
        return x


class Experts(nn.Module):
    """A gated mixture."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(8, 4), nn.ModuleList(nn.Linear(8, 3) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("be,beo->bo", torch.softmax(self.gate(x), 1), torch.stack([e(x) for e in self.experts], 1))


def layers(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    parts = [part for i, o in itertools.pairwise(widths) for part in (nn.Linear(i, o), activation())]
    return nn.Sequential(*parts[:-1])


IMAGE = ("image: float32[batch, 3, 32, 32]",)
STATES = ("x: float32[batch, 5, 6]", "h: float32[1, batch, 4]", "c: float32[1, batch, 4]")
WIDE = ("x: float32[batch, 64]",)

ARCHITECTURES = [
    Specimen("resnet", lambda: resnet(16, 16, 32, 64), IMAGE, CLASSES),
    Specimen("unet", UNet, ("image: float32[batch, 3, 16, 16]",)),
    Specimen("mobile", lambda: nn.Sequential(Inverted(3), Inverted(3)), ("image: float32[batch, 3, 12, 12]",)),
    Specimen("vision transformer", Patches, ("image: float32[batch, 3, 16, 16]",), CLASSES),
    Specimen("language model", Causal, ("ids: int64[batch, 12]",)),
    Specimen("tagger", Tagger, ("ids: int64[batch, 9]",)),
    Specimen("stateful lstm", Recurrence, STATES),
    Specimen("dilated gates", Temporal, ("x: float32[batch, 4, 20]",)),
    Specimen("mixture of experts", Experts, ("x: float32[batch, 8]",), CLASSES),
    Specimen("deep relu", lambda: layers(64, *[64] * 8, 10), WIDE, CLASSES),
    Specimen("wide relu", lambda: layers(64, 512, 512, 10), WIDE, CLASSES),
    Specimen("wide that ends in relu", lambda: nn.Sequential(layers(64, 400, 400), nn.ReLU()), WIDE),
    Specimen("deep tanh", lambda: layers(64, *[128] * 4, 1, activation=nn.Tanh), WIDE, REGRESSION),
    Specimen("autoencoder", lambda: layers(40, 20, 4, 20, 40, activation=nn.SiLU), ("x: float32[batch, 40]",), TENSORS),
]  # fmt: skip
