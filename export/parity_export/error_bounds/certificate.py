"""What a certified graph says of many rows: how many labels are proven, how large the error bounds are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.certified_model import CertifiedModel, is_bounded
from parity_export.gate.probe_ranges import ranges, widened
from parity_export.gate.probes import SEED
from parity_runtime import ModelContract
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.tables.feature_columns import chunk_inputs
from parity_runtime.tables.table_file import TableFile

DRAWN_ROWS = 100_000
"""Where there is no table; seeded, so that they are the same on every machine."""

_CHUNK = 50_000


@dataclass(frozen=True)
class UncertifiedRow:
    """One row whose label is not proven; of a regression, one without a finite error bound.

    Attributes:
        row: its number, from 1.
        features: in the contract's order.
        answer: the logits or values.
        bound: of each of them; infinite where nothing is claimed.
        label: the class that was answered; None for a regression.
    """

    row: int
    features: NDArray[np.float64]
    answer: NDArray[np.float32]
    bound: NDArray[np.float32]
    label: str | int | None


@dataclass
class Certificate:
    """What is found over some rows, chunk by chunk: four bytes a row are kept.

    Attributes:
        model: what is asked.
        rows: how many were asked.
        certified: of them, rows whose label is proven; of a regression, rows with a finite error bound.
    """

    model: CertifiedModel
    rows: int = 0
    certified: int = 0
    _bounds: list[NDArray[np.float32]] = field(default_factory=list)

    def run(self, chunks: Iterable[NDArray[np.float64]]) -> Iterator[UncertifiedRow]:
        """Ask the graph, and yield the rows that it does not prove.

        Args:
            chunks: rows of features, each ``[rows, features]``.
        """
        answers = self.model.on_rows()
        for chunk in chunks:
            found = answers(chunk)
            claimed = is_bounded(found[ERROR_BOUND]).all(axis=1)
            proven = found.get(CERTIFIED, claimed) & claimed
            yield from (_uncertified(self, int(row), chunk, found) for row in np.flatnonzero(~proven))
            self._bounds.append(found[ERROR_BOUND][claimed].max(axis=1))
            self.rows, self.certified = self.rows + len(chunk), self.certified + int(proven.sum())

    @property
    def share(self) -> float:
        """Which part of the rows is certified."""
        return self.certified / self.rows if self.rows else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the rows, and the finite error bounds in the output's own unit, 0 if there is none."""
        bounds = np.concatenate([np.zeros(0, np.float32), *self._bounds])
        largest, median = (float(bounds.max()), float(np.median(bounds))) if len(bounds) else (0.0, 0.0)
        return {"rows": self.rows, "certified": self.certified, "share": self.share,
                "largest_bound": largest, "median_bound": median}  # fmt: skip


def _uncertified(certificate: Certificate, index: int, chunk: NDArray[np.float64], found: Arrays) -> UncertifiedRow:
    contract = certificate.model.contract
    label = contract.classes[int(found[LABEL][index])] if contract.is_classifier else None
    answer, bound = found[contract.bounded][index], found[ERROR_BOUND][index]
    return UncertifiedRow(certificate.rows + index + 1, chunk[index], answer, bound, label)


def table_chunks(contract: ModelContract, file: TableFile) -> Iterator[NDArray[np.float64]]:
    """Read a table's features, some thousand rows at a time."""
    for table in file.chunks(_CHUNK):
        yield chunk_inputs(contract, table)[contract.inputs[0].name]


def drawn_chunks(contract: ModelContract) -> Iterator[NDArray[np.float64]]:
    """Draw rows evenly over what the features ranged over in training, a quarter of the range wider on both sides.

    Raises:
        InputError: the model takes no table, or its features' ranges are unknown.
    """
    low, high = widened(ranges(contract))
    random = np.random.default_rng(SEED)
    for _ in range(0, DRAWN_ROWS, _CHUNK):
        yield random.uniform(low, high, (_CHUNK, len(low))).astype(np.float32).astype(np.float64)
