"""Small networks of many shapes, trained for a few seconds, whose error bounds are compared."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor, nn
from torch.nn import functional

_EPOCHS, _BATCH, _TRAINED = 40, 64, 0.8


class Block(nn.Module):
    """A residual block: x and two linear maps of it, a ReLU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[batch, width]`` of as much."""
        inner: Tensor = self.second(torch.relu(self.first(x)))
        return x + inner


def _chain(*widths: int, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def _residual(blocks: int) -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64), *[Block(64) for _ in range(blocks)], nn.ReLU(), nn.Linear(64, 10))


def _convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


class Transformer(nn.Module):
    """Layers of attention over the 16 rows of 4 numbers that an image of 8 x 8 has, each seeing those before it."""

    def __init__(self, layers: int, width: int = 64) -> None:
        super().__init__()
        self.embed, self.places = nn.Linear(4, width), nn.Parameter(torch.randn(16, width) * 0.1)
        self.layers = nn.ModuleList([Attending(width) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits ``[batch, 10]`` of ``[batch, 64]``."""
        x = self.embed(features.unflatten(1, (16, 4))) + self.places  # [batch, 16, width]
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.head(self.norm(x).mean(1))
        return logits


class Attending(nn.Module):
    """Causal attention of 4 heads, and two linear maps with a Gelu; each is normalized before, and added to x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[batch, time, width]`` of as much."""
        q, k, v = self.mixed(self.first(x)).unflatten(2, (3, 4, -1)).permute(2, 0, 3, 1, 4)  # [batch, heads, time, -1]
        heard = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heard.transpose(1, 2).flatten(2))
        inner: Tensor = self.narrow(functional.gelu(self.wide(self.second(x))))
        return x + inner


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "digits, 3 residual blocks of 64": lambda: _residual(3),
    "digits, 6 residual blocks of 64": lambda: _residual(6),
    "digits, 64-64x8-10 ReLU": lambda: _chain(*[64] * 9, 10),
    "digits, 64-512-512-10 ReLU": lambda: _chain(64, 512, 512, 10),
    "digits, three convolutions": _convolutions,
    "digits, 1 causal transformer layer, 64 x 16": lambda: Transformer(1),
    "digits, 2 causal transformer layers, 64 x 16": lambda: Transformer(2),
    "breast cancer, 30-128x3-1 tanh": lambda: _chain(30, 128, 128, 128, 1, activation=nn.Tanh),
}
"""By the data that it is trained on, and its layers."""


def trained(name: str) -> tuple[nn.Module, NDArray[np.float32]]:
    """Return one of `NETWORKS`, trained, and the rows that it was not trained on."""
    torch.manual_seed(0)
    module = NETWORKS[name]()
    data = load_digits() if name.startswith("digits") else load_breast_cancer()
    features = ((data.data - data.data.mean(axis=0)) / (data.data.std(axis=0) + 1e-6)).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(features))
    count = int(_TRAINED * len(order))
    rows, targets = torch.from_numpy(features[order]), torch.from_numpy(data.target[order])
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(_EPOCHS):
        for batch in torch.randperm(count).split(_BATCH):
            optimizer.zero_grad()
            _loss(module(rows[batch]), targets[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return module.eval(), features[order][count:]


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    if logits.shape[1] > 1:
        return functional.cross_entropy(logits, targets)
    return functional.binary_cross_entropy_with_logits(logits[:, 0], targets.float())
