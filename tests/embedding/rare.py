"""Packages with rare probabilities, and what every runtime must say of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_runtime import TensorSpec

ROWS = np.unique(
    np.concatenate([np.linspace(-87, 87, 3001), np.linspace(-20, 20, 1001), [-0.0, 1e-7, 1e-30]]).astype(np.float32)
)[:, np.newaxis]
"""Numbers that rise, float32 ``[rows, 1]``: the logit of one class, down to a probability of 1.6e-38."""

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
FEW_ULP = 4
"""Units in the last place, 2^-23 of the value; exp, sums, a quotient and a reciprocal err by 1.7 of them (measured)."""


@dataclass(frozen=True)
class Rare:
    """A linear model of one number.

    Attributes:
        slopes: of the logits; one for two classes.
        bias: of the first logit.
        directions: of each class whether its probability rises (1) or falls (-1) with the number; 0 where it does both.
    """

    slopes: tuple[float, ...]
    bias: float
    directions: tuple[int, ...]


CASES = {
    "binary": Rare((1.0,), 0.0, (-1, 1)),
    "three": Rare((1.0, 0.0, -1.0), 0.0, (1, 0, -1)),
    "skew": Rare((1.0, 0.3, -0.7), 0.1, (0, 0, 0)),  # whose logits are rounded themselves, and their differences
}


def make_package(folder: Path, name: str) -> Path:
    """Export one of `CASES`, with its certified graph."""
    case = CASES[name]
    linear = nn.Linear(1, len(case.slopes))
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(case.slopes)[:, None])
        linear.bias.copy_(torch.tensor([case.bias] + [0.0] * (len(case.slopes) - 1)))
    task, classes = ("binary", ("no", "yes")) if len(case.slopes) == 1 else ("multiclass", ("a", "b", "c"))
    source = source_from_module(
        linear.eval(), [TensorSpec.parse("z: float32[batch, 1]")],
        OutputSpec(task, "logits", classes, features=("z",)), name,
    )  # fmt: skip
    return export_package(source, folder / name, ExportOptions(certified=True, plots=False, effort="quick")).path


def check_probabilities(name: str, logits: NDArray[np.float32], probabilities: NDArray[np.float32]) -> None:
    """Check what a runtime answered to `ROWS`.

    The exact probabilities are those of the logits that it answered, in float64. Beside a few units in the last place
    each may have the relative error that the rounded difference of two logits explains.

    Args:
        name: one of `CASES`.
        logits: ``[rows, logits]``.
        probabilities: ``[rows, classes]``.
    """
    wide = logits.astype(np.float64)
    wide = np.hstack([np.zeros_like(wide), wide]) if wide.shape[1] == 1 else wide
    below = wide - wide.max(axis=1, keepdims=True)
    exact = np.exp(below) / np.exp(below).sum(axis=1, keepdims=True)
    rounded = np.abs(below - below.astype(np.float32)).max(axis=1, keepdims=True)
    normal = exact >= SMALLEST_NORMAL
    assert normal.all(axis=0).any() and exact[normal].min() < 1e-37
    error = np.abs(probabilities - exact) / exact
    assert (error <= FEW_ULP * 2**-23 + rounded)[normal].all(), error[normal].max()
    assert (probabilities[~normal] <= SMALLEST_NORMAL * (1 + 1e-6)).all()
    for steps, direction in zip(np.diff(probabilities, axis=0).T, CASES[name].directions, strict=True):
        assert not (steps * direction < 0).any()
