"""What a network of the zoo is: a module, what a user would write of its inputs, and how to draw honest ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from parity_export import OutputSpec
from parity_runtime import TensorSpec

Sizes = Mapping[str, int]
Draw = Callable[[np.random.Generator, tuple[int, ...], Sizes], NDArray[Any]]
SEED = 20
TENSORS = OutputSpec()
_SETTLING_PASSES = 2


@dataclass(frozen=True)
class Network:
    """A network as people have it.

    Attributes:
        name: as it is asked for.
        make: makes the module, from seeded weights.
        inputs: the specs that a user writes, by the names of ``forward``'s parameters.
        millions: parameters as published, in 10^6, which the module has within 5 %; of a network without a published
            size, its own.
        output_spec: what the outputs mean.
        example: sizes of the dynamic dimensions for a bare torch.onnx.export.
        new: sizes at which the exported graph is asked again; none of them is an example's.
        draws: how an input's values are drawn, where they are not normal deviates.
    """

    name: str
    make: Callable[[], nn.Module]
    inputs: tuple[str, ...]
    millions: float
    output_spec: OutputSpec = TENSORS
    example: Sizes = field(default_factory=lambda: {"batch": 2})
    new: tuple[Sizes, ...] = ({"batch": 3}, {"batch": 1})
    draws: Mapping[str, Draw] = field(default_factory=dict)

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The specs, read."""
        return tuple(TensorSpec.parse(text) for text in self.inputs)

    def build(self) -> nn.Module:
        """Return the module in eval mode; the same weights every time."""
        torch.manual_seed(SEED)
        return self.make().eval()

    def draw(self, sizes: Sizes, seed: int = 0) -> dict[str, NDArray[Any]]:
        """Return inputs as users send them, by name.

        Args:
            sizes: of the dynamic dimensions.
            seed: other values for other seeds.
        """
        random, found = np.random.default_rng(seed), {}
        for spec in self.specs:
            shape = tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
            drawn = self.draws.get(spec.name, normal)(random, shape, sizes)
            found[spec.name] = drawn.astype(spec.numpy_dtype)
        return found


def normal(random: np.random.Generator, shape: tuple[int, ...], _: Sizes) -> NDArray[Any]:
    """Return normal deviates."""
    return random.standard_normal(shape)


def below(*counts: int) -> Draw:
    """Return what draws integers from 0 to below a count: one for all, or one for each column."""
    return lambda random, shape, _: random.integers(0, counts, shape)


def below_dimension(name: str) -> Draw:
    """Return what draws indices into a dynamic dimension."""
    return lambda random, shape, sizes: random.integers(0, sizes[name], shape)


def prefix_mask(random: np.random.Generator, shape: tuple[int, ...], _: Sizes) -> NDArray[Any]:
    """Return a mask [batch, time] of a text's tokens: ones, then zeros; the first row is full, no row is empty."""
    batch, time = shape
    lengths = random.integers(1, time + 1, batch)
    lengths[0] = time
    return np.arange(time) < lengths[:, None]


def settled(module: nn.Module, *inputs: torch.Tensor) -> nn.Module:
    """Return a module whose batch normalizations have seen data: its activations are of order one, as after training.

    Args:
        module: with fresh weights.
        inputs: a batch of honest inputs.
    """
    norms = [one for one in module.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the mean over the passes
    with torch.no_grad():
        for _ in range(_SETTLING_PASSES):
            module.train()(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return module
