"""Images to images and to boxes: a U-Net, the head of a YOLO, a variational autoencoder."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .network import Network, settled


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Ronneberger et al. 2015, with padded convolutions; an image may have any sides from 16 on."""

    def __init__(self, classes: int = 2, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        widths = [width << level for level in range(depth + 1)]
        self.enter = _double(3, width)
        self.down = nn.ModuleList(_double(one, 2 * one) for one in widths[:-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * one, one, 2, 2) for one in reversed(widths[:-1]))
        self.merge = nn.ModuleList(_double(2 * one, one) for one in reversed(widths[:-1]))
        self.leave = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return [batch, classes, height, width] scores."""
        levels = [self.enter(image)]
        for down in self.down:
            levels.append(down(functional.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x, skip = up(x), levels.pop()
            high, wide = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
            x = functional.pad(x, [wide // 2, wide - wide // 2, high // 2, high - high // 2])
            x = merge(torch.cat([skip, x], 1))
        return self.leave(x)


def _branch(inputs: int, width: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, width):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.SiLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, outputs, 1))


class YoloHead(nn.Module):
    """The detecting head of YOLOv8n: boxes from distributions over distances, and a score for each of 80 classes."""

    def __init__(self, classes: int = 80, channels: tuple[int, ...] = (64, 128, 256), bins: int = 16) -> None:
        super().__init__()
        box_width, class_width = max(16, channels[0] // 4, 4 * bins), max(channels[0], min(classes, 100))
        self.boxes = nn.ModuleList(_branch(one, box_width, 4 * bins) for one in channels)
        self.classes = nn.ModuleList(_branch(one, class_width, classes) for one in channels)
        self.register_buffer("distances", torch.arange(float(bins)))

    def forward(self, small: Tensor, middle: Tensor, large: Tensor) -> tuple[Tensor, Tensor]:
        """Return [batch, places, 4] corners in pixels, and [batch, places, classes] scores from 0 to 1."""
        boxes, scores = [], []
        for level, x in enumerate((small, middle, large)):
            stride = 8 << level
            sides = self.boxes[level](x).flatten(2).unflatten(1, (4, -1)).softmax(2)
            left, top, right, bottom = (sides * self.distances[:, None]).sum(2).unbind(1)
            down, across = torch.meshgrid(torch.arange(x.shape[2]), torch.arange(x.shape[3]), indexing="ij")
            x_centre, y_centre = across.flatten() + 0.5, down.flatten() + 0.5
            corners = [x_centre - left, y_centre - top, x_centre + right, y_centre + bottom]
            boxes.append(torch.stack(corners, -1) * stride)
            scores.append(self.classes[level](x).flatten(2).transpose(1, 2).sigmoid())
        return torch.cat(boxes, 1), torch.cat(scores, 1)


class VAE(nn.Module):
    """A variational autoencoder of faces, 64 x 64: the encoder's mean, decoded again."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256, 512), latent: int = 128) -> None:
        super().__init__()
        down = [self._down(*pair) for pair in zip((3, *widths[:-1]), widths, strict=True)]
        self.encoder, self.side = nn.Sequential(*down), 64 >> len(widths)
        flat = widths[-1] * self.side**2
        self.mean, self.log_variance = nn.Linear(flat, latent), nn.Linear(flat, latent)
        self.enter = nn.Linear(latent, flat)
        outward = (*widths[::-1], widths[0])
        up = [self._up(*pair) for pair in pairwise(outward)]
        self.decoder = nn.Sequential(*up, nn.Conv2d(widths[0], 3, 3, padding=1), nn.Tanh())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the image again, and its [batch, latent] mean."""
        mean = self.mean(self.encoder(image).flatten(1))
        return self.decoder(self.enter(mean).unflatten(1, (-1, self.side, self.side))), mean

    @staticmethod
    def _down(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU())

    @staticmethod
    def _up(inputs: int, outputs: int) -> nn.Module:
        layer = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1)
        return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.LeakyReLU())


def yolo_head(channels: tuple[int, ...] = (64, 128, 256), classes: int = 80) -> nn.Module:
    """Return a head that has seen three maps of features."""
    maps = [torch.randn(2, one, 80 >> level, 80 >> level) for level, one in enumerate(channels)]
    return settled(YoloHead(classes, channels), *maps)


_SIDES = ({"batch": 1, "height": 48, "width": 96}, {"batch": 3, "height": 50, "width": 33})
_MAPS = (
    "small: float32[batch, 64, 80, 80]",
    "middle: float32[batch, 128, 40, 40]",
    "large: float32[batch, 256, 20, 20]",
)

NETWORKS = (
    Network(
        "unet", lambda: settled(UNet(), torch.randn(2, 3, 64, 64)), ("image: float32[batch, 3, height, width]",), 31.04,
        example={"batch": 2, "height": 64, "width": 80}, new=_SIDES,
    ),
    Network("yolo-head", yolo_head, _MAPS, 0.898),
    Network("vae", lambda: settled(VAE(), torch.randn(8, 3, 64, 64)), ("image: float32[batch, 3, 64, 64]",), 3.94),
)  # fmt: skip
