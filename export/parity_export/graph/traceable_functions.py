"""Functions of torch that torch.export cannot read, or exports wrongly, in a form that it can: they answer the same.

They stand in while a module is captured; the gate compares the graph with the module as it is.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules import transformer

_cdist, _embedding_bag = torch.cdist, functional.embedding_bag
_OPTIONS = (
    "max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse", "per_sample_weights", "include_last_offset",
    "padding_idx",
)  # fmt: skip


@contextlib.contextmanager
def traceable_functions() -> Iterator[None]:
    """Exchange the functions for as long as the context lasts."""
    exchanged: list[tuple[Any, str, Any]] = [
        (transformer, "_detect_is_causal_mask", _said_to_be_causal),
        (functional, "embedding_bag", _embedding_bag_of_rows),
        (torch, "cdist", _cdist_of_any_size),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in exchanged]
    try:
        for owner, name, function in exchanged:
            setattr(owner, name, function)
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _said_to_be_causal(_mask: Tensor | None, is_causal: bool | None = None, _size: int | None = None) -> bool:
    """Return whether the caller says that a mask is causal.

    nn.TransformerEncoder looks into a mask of which nobody says so, which a graph cannot; it is applied in any case.
    """
    return is_causal is True


_FEW = 25  # points on both sides, whose distances torch.cdist computes one by one; of more it multiplies matrices


def _cdist_of_any_size(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """Return the distances between all points, by one formula for any number of them: torch decides by the number.

    Where the decision is open, the more exact formula is taken.
    """
    counts = (x1.shape[-2], x2.shape[-2])
    if compute_mode == "use_mm_for_euclid_dist_if_necessary" and any(isinstance(n, torch.SymInt) for n in counts):
        many = any(isinstance(n, int) and n > _FEW for n in counts)
        compute_mode = "use_mm_for_euclid_dist" if many else "donot_use_mm_for_euclid_dist"
    return _cdist(x1, x2, p=p, compute_mode=compute_mode)


def _embedding_bag_of_rows(
    input: Tensor,  # noqa: A002 -- torch's own name
    weight: Tensor,
    offsets: Tensor | None = None,
    *options: Any,
    **named: Any,
) -> Tensor:
    """Return what each row of indices, ``[batch, count]``, is reduced to; bags of other forms are left to torch.

    torch.onnx (2.13) writes embedding_bag as a loop that neither ONNX's checker nor onnxruntime takes.
    """
    given = dict(zip(_OPTIONS, options, strict=False)) | named
    if input.dim() != 2 or given.get("max_norm") is not None:
        return _embedding_bag(input, weight, offsets, *options, **named)
    rows, padding = functional.embedding(input, weight), given.get("padding_idx")
    kept = torch.ones_like(input, dtype=torch.bool) if padding is None else input != padding % weight.shape[0]
    return _reduced(rows, kept[:, :, None], given.get("mode", "mean"), given.get("per_sample_weights"))


def _reduced(rows: Tensor, kept: Tensor, mode: str, weights: Tensor | None) -> Tensor:
    """Return the sum, the mean or the maximum of the kept rows, ``[batch, width]``; 0 where none is kept."""
    if mode == "max":
        largest = rows.masked_fill(~kept, -torch.inf).amax(1)
        return torch.where(kept.any(1), largest, torch.zeros_like(largest))
    weighted = rows if weights is None else rows * weights[:, :, None]
    total = torch.where(kept, weighted, torch.zeros_like(weighted)).sum(1)
    return total / kept.sum(1).clamp(min=1) if mode == "mean" else total
