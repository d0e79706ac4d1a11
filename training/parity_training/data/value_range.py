"""How far the numbers of columns are spread: whether they tell rows apart, and whether float32 can."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.evaluation.running_stats import RunningStats
from parity_training.data.column_kinds import FEWEST_IDENTIFIERS, Why

# A column whose float32 values step by more than this part of its deviation loses what it tells rows apart by.
COARSEST_STEP = 1e-3


class ValueRange:
    """Extremes and spread of columns, chunk by chunk.

    Args:
        columns: how many there are.
    """

    def __init__(self, columns: int) -> None:
        self._stats = RunningStats(columns)
        self._low, self._high = np.full(columns, np.inf), np.full(columns, -np.inf)
        self._rows = 0
        self._counts = {start: np.ones(columns, np.bool_) for start in (0, 1)}

    def add(self, matrix: NDArray[np.float64], row_numbers: NDArray[np.int64]) -> None:
        """Take rows, float64 ``[rows, columns]``, NaN where a cell is missing, and their numbers from 1."""
        with np.errstate(over="ignore", invalid="ignore"):  # `check` names the column
            self._stats.update(matrix)
        self._low = np.fmin(self._low, np.fmin.reduce(matrix, axis=0, initial=np.inf))
        self._high = np.fmax(self._high, np.fmax.reduce(matrix, axis=0, initial=-np.inf))
        self._rows += len(matrix)
        for start, counts in self._counts.items():
            places = np.flatnonzero(counts)
            counts[places] = (matrix[:, places] == (row_numbers + (start - 1))[:, None]).all(axis=0)

    def useless(self) -> list[Why | None]:
        """Return of each column why it tells nothing; None where it may."""
        stats, is_counting = self._stats, self._counts[0] | self._counts[1]
        whole = stats.count == self._rows
        found: list[Why | None] = []
        for column in range(len(stats.count)):
            if not stats.count[column]:
                found.append("empty")
            elif whole[column] and self._low[column] == self._high[column]:
                found.append("constant")
            else:
                counting = is_counting[column] and self._rows > FEWEST_IDENTIFIERS
                found.append("row number" if counting else None)
        return found

    def check(self, where: str, names: Sequence[str], kept: NDArray[np.bool_]) -> None:
        """Refuse columns without a single number, and those that float32 cannot tell apart, of the ``kept`` ones."""
        count, deviation = self._stats.count, self._stats.deviation
        largest = np.fmax(np.abs(self._low), np.abs(self._high))
        with np.errstate(over="ignore", invalid="ignore"):
            step = np.spacing(largest.astype(np.float32)).astype(np.float64)
        for index in np.flatnonzero(kept).tolist():
            name = names[index]
            drop = argument("drop_columns", (name,))
            if not count[index]:
                raise InputError(f"{where}: the column {name!r} holds no number; leave it out with {drop}", column=name)
            if not np.isfinite(step[index]) or step[index] > COARSEST_STEP * deviation[index] > 0:
                raise InputError(
                    f"{where}: the column {name!r} reaches {largest[index]:.6g}, where float32 steps by "
                    f"{step[index]:.3g}, with a deviation of {deviation[index]:.3g}; subtract an offset from it first, "
                    f"or leave it out with {drop}",
                    column=name,
                )
