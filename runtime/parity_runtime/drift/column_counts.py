"""What the cells of one column are: counts that are taken part by part, and merge in any order."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.feature import FIRST_INDEX, MISSING_CATEGORY, MISSING_TIMESTAMP, Feature

DECILES = np.arange(1, 10) / 10


def decile_edges(cells: NDArray[Any]) -> tuple[float, ...]:
    """Return the deciles of a column's cells: the edges between its bins.

    Each is a cell of the column (Hyndman and Fan's first definition), so that the order of the rows does not matter and
    float32 holds it. Equal ones are one edge, and none is the largest cell, above which no bin would hold a row.

    Args:
        cells: numbers or seconds, ``[rows]``, none missing.

    Returns:
        Nine edges at most, ascending; fewer where cells repeat, none of a constant column.
    """
    if not len(cells):
        return ()
    edges = np.unique(np.quantile(cells, DECILES, method="inverted_cdf"))
    return tuple(edges[edges < cells.max()].tolist())


@dataclass(eq=False)
class ColumnCounts:
    """How many cells of a column lie in each bin, are missing, unknown or outside the range of training.

    >>> import numpy as np
    >>> from parity_runtime import Feature
    >>> from parity_runtime.drift.column_counts import ColumnCounts
    >>> age = Feature("age", "features", 0, low=18.0, high=90.0)
    >>> counts = ColumnCounts.empty(age, edges=(30.0, 60.0))
    >>> counts.update(np.array([18.0, 30.0, 31.0, 99.0, np.nan]))
    >>> counts.bins.tolist(), counts.missing, counts.outside, counts.cells
    ([2, 1, 1], 1, 1, 5)

    Attributes:
        feature: the column.
        edges: of numbers and dates: the upper ends of all bins but the last, which belong to them. Ascending.
        bins: cells, int64: of numbers and dates ``[edges + 1]``; of truth values ``[2]``, false and true; of text
            ``[categories]``, in the order of `Feature.categories`.
        missing: cells that are missing.
        unknown: of text: cells that are none of the categories.
        outside: of numbers, truth values and dates: cells below `Feature.low` or above `Feature.high`; they are in
            the outermost bins as well.
    """

    feature: Feature
    edges: tuple[float, ...]
    bins: NDArray[np.int64] = field(repr=False)
    missing: int = 0
    unknown: int = 0
    outside: int = 0

    @classmethod
    def empty(cls, feature: Feature, edges: tuple[float, ...] = ()) -> Self:
        """Return the counts of no cell."""
        if feature.is_text:
            return cls(feature, (), np.zeros(len(feature.categories), np.int64))
        size = 2 if feature.kind == "boolean" else len(edges) + 1
        return cls(feature, () if feature.kind == "boolean" else edges, np.zeros(size, np.int64))

    @property
    def cells(self) -> int:
        """How many cells were counted."""
        return int(self.bins.sum()) + self.missing + self.unknown

    def update(self, cells: NDArray[Any]) -> None:
        """Take cells as the graph takes them.

        Args:
            cells: ``[rows]``: of numbers and truth values floats, NaN where missing; of text ``str``, empty where
                missing; of dates int64 seconds, `parity_runtime.feature.MISSING_TIMESTAMP` where missing.
        """
        if self.feature.is_text:
            self._update_texts(cells)
        elif self.feature.kind == "datetime":
            self._update_known(cells[cells != MISSING_TIMESTAMP], len(cells))
        else:
            self._update_known(cells[~np.isnan(cells)], len(cells))

    def _update_known(self, known: NDArray[Any], rows: int) -> None:
        self.missing += rows - len(known)
        if self.feature.kind == "boolean":
            place = (known != 0).astype(np.int64)
        else:
            place = np.searchsorted(np.array(self.edges, known.dtype), known)
        self.bins += np.bincount(place, minlength=len(self.bins))
        if self.feature.range is not None:
            low, high = np.array(self.feature.range, known.dtype if known.dtype.kind == "f" else np.float64)
            self.outside += int(np.count_nonzero((known < low) | (known > high)))

    def _update_texts(self, cells: NDArray[Any]) -> None:
        for text, rows in Counter(cells.tolist()).items():
            place = self._places.get(text)
            if place is not None:
                self.bins[place] += rows
            elif text == MISSING_CATEGORY:
                self.missing += rows
            else:
                self.unknown += rows

    @cached_property
    def _places(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.feature.categories)}

    def update_indices(self, indices: NDArray[np.integer]) -> None:
        """Take cells of text as the graph's encoder numbers them: 0 missing, 1 unknown, then the categories."""
        counts = np.bincount(indices, minlength=FIRST_INDEX + len(self.bins))
        self.missing += int(counts[0])
        self.unknown += int(counts[1])
        self.bins += counts[FIRST_INDEX:]

    def merge(self, other: Self) -> None:
        """Take the cells that counts of the same bins have taken.

        Raises:
            ValueError: the bins are others.
        """
        if (other.feature, other.edges) != (self.feature, self.edges):
            raise ValueError(f"the counts of {self.feature.name} and {other.feature.name} have different bins")
        self.bins += other.bins
        self.missing += other.missing
        self.unknown += other.unknown
        self.outside += other.outside
