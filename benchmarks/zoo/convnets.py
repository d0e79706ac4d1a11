"""Convolutional classifiers, as torchvision has them: ResNet, MobileNetV3, EfficientNet, ConvNeXt."""

import torch
from torch import Tensor, nn

from parity_export import OutputSpec

from .network import Network, settled

CLASSES = 1000
IMAGE = ("image: float32[batch, 3, 224, 224]",)
LABELS = OutputSpec("multiclass", "logits")


def _normed(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(outputs)]


class _ResidualBlock(nn.Module):
    """Two convolutions of 3x3, or a bottleneck of three; ``width`` channels inside."""

    def __init__(self, inputs: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        outputs = width * 4 if bottleneck else width
        if bottleneck:
            layers = [*_normed(inputs, width, 1), nn.ReLU(), *_normed(width, width, 3, stride), nn.ReLU()]
            self.body = nn.Sequential(*layers, *_normed(width, outputs, 1))
        else:
            self.body = nn.Sequential(*_normed(inputs, width, 3, stride), nn.ReLU(), *_normed(width, outputs, 3))
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else nn.Sequential(*_normed(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))


class ResNet(nn.Module):
    """He et al. 2015, with the stride in a bottleneck's 3x3 convolution."""

    def __init__(self, depths: tuple[int, ...], width: int = 64, *, bottleneck: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_normed(3, width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        blocks, channels = [], width
        for stage, depth in enumerate(depths):
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(_ResidualBlock(channels, width << stage, stride, bottleneck=bottleneck))
                channels = (width << stage) * (4 if bottleneck else 1)
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(channels, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """Return [batch, 1000] logits."""
        return self.head(self.blocks(self.stem(image)).mean((2, 3)))


class _SqueezeExcite(nn.Module):
    def __init__(self, channels: int, squeezed: int, gates: tuple[nn.Module, nn.Module]) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.activation, self.gate = gates

    def forward(self, x: Tensor) -> Tensor:
        squeezed = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.up(self.activation(self.down(squeezed))))


class _InvertedResidual(nn.Module):
    """Expand, convolve each channel, squeeze-excite, project; the input is added where the shapes agree."""

    def __init__(self, channels: tuple[int, int, int], size: int, stride: int, excite: nn.Module | None,
                 activation: nn.Module) -> None:  # fmt: skip
        super().__init__()
        inputs, width, outputs = channels
        expand = [*_normed(inputs, width, 1), activation] if width != inputs else []
        depthwise = [*_normed(width, width, size, stride, groups=width), activation]
        layers = [*expand, *depthwise, *([excite] if excite else []), *_normed(width, outputs, 1)]
        self.body, self.add = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.add else self.body(x)


_MOBILENET = (  # size, width, outputs, squeeze-excite, hard swish, stride
    (3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2), (5, 120, 40, 1, 0, 1),
    (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1),
    (3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1),
    (5, 960, 160, 1, 1, 1),
)  # fmt: skip


def mobilenet() -> nn.Module:
    """Return MobileNetV3-Large (Howard et al. 2019)."""
    layers, channels = [*_normed(3, 16, 3, 2), nn.Hardswish()], 16
    for size, width, outputs, excited, hard, stride in _MOBILENET:
        squeezed = max(8, int(width / 4 + 4) // 8 * 8)
        excite = _SqueezeExcite(width, squeezed, (nn.ReLU(), nn.Hardsigmoid())) if excited else None
        activation = nn.Hardswish() if hard else nn.ReLU()
        layers.append(_InvertedResidual((channels, width, outputs), size, stride, excite, activation))
        channels = outputs
    layers += [*_normed(160, 960, 1), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(960, 1280), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1280, CLASSES))


_EFFICIENTNET = (  # expansion, size, stride, outputs, repeats
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)  # fmt: skip


def efficientnet() -> nn.Module:
    """Return EfficientNet-B0 (Tan and Le 2019)."""
    layers, channels = [*_normed(3, 32, 3, 2), nn.SiLU()], 32
    for expansion, size, stride, outputs, repeats in _EFFICIENTNET:
        for index in range(repeats):
            width = channels * expansion
            excite = _SqueezeExcite(width, channels // 4, (nn.SiLU(), nn.Sigmoid()))
            block = (channels, width, outputs), size, 1 if index else stride, excite, nn.SiLU()
            layers.append(_InvertedResidual(*block))
            channels = outputs
    layers += [*_normed(320, 1280, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(1280, CLASSES))


class _ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of an image."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width, 1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.scale = nn.Parameter(
            torch.full((width,), 0.5)
        )  # begins at 1e-6, where a block does nothing; this is trained

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mlp(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))
        return x + (self.scale * mixed).permute(0, 3, 1, 2)


def convnext(depths: tuple[int, ...] = (3, 3, 9, 3), width: int = 96) -> nn.Module:
    """Return ConvNeXt-T (Liu et al. 2022)."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 4), _ChannelNorm(width, 1e-6)]
    for stage, depth in enumerate(depths):
        if stage:
            layers += [_ChannelNorm(width, 1e-6), nn.Conv2d(width, 2 * width, 2, 2)]
            width *= 2
        layers += [_ConvNeXtBlock(width) for _ in range(depth)]
    head = nn.AdaptiveAvgPool2d(1), _ChannelNorm(width, 1e-6), nn.Flatten(), nn.Linear(width, CLASSES)
    return nn.Sequential(*layers, *head)


def _settled(module: nn.Module, side: int = 224) -> nn.Module:
    return settled(module, torch.randn(4, 3, side, side))


NETWORKS = (
    Network("resnet-18", lambda: _settled(ResNet((2, 2, 2, 2))), IMAGE, 11.69, LABELS),
    Network("resnet-50", lambda: _settled(ResNet((3, 4, 6, 3), bottleneck=True)), IMAGE, 25.56, LABELS),
    Network("mobilenet-v3", lambda: _settled(mobilenet()), ("input: float32[batch, 3, 224, 224]",), 5.483, LABELS),
    Network(
        "efficientnet-b0", lambda: _settled(efficientnet()), ("input: float32[batch, 3, 224, 224]",), 5.289, LABELS
    ),
    Network("convnext-t", convnext, ("input: float32[batch, 3, 224, 224]",), 28.59, LABELS),
)
