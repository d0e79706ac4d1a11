"""What torch answers to the probes, asked in the batches that the gate asks in."""

import numpy as np

from parity_export.comparison import Expected
from parity_export.gate import close, in_batches
from parity_export.meaning_check import check_meaning
from parity_export.probes import SPECIAL, Probes, make_probes
from parity_export.reference import TorchReference
from parity_export.source import ModelSource
from parity_export.tolerances import derive_tolerances
from parity_runtime.inputs import Arrays

_INDEPENDENT_RTOL = 1e-9
"""Rows are independent if float64 answers to 64 rows, together and alone, agree to that: float64's own rounding
(1.1e-16 an operation) stays far below, and a row that looks at its neighbours far above."""

_INDEPENDENT_ROWS = 64


class Expectation:
    """The probes of a source and torch's answers to them.

    Where rows of a batch influence one another (a module that subtracts the batch's mean), torch is asked in the
    same batches as onnxruntime; else once.

    Attributes:
        reference: torch in float64.
        probes: the questions.
        row_independent: whether torch's rows do not influence one another.
    """

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self.reference = TorchReference(source, double=True)
        self._float32 = TorchReference(source)
        self.probes: Probes = make_probes(source, self.reference)
        check_meaning(source, self.probes)
        self.row_independent: bool = self._measure_independence()
        if not self.row_independent:  # one overflowing row would spoil every other row of its batch
            self.probes = self.probes.take(np.flatnonzero(self.probes.kinds != SPECIAL))
        self._known: dict[int, Expected] = {}

    def __call__(self, batch: int) -> Expected:
        """Return the expected answers when asked in batches of ``batch``."""
        size = len(self.probes) if self.row_independent else batch
        if size not in self._known:
            self._known[size] = self._ask(size)
        return self._known[size]

    def _ask(self, batch: int) -> Expected:
        rows = np.arange(len(self.probes))
        with np.errstate(all="ignore"):
            float32 = in_batches(self._float32, self.probes.inputs, rows, batch)
            float64 = in_batches(self.reference, self.probes.inputs, rows, batch)
        dtypes = {spec.name: spec.dtype for spec in self._source.contract.outputs}
        return Expected(self.probes, float32, float64, derive_tolerances(self.probes, float32, float64, dtypes))

    def _measure_independence(self) -> bool:
        rows = np.arange(min(len(self.probes), _INDEPENDENT_ROWS))
        with np.errstate(all="ignore"):
            together = in_batches(self.reference, self.probes.inputs, rows, len(rows))
            alone = in_batches(self.reference, self.probes.inputs, rows, 1)
        return _agree(together, alone)


def _agree(first: Arrays, second: Arrays) -> bool:
    return all(
        close(values, second[name], _INDEPENDENT_RTOL * (1 + np.abs(np.nan_to_num(values.astype(np.float64)))))
        for name, values in first.items()
    )
