"""Operators of detectors: which boxes are kept, and what a grid samples."""

import torch
from torch import Tensor
from torch.nn import functional

from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator, given


def _corners(boxes: Tensor, centred: int) -> tuple[Tensor, Tensor]:
    """Return the low and the high corners of boxes, ``[boxes, 2]`` each."""
    if centred:
        middle, half = boxes[:, :2], boxes[:, 2:] / 2
        return middle - half, middle + half
    return torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])


def _overlaps(low: Tensor, high: Tensor, index: int) -> Tensor:
    """Return the share of the union that each box has in common with one."""
    sides = (torch.minimum(high, high[index]) - torch.maximum(low, low[index])).clamp(min=0)
    common = sides.prod(1)
    areas = (high - low).prod(1)
    return torch.where(common > 0, common / (areas + areas[index] - common), torch.zeros_like(common))


def _chosen(boxes: Tensor, scores: Tensor, most: int, limits: tuple[float, float | None], centred: int) -> list[int]:
    """Return the boxes of one class that are kept, the best first; of equal ones the first."""
    overlap, lowest = limits
    low, high = _corners(boxes, centred)
    left = torch.ones(len(boxes), dtype=torch.bool) if lowest is None else scores > lowest
    kept: list[int] = []
    for index in torch.sort(scores, descending=True, stable=True).indices.tolist():
        if len(kept) == most:
            break
        if bool(left[index]):
            kept.append(index)
            left = left & ~(_overlaps(low, high, index) > overlap)
    return kept


def _non_max_suppression(x: Inputs, node: Node) -> Tensor:
    boxes, scores = x[:2]
    most = 0 if given(x, 2) is None else int(x[2])
    limits = (0.0 if given(x, 3) is None else float(x[3]), None if given(x, 4) is None else float(x[4]))
    found = [
        [batch, kind, box]
        for batch in range(len(scores))
        for kind in range(scores.shape[1])
        for box in _chosen(boxes[batch], scores[batch, kind], most, limits, node.integer("center_point_box", 0))
    ]
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 3)


_MODES = {"linear": "bilinear", "bilinear": "bilinear", "nearest": "nearest", "cubic": "bicubic", "bicubic": "bicubic"}


def _grid_sample(x: Inputs, node: Node) -> Tensor:
    mode = _MODES.get(node.text("mode", "linear"))
    if mode is None:
        raise NotThisOperatorError
    padding, aligned = node.text("padding_mode", "zeros"), bool(node.integer("align_corners", 0))
    return functional.grid_sample(x[0], x[1], mode, padding, aligned)


OPERATORS: dict[str, Operator] = {"NonMaxSuppression": _non_max_suppression, "GridSample": _grid_sample}
