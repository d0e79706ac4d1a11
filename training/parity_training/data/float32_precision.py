"""How far the numbers of columns are spread, and whether float32 can tell them apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.evaluation.running_stats import RunningStats
from parity_training.data.option_hint import option_hint

# A column whose float32 values step by more than this part of its deviation loses what it tells rows apart by.
COARSEST_STEP = 1e-3


class ColumnSpread:
    """Extremes and spread of columns, chunk by chunk."""

    def __init__(self, columns: int) -> None:
        self._stats = RunningStats(columns)
        self._largest = np.zeros(columns)

    def add(self, matrix: NDArray[np.float64]) -> None:
        """Take rows, float64 ``[rows, columns]``; NaN where a cell is missing."""
        with np.errstate(over="ignore", invalid="ignore"):  # `check` names the column
            self._stats.update(matrix)
        self._largest = np.fmax(self._largest, np.fmax.reduce(np.abs(matrix), axis=0, initial=0.0))

    def known(self, column: int) -> int:
        """Return how many cells of a column are numbers."""
        return int(self._stats.count[column])

    def check(self, where: str, names: Sequence[str]) -> None:
        """Refuse columns without a single number, and those that float32 cannot tell apart."""
        count, largest, deviation = self._stats.count, self._largest, self._stats.deviation
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
