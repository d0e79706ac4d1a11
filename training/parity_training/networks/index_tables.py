"""What a network makes of an index: a row of a table, fixed or learned."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

MOST_ONE_HOT = 32
"""Categories of a column that get a number each; more are embedded, so that the network stays small."""

_LARGEST_DIMENSION = 50  # of an embedding; the rule of thumb is fast.ai's, as is the next one
_EMBEDDING_SPREAD = 0.1  # standard deviation of its first values: a rare category says little at first


def embedding_dimension(categories: int) -> int:
    """Return how many numbers a category is embedded in: ``min(50, round(1.6 * categories**0.56))``."""
    return min(_LARGEST_DIMENSION, round(1.6 * math.pow(categories, 0.56)))


class FixedTable(nn.Module):
    """A row of a table that does not learn for each index.

    Attributes:
        rows: float32 ``[indices, numbers]``.
    """

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows: Tensor
        self.register_buffer("rows", rows)

    def forward(self, indices: Tensor) -> Tensor:
        """Return float32 ``[batch, numbers]`` of ``indices``, int64 ``[batch]``."""
        return functional.embedding(indices, self.rows)


def one_hot(size: int) -> FixedTable:
    """Return the table of a category: each index, missing and unknown among them, has a number of its own."""
    return FixedTable(torch.eye(size))


def cyclic(size: int) -> FixedTable:
    """Return the table of a part of the calendar: index 0 is missing, the others are points of a circle in order."""
    angles = 2 * math.pi * torch.arange(size - 1, dtype=torch.float64) / (size - 1)
    circle = torch.stack([torch.cos(angles), torch.sin(angles)], dim=1).float()
    return FixedTable(torch.cat([torch.zeros(1, 2), circle]))


def embedding(size: int, dimension: int) -> nn.Embedding:
    """Return a table that is learned with the network."""
    table = nn.Embedding(size, dimension)
    nn.init.normal_(table.weight, std=_EMBEDDING_SPREAD)
    return table


def make_table(told: Mapping[str, Any]) -> nn.Module | None:
    """Return the table that a recipe describes; None for an index that the network does not look at.

    Args:
        told: ``{"kind": "one-hot", "size"}``, ``{"kind": "embedding", "size", "dimension"}``, ``{"kind": "cyclic",
            "size"}`` or ``{"kind": "unused", "size"}``.

    Raises:
        ValueError: it is none of these.
    """
    match told:
        case {"kind": "one-hot", "size": int(size)} if size > 0:
            return one_hot(size)
        case {"kind": "cyclic", "size": int(size)} if size > 1:
            return cyclic(size)
        case {"kind": "embedding", "size": int(size), "dimension": int(dimension)} if size > 0 and dimension > 0:
            return embedding(size, dimension)
        case {"kind": "unused", "size": int()}:
            return None
    raise ValueError(f"a table is written as {{kind, size}}, found {dict(told)}")


def table_width(told: Mapping[str, Any]) -> int:
    """Return how many numbers a table that a recipe describes has for an index."""
    widths = {"one-hot": told["size"], "cyclic": 2, "embedding": told.get("dimension"), "unused": 0}
    return int(widths[told["kind"]])
