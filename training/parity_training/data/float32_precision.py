"""How far the numbers of columns are spread, and whether float32 can tell them apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_training.data.option_hint import option_hint

# A column whose float32 values step by more than this part of its deviation loses what it tells rows apart by.
COARSEST_STEP = 1e-3


class ColumnSpread:
    """Extremes and moments of columns, chunk by chunk (Chan, Golub and LeVeque, 1979)."""

    def __init__(self) -> None:
        self.count: NDArray[np.float64] | float = 0.0
        self.mean: NDArray[np.float64] | float = 0.0
        self.squares: NDArray[np.float64] | float = 0.0
        self.largest: NDArray[np.float64] | float = 0.0

    def add(self, matrix: NDArray[np.float64]) -> None:
        """Take rows, float64 ``[rows, columns]``; NaN where a cell is missing."""
        with np.errstate(over="ignore", invalid="ignore"):  # `check` names the column
            self._add(matrix)

    def _add(self, matrix: NDArray[np.float64]) -> None:
        known = ~np.isnan(matrix)
        count = known.sum(axis=0)
        filled = np.where(known, matrix, 0.0)
        mean = filled.sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(known, matrix - mean, 0.0) ** 2).sum(axis=0)
        total = self.count + count
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * self.count * count / np.maximum(total, 1)
        self.mean = self.mean + apart * count / np.maximum(total, 1)
        self.count = total
        self.largest = np.maximum(self.largest, np.abs(filled).max(axis=0, initial=0.0))

    def known(self, column: int) -> int:
        """Return how many cells of a column are numbers."""
        return int(np.atleast_1d(self.count)[column]) if np.ndim(self.count) else 0

    def check(self, where: str, names: Sequence[str]) -> None:
        """Refuse columns without a single number, and those that float32 cannot tell apart."""
        count, largest = np.asarray(self.count), np.asarray(self.largest)
        deviation = np.sqrt(np.asarray(self.squares) / np.maximum(count, 1))
        with np.errstate(over="ignore"):
            step = np.spacing(largest.astype(np.float32)).astype(np.float64)
        for index, name in enumerate(names):
            if not count[index]:
                drop = option_hint("--drop-columns", [name])
                raise InputError(f"{where}: the column {name!r} holds no number; leave it out with {drop}", column=name)
            if not np.isfinite(step[index]) or step[index] > COARSEST_STEP * deviation[index] > 0:
                raise InputError(
                    f"{where}: the column {name!r} reaches {largest[index]:.6g}, where float32 steps by "
                    f"{step[index]:.3g}, with a deviation of {deviation[index]:.3g}; subtract an offset from it first"
                )
