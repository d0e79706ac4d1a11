"""An operator that torch runs, in the terms of the ONNX operator that stands for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

Operand = torch.Tensor | float


def tensors(args: Sequence[Any]) -> list[Operand]:
    """Return the tensors among an operator's arguments, in their order."""
    return [value for value in tree_leaves(list(args)) if isinstance(value, torch.Tensor)]


def tensors_and_numbers(args: Sequence[Any]) -> list[Operand]:
    """Return the tensors and numbers among an operator's arguments, in their order."""
    return [value for value in tree_leaves(list(args)) if isinstance(value, torch.Tensor | int | float)]


@dataclass(frozen=True)
class AtenOperator:
    """An ATen operator.

    Attributes:
        name: without namespace and overload: ``addmm`` of ``aten::addmm.out``.
        operands: from its positional arguments to its operands, in the order of the ONNX operator's inputs.
        fixed: arguments that make another operation of it, and the value with which they do not.
    """

    name: str
    operands: Callable[[Sequence[Any]], list[Operand]] = tensors
    fixed: Mapping[str, Any] = field(default_factory=dict)


def aten(*names: str) -> tuple[AtenOperator, ...]:
    """Return ATen operators whose operands are their tensors."""
    return tuple(AtenOperator(name) for name in names)
