"""What an operator is given, and how it says that it is not the one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


class NotThisOperatorError(Exception):
    """An operator, or some attribute of it, is not computed here."""


class UndefinedError(RuntimeError):
    """ONNX leaves open what an operator makes of such a value."""


@dataclass(frozen=True)
class Node:
    """What an operator is told beside its inputs.

    Attributes:
        attributes: by name; a tensor's as torch's.
        version: of the operator set that it is from.
        named: which of its results are named.
        double: whether every smaller float is float64.
    """

    attributes: dict[str, Any]
    version: int
    named: tuple[bool, ...] = (True,)
    double: bool = False

    @property
    def outputs(self) -> int:
        """How many results are counted, up to the last that is named."""
        return len(self.named)

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        return float(self.attributes.get(name, default))

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is an integer."""
        return int(self.attributes.get(name, default))

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def integers(self, name: str, default: list[int]) -> list[int]:
        """Return an attribute that is a list of integers."""
        return [int(one) for one in self.attributes.get(name, default)]

    def one_result(self) -> None:
        """Say no where a second result is wanted.

        Raises:
            NotThisOperatorError: more than the first result is named.
        """
        if any(self.named[1:]):
            raise NotThisOperatorError


Inputs = list[Tensor]
"""A node's inputs, those that are left out at its end not among them. In the middle one that is left out is None, which
`given` looks for; of few operators some are no tensors."""

Operator = Callable[[Inputs, Node], Any]
"""Returns the one result, or a tuple of them; raises `NotThisOperatorError` where it does not cover a case."""


def given(x: Inputs, index: int) -> Any:
    """Return an input, None where it is left out."""
    return x[index] if index < len(x) else None


def whole(tensor: Tensor) -> list[int]:
    """Return a tensor of integers as a list."""
    return [int(one) for one in tensor.reshape(-1).tolist()]


def wide_half(tensor: Tensor) -> Tensor:
    """Return floats of 16 bits as float32: their squares would be infinite from 256 on."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def per_channel(tensor: Tensor, rank: int) -> Tensor:
    """Return a number for each channel in the shape that a tensor ``[batch, channels, ...]`` takes."""
    return tensor.reshape(-1, *[1] * (rank - 2))
