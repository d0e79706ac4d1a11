"""Mean and variance of columns whose rows come in parts, in one pass and constant memory."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class RunningStats:
    """How many cells columns have, their mean and their spread (Chan, Golub and LeVeque, 1979); NaN is left out.

    Those of parts merge in any order, to the same figures but for rounding.

    Args:
        columns: how many there are.

    Attributes:
        count: cells that are no NaN, float64 ``[columns]``.
        mean: of them, float64 ``[columns]``, in the columns' own units; 0 where there is none.
        squares: the sum of their squared deviations from it, float64 ``[columns]``.
    """

    def __init__(self, columns: int) -> None:
        self.count, self.mean, self.squares = np.zeros(columns), np.zeros(columns), np.zeros(columns)

    def update(self, rows: NDArray[np.float64]) -> None:
        """Take rows, float64 ``[rows, columns]``."""
        known = ~np.isnan(rows)
        count = known.sum(axis=0)
        mean = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(count, 1)
        self._add(count, mean, (np.where(known, rows - mean, 0.0) ** 2).sum(axis=0))

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""
        self._add(other.count, other.mean, other.squares)

    def _add(self, count: NDArray[Any], mean: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        total = np.maximum(self.count + count, 1)
        apart = mean - self.mean
        self.squares += squares
        self.squares += apart**2 * self.count * count / total
        self.mean += apart * count / total
        self.count += count

    @property
    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation over all cells (not over one fewer), float64 ``[columns]``; 0 without a cell."""
        deviation: NDArray[np.float64] = np.sqrt(self.squares / np.maximum(self.count, 1))
        return deviation
