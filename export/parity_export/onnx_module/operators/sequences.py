"""Sequences, which are lists, and optional values."""

from typing import Any

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given, whole


def _insert(x: Inputs, node: Node) -> list[Any]:
    place = len(x[0]) if given(x, 2) is None else int(x[2])
    place = place + len(x[0]) if place < 0 else place
    return [*x[0][:place], x[1], *x[0][place:]]


def _erase(x: Inputs, node: Node) -> list[Any]:
    place = (-1 if given(x, 1) is None else int(x[1])) % len(x[0])
    return [*x[0][:place], *x[0][place + 1 :]]


def _at(x: Inputs, node: Node) -> Any:
    return x[0][int(x[1])]


def _split(x: Inputs, node: Node) -> list[Tensor]:
    axis, keeps, parts = node.integer("axis", 0), node.integer("keepdims", 1), given(x, 1)
    size: Any = 1 if parts is None else int(parts) if parts.ndim == 0 else whole(parts)
    found = list(torch.split(x[0], size, axis))
    return found if keeps or parts is not None else [one.squeeze(axis) for one in found]


def _concat(x: Inputs, node: Node) -> Tensor:
    parts, axis = list(x[0]), node.integer("axis", 0)
    return torch.stack(parts, axis) if node.integer("new_axis", 0) else torch.cat(parts, axis)


def _element(x: Inputs, node: Node) -> Any:
    if not x:
        raise NotThisOperatorError
    return x[0]


OPERATORS: dict[str, Operator] = {
    "SequenceEmpty": lambda x, node: [],
    "SequenceConstruct": lambda x, node: list(x),
    "SequenceInsert": _insert,
    "SequenceErase": _erase,
    "SequenceAt": _at,
    "SequenceLength": lambda x, node: torch.tensor(len(x[0])),
    "SplitToSequence": _split,
    "ConcatFromSequence": _concat,
    "Optional": _element,
    "OptionalGetElement": _element,
    "OptionalHasElement": lambda x, node: torch.tensor(bool(x) and x[0] is not None),
}
