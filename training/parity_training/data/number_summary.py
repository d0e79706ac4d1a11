"""What the numbers of a target are, in one pass: whether they can be classes, and whether float32 tells them apart."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from parity_runtime.evaluation.running_stats import RunningStats

MOST_DISTINCT = 100_000
"""Different numbers that are told apart; a target of more is no list of classes."""


@dataclass
class NumberSummary:
    """What the numbers of a target are.

    Attributes:
        rows: how many there are, NaN left out.
        missing: how many are NaN.
        distinct: the different ones, ascending, float64; None of more than `MOST_DISTINCT`.
        whole: whether all are integers.
        largest: the largest magnitude.
        finite: whether none is infinite.
        rounding: the largest distance to a float32.
    """

    rows: int = 0
    missing: int = 0
    distinct: NDArray[np.float64] | None = field(default_factory=lambda: np.zeros(0))
    whole: bool = True
    largest: float = 0.0
    finite: bool = True
    rounding: float = 0.0
    _stats: RunningStats = field(default_factory=lambda: RunningStats(1), repr=False)

    @classmethod
    def of(cls, pieces: Iterable[NDArray[np.float64]]) -> "NumberSummary":
        """Return the summary of numbers that come piece by piece."""
        found = cls()
        for piece in pieces:
            found.update(piece)
        return found

    def update(self, numbers: NDArray[np.float64]) -> None:
        """Take numbers, float64 ``[rows]``; NaN is missing."""
        known = numbers[~np.isnan(numbers)]
        self.missing += len(numbers) - len(known)
        if not len(known):
            return
        self.rows += len(known)
        self._add_distinct(known)
        self.whole = self.whole and bool((known == np.round(known)).all())
        self.largest = max(self.largest, float(np.abs(known).max()))
        self.finite = self.finite and bool(np.isfinite(known).all())
        with np.errstate(over="ignore", invalid="ignore"):
            self.rounding = max(self.rounding, float(np.abs(known.astype(np.float32) - known).max()))
            self._stats.update(known[:, None])

    def _add_distinct(self, known: NDArray[np.float64]) -> None:
        if self.distinct is not None:
            met = np.union1d(self.distinct, known)
            self.distinct = None if len(met) > MOST_DISTINCT else met

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return float(self._stats.deviation[0])

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self._stats.mean[0])

    @property
    def num_distinct(self) -> float:
        """How many different ones there are; infinity for too many to be counted."""
        return np.inf if self.distinct is None else len(self.distinct)
