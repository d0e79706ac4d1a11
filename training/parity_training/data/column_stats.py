"""What the columns of a table hold, in one pass over its rows: ranges, missing cells, how often each text stands."""

import numpy as np
from numpy.typing import NDArray

from parity_runtime.feature import CATEGORIES, MISSING_TIMESTAMP, TIMESTAMPS, Feature
from parity_training.data.raw_rows import RawRows


class ColumnStats:
    """Counts of all rows, and of those that are trained on; rows may be taken in any order.

    Args:
        numbers: columns of numbers and booleans, which stand first in `RawRows.data`.
        texts: of each column of `RawRows.codes` how many codes there are.
        dates: columns of dates.

    Attributes:
        missing_numbers: cells of all rows that are missing, int64 ``[numbers]``.
        missing_texts: int64 ``[texts]``.
        missing_dates: int64 ``[dates]``.
        low: the smallest of the training rows, float64 ``[numbers]``; NaN where all are missing.
        high: the largest.
        counts: of each column of texts in how many training rows each code stands, int64.
        first: the earliest second of the training rows, int64 ``[dates]``; `MISSING_TIMESTAMP` where all are missing.
        last: the latest.
    """

    def __init__(self, numbers: int, texts: list[int], dates: int) -> None:
        self.missing_numbers, self.missing_dates = np.zeros(numbers, np.int64), np.zeros(dates, np.int64)
        self.missing_texts = np.zeros(len(texts), np.int64)
        self.low, self.high = np.full(numbers, np.nan), np.full(numbers, np.nan)
        self.counts = [np.zeros(size, np.int64) for size in texts]
        self.first, self.last = np.full(dates, MISSING_TIMESTAMP), np.full(dates, MISSING_TIMESTAMP)

    def update(self, rows: RawRows, *, is_training: bool) -> None:
        """Take rows."""
        numbers = rows.data[:, : len(self.low)]
        self.missing_numbers += np.isnan(numbers).sum(axis=0)
        self.missing_texts += (rows.codes == 0).sum(axis=0)
        self.missing_dates += (rows.seconds == MISSING_TIMESTAMP).sum(axis=0)
        if is_training and len(rows):
            self._train(numbers, rows)

    def missing(self, feature: Feature) -> int:
        """Return how many cells of a feature are missing."""
        counts = {CATEGORIES: self.missing_texts, TIMESTAMPS: self.missing_dates}.get(
            feature.input, self.missing_numbers
        )
        return int(counts[feature.index])

    def _train(self, numbers: NDArray[np.float32], rows: RawRows) -> None:
        self.low = np.fmin(self.low, np.fmin.reduce(numbers, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(numbers, axis=0))
        for place, codes in enumerate(rows.codes.T):
            self.counts[place] += np.bincount(codes, minlength=len(self.counts[place]))
        for place, column in enumerate(rows.seconds.T):
            known = column[column != MISSING_TIMESTAMP]
            if len(known):
                met = self.first[place] != MISSING_TIMESTAMP
                self.first[place] = min(known.min(), self.first[place]) if met else known.min()
                self.last[place] = max(known.max(), self.last[place]) if met else known.max()
