"""A transformer over windows of an image: Swin."""

import torch
from torch import Tensor, nn

from .convnets import CLASSES, IMAGE, LABELS
from .network import Network

WINDOW = 7


class _WindowAttention(nn.Module):
    """Attention among the 7 x 7 patches of a window, with a bias by relative position."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        row, column = (
            axis.flatten() for axis in torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
        )
        down, right = (axis[:, None] - axis + WINDOW - 1 for axis in (row, column))
        self.register_buffer("position", (down * (2 * WINDOW - 1) + right).flatten())

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        windows, patches, width = x.shape
        q, k, v = self.qkv(x).view(windows, patches, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)
        scores = scores + self.bias[self.position].view(patches, patches, -1).permute(2, 0, 1)
        if mask is not None:
            scores = scores.view(-1, len(mask), self.heads, patches, patches) + mask[:, None]
            scores = scores.view(-1, self.heads, patches, patches)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(windows, patches, width))


class _SwinBlock(nn.Module):
    """Attention in windows, shifted by half a window in every second block, then an MLP."""

    def __init__(self, width: int, heads: int, side: int, shift: int) -> None:
        super().__init__()
        self.side, self.shift = side, shift if side > WINDOW else 0
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _WindowAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.register_buffer("mask", _shift_mask(side, self.shift) if self.shift else None)

    def forward(self, x: Tensor) -> Tensor:
        count, width = self.side // WINDOW, x.shape[-1]
        rolled = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        windows = rolled.view(-1, count, WINDOW, count, WINDOW, width).transpose(2, 3)
        mixed = self.attention(windows.reshape(-1, WINDOW * WINDOW, width), self.mask)
        mixed = mixed.view(-1, count, count, WINDOW, WINDOW, width).transpose(2, 3)
        x = x + torch.roll(mixed.reshape(-1, self.side, self.side, width), (self.shift, self.shift), (1, 2))
        return x + self.mlp(self.norm2(x))


def _shift_mask(side: int, shift: int) -> Tensor:
    """Return [windows, 49, 49]: -100 between patches that are neighbours only since the image was rolled."""
    band = torch.bucketize(torch.arange(side), torch.tensor([side - WINDOW, side - shift]), right=True)
    region = (3 * band[:, None] + band).view(side // WINDOW, WINDOW, side // WINDOW, WINDOW)
    region = region.transpose(1, 2).reshape(-1, WINDOW * WINDOW)
    return torch.where(region[:, None] == region[:, :, None], 0.0, -100.0)


class _PatchMerging(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, -1)))


class Swin(nn.Module):
    """Swin-T (Liu et al. 2021) for images whose side is 224."""

    def __init__(self, depths: tuple[int, ...] = (2, 2, 6, 2), width: int = 96, side: int = 56) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, width, 4, 4), nn.LayerNorm(width)
        stages: list[nn.Module] = []
        for stage, depth in enumerate(depths):
            if stage:
                stages.append(_PatchMerging(width))
                width, side = 2 * width, side // 2
            stages += [_SwinBlock(width, width // 32, side, index % 2 * (WINDOW // 2)) for index in range(depth)]
        self.stages, self.last, self.head = nn.Sequential(*stages), nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """Return [batch, 1000] logits."""
        x = self.norm(self.patches(image).permute(0, 2, 3, 1))
        return self.head(self.last(self.stages(x)).mean((1, 2)))


NETWORKS = (Network("swin-t", Swin, IMAGE, 28.29, LABELS),)
