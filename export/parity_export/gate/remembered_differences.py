"""Answers that are compared once: configurations of a backend that round alike answer alike, byte for byte."""

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import digest
from parity_export.gate.comparison import Difference, compare
from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_runtime import ModelContract
from parity_runtime.inference.input_validation import Arrays


class RememberedDifferences:
    """Compares answers with torch's, the same answers to the same rows once.

    Args:
        contract: of the model.

    Attributes:
        contract: of the model.
    """

    def __init__(self, contract: ModelContract) -> None:
        self.contract = contract
        self._known: dict[tuple[int, bytes, bytes], tuple[ExpectedOutputs, tuple[Difference, ...]]] = {}

    def compare(self, found: Arrays, expected: ExpectedOutputs, rows: NDArray[np.int64]) -> tuple[Difference, ...]:
        """Return what `parity_export.gate.comparison.compare` does.

        Args:
            found: answers by output, one row for each of ``rows``.
            expected: torch's answers to all probes; `forget` is called where its envelope changes.
            rows: which probes were asked.
        """
        key = id(expected), digest(found), rows.tobytes()
        if key not in self._known:  # what is known holds on to the expected answers, whose id stays theirs
            self._known[key] = expected, tuple(compare(found, self.contract, expected, rows))
        return self._known[key][1]

    def forget(self) -> None:
        """Compare everything anew from here on."""
        self._known.clear()
