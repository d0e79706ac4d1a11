"""Some of the rows that a network is evaluated on, and what it says of them and of changed ones."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from parity_runtime import Feature
from parity_training.data.encode_columns import CALENDAR_SIZES
from parity_training.data.problem import Problem
from parity_training.diagnostics.row_losses import Truth
from parity_training.fitting.evaluation import in_pieces, inputs_of, outputs_of

SEED = 0
"""Of the rows that are taken, and of every permutation of them."""


@dataclass(frozen=True)
class SampledRows:
    """Rows with their truth, and the network that takes them.

    Attributes:
        problem: whose rows they are.
        model: the network, on the CPU.
        inputs: what it takes: float32 ``[rows, numbers]``, and indices ``[rows, columns]`` where there are any.
        truth: of these rows.
    """

    problem: Problem
    model: nn.Module
    inputs: tuple[Tensor, ...]
    truth: Truth

    @classmethod
    def of(cls, problem: Problem, model: nn.Module, part: str, truth: Truth, most: int) -> Self:
        """Take at most ``most`` rows of a part; ``truth`` is that of all of its rows."""
        count = len(truth)
        if count <= most:
            chosen = np.arange(count)
        else:
            chosen = np.sort(np.random.default_rng(SEED).choice(count, most, replace=False))
        return cls(problem, model, _read(problem, part, chosen), truth[chosen])

    def __len__(self) -> int:
        return len(self.truth)

    def first(self, most: int) -> Self:
        """Return at most ``most`` of the rows, evenly spread."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64))
        inputs = tuple(tensor[torch.from_numpy(chosen)] for tensor in self.inputs)
        return type(self)(self.problem, self.model, inputs, self.truth[chosen])

    def predicted(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return what the network gives for inputs of the shape of these rows, float32 ``[rows, outputs]``."""
        return outputs_of(self.model, in_pieces(inputs))

    @property
    def cost_of_a_row(self) -> int:
        """About how many multiplications the network needs for a row: the numbers that it has learned."""
        return max(sum(parameter.numel() for parameter in self.model.parameters()), self.problem.width, 1)

    def columns_of(self, feature: Feature) -> tuple[list[int], ...]:
        """Return where a feature stands: the columns of each of `inputs`; a date has its year and its calendar."""
        texts, numbers = self._kinds
        if feature.is_text:
            return [], [feature.index]
        if feature.kind == "datetime":
            first = texts + len(CALENDAR_SIZES) * feature.index
            return [numbers + feature.index], [*range(first, first + len(CALENDAR_SIZES))]
        return [feature.index], []

    @cached_property
    def _kinds(self) -> tuple[int, int]:
        """How many features are texts, and how many are numbers."""
        features = self.problem.contract.features
        texts = sum(one.is_text for one in features)
        return texts, sum(not one.is_text and one.kind != "datetime" for one in features)


def _read(problem: Problem, part: str, chosen: NDArray[np.int64]) -> tuple[Tensor, ...]:
    """Return the inputs of some rows of a part, which are given in ascending order."""
    found: list[list[Tensor]] = []
    first = 0
    for inputs in inputs_of(problem, part):
        end = first + len(inputs[0])
        here = torch.from_numpy(chosen[(chosen >= first) & (chosen < end)] - first)
        found.append([tensor[here] for tensor in inputs])
        first = end
    columns: list[Any] = list(zip(*found, strict=True))
    return tuple(torch.cat(pieces) for pieces in columns)
