"""What the targets of the training rows are: what a prediction that knows nothing else would say."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import Feature
from parity_runtime.drift.column_counts import ColumnCounts, decile_edges
from parity_runtime.drift.target_profile import TargetProfile
from parity_runtime.evaluation.exact_sum import ExactSum
from parity_runtime.objective import quantile_level
from parity_training.data.problem import Problem

ROWS_AT_ONCE = 2**16
"""So that what is counted on the way is small beside the rows."""

_MEDIAN = 0.5


def training_targets(problem: Problem, objective: str | None = None) -> tuple[TargetProfile, ...]:
    """Return what is known of each target of the rows that are trained on, in one pass over them.

    Args:
        problem: the rows.
        objective: what is predicted, as `parity_runtime.objective` has it: a quantile's is found beside the median.
    """
    contract = problem.contract
    if contract.is_classifier:
        return (TargetProfile(contract.targets[0], problem.class_counts()),)
    level = quantile_level(objective)
    levels = {_MEDIAN} if level is None else {_MEDIAN, level}
    found = [
        _Values.from_sample(name, sample, sorted(levels))
        for name, sample in zip(contract.targets, columns_of(problem.target_sample()), strict=True)
    ]
    for *_, target in problem.pieces("train", ROWS_AT_ONCE):
        for one, column in zip(found, columns_of(target.numpy()), strict=True):
            one.update(column)
    return tuple(one.profile() for one in found)


def columns_of(targets: NDArray[Any]) -> NDArray[Any]:
    """Return targets ``[rows]`` or ``[rows, targets]`` column by column, ``[targets, rows]``."""
    return targets.reshape(len(targets), -1).T


@dataclass
class _Values:
    counts: ColumnCounts
    quantiles: dict[float, float]
    low: float = np.inf
    high: float = -np.inf
    total: ExactSum = field(default_factory=ExactSum)

    @classmethod
    def from_sample(cls, name: str, sample: NDArray[Any], levels: list[float]) -> "_Values":
        quantiles = {level: float(np.quantile(sample, level, method="inverted_cdf")) for level in levels}
        return cls(ColumnCounts.empty(Feature(name, "target", 0), decile_edges(sample)), quantiles)

    def update(self, column: NDArray[Any]) -> None:
        self.counts.update(column)
        self.total.update(column)
        self.low, self.high = min(self.low, float(column.min())), max(self.high, float(column.max()))

    def profile(self) -> TargetProfile:
        name = self.counts.feature.name
        values = ColumnCounts(
            Feature(name, "target", 0, low=self.low, high=self.high), self.counts.edges, self.counts.bins
        )
        return TargetProfile(name, None, values, float(self.total.exact()[0] / values.cells), self.quantiles)
