"""The lowest and the highest of several honest float32 results for the same probes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import Batches
from parity_export.gate.float32_evaluations import Sample
from parity_export.gate.probes import Probes
from parity_runtime.inference.input_validation import Arrays


class Envelope:
    """Where honest float32 evaluations of a module lie, value by value.

    A value that one of them does not answer with a number has a NaN here: they differ in kind.

    Args:
        float32: torch's own answers, rows first.

    Attributes:
        low: the lowest answers by output, of the outputs' shapes and dtypes.
        high: the highest.
    """

    def __init__(self, float32: Arrays) -> None:
        self.low = {name: array.copy() for name, array in float32.items()}
        self.high = {name: array.copy() for name, array in float32.items()}

    def run(
        self, samples: Iterable[Sample], batches: Batches, probes: Probes, rows: NDArray[np.int64], batch: int
    ) -> None:
        """Include the answers of samples to some rows, asked ``batch`` at a time unless a sample says otherwise."""
        for sample in samples:
            asked = rows[sample.accepts(probes.kinds[rows])][: sample.most]
            if len(asked):
                try:
                    with np.errstate(all="ignore"):
                        answers = batches.run(sample.answer, probes.inputs, asked, sample.batch or batch)
                except (RuntimeError, IndexError):  # moved by an ulp, a computed size is another: it says nothing
                    continue
                self._include(answers, asked)

    def _include(self, answers: Arrays, rows: NDArray[np.int64]) -> None:
        for name, array in answers.items():
            if array.shape[1:] == self.low[name].shape[1:]:  # a shape that depends on values may be another
                self.low[name][rows] = np.minimum(self.low[name][rows], array)
                self.high[name][rows] = np.maximum(self.high[name][rows], array)

    def widen(self, name: str, other: "Envelope", rows: NDArray[np.int64], where: NDArray[np.bool_]) -> None:
        """Include what another envelope of some rows reaches, at the values that ``where`` says."""
        below, above = other._reach(name)
        low, high = self.low[name][rows], self.high[name][rows]
        self.low[name][rows] = np.where(where, np.fmin(low, below), low)
        self.high[name][rows] = np.where(where, np.fmax(high, above), high)

    def _reach(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the lowest and the highest answers, of floats each as far beyond as they lie apart.

        One more evaluation lies outside of the range of N others with a chance of 2 / (N + 1), so that of many values
        some do; hardly any lies as far outside as the range is wide.
        """
        low, high = self.low[name], self.high[name]
        if low.dtype.kind != "f":
            return low, high
        with np.errstate(invalid="ignore", over="ignore"):
            apart = high - low
            apart = np.where(np.isfinite(apart), apart, 0)
            return low - apart, high + apart

    def deviation(
        self, name: str, exact: NDArray[np.float64], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return how far the honest answers lie from the exact ones at most; 0 where one of either is no number.

        Args:
            name: of the output.
            exact: of the rows.
            rows: which; all if None.
        """
        low, high = (side[name] if rows is None else side[name][rows] for side in (self.low, self.high))
        with np.errstate(invalid="ignore", over="ignore"):
            deviation = np.maximum(high.astype(np.float64) - exact, exact - low.astype(np.float64))
        return np.where(np.isfinite(deviation), np.maximum(deviation, 0.0), 0.0)

    def agree(self, name: str, exact: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return where all of them, and the exact answer, are the same infinity, or NaN.

        Args:
            name: of the output.
            exact: of the rows.
            rows: which.
        """
        low, high = self.low[name][rows], self.high[name][rows]
        same = (low == exact) & (high == exact) & ~np.isfinite(exact)
        return np.asarray(same | (np.isnan(exact) & np.isnan(low) & np.isnan(high)))

    def masked(self, name: str, exact: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return where all of them, and the exact answer, are -infinity.

        Args:
            name: of the output.
            exact: of the rows.
            rows: which.
        """
        return np.asarray(np.isneginf(exact) & np.isneginf(self.high[name][rows]))

    def finite(self, name: str) -> NDArray[np.bool_]:
        """Return where all of them are numbers."""
        return np.asarray(np.isfinite(self.low[name]) & np.isfinite(self.high[name]))
