"""What a certified graph says of many rows: how many labels are proven, how large the error bounds are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.certified_model import CertifiedModel, is_bounded
from parity_export.error_bounds.low_precision.low_precision_model import CHANGES, LowPrecisionModel
from parity_export.gate.probe_ranges import Ends, ranges, widened
from parity_export.gate.probes import SEED
from parity_export.gate.text_probes import drawn_texts
from parity_export.gate.timestamp_probes import drawn_timestamps
from parity_runtime import ModelContract, TensorSpec
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
        cells: of the contract's `columns`, in their order: numbers, text, seconds since 1970.
        answer: the logits or values.
        bound: of each of them; infinite where nothing is claimed.
        label: the class that was answered; None for a regression.
    """

    row: int
    cells: tuple[Any, ...]
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
        changed: rows whose label is proven to be another one in the model's lower precision.
    """

    model: CertifiedModel
    rows: int = 0
    certified: int = 0
    changed: int = 0
    _bounds: list[NDArray[np.float32]] = field(default_factory=list)

    def run(self, chunks: Iterable[Arrays]) -> Iterator[UncertifiedRow]:
        """Ask the graph, and yield the rows that it does not prove.

        Args:
            chunks: of rows: the graph's inputs by name, numbers of any precision.
        """
        answers, contract = self.model.on_inputs(), self.model.contract
        for chunk in chunks:
            found = answers({spec.name: chunk[spec.name].astype(spec.numpy_dtype) for spec in contract.inputs})
            claimed: NDArray[np.bool_] = np.all(is_bounded(found[ERROR_BOUND]), axis=1)
            proven = found.get(CERTIFIED, claimed) & claimed
            yield from (_uncertified(self, int(row), chunk, found) for row in np.flatnonzero(~proven))
            self._bounds.append(found[ERROR_BOUND][claimed].max(axis=1))
            self.changed += int(found[CHANGES].sum()) if CHANGES in found else 0
            self.rows, self.certified = self.rows + len(claimed), self.certified + int(proven.sum())

    @property
    def share(self) -> float:
        """Which part of the rows is certified."""
        return self.certified / self.rows if self.rows else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the rows, and the finite error bounds in the output's own unit, 0 if there is none."""
        bounds = np.concatenate([np.zeros(0, np.float32), *self._bounds])
        largest, median = (float(bounds.max()), float(np.median(bounds))) if len(bounds) else (0.0, 0.0)
        found: dict[str, Any] = {"rows": self.rows, "certified": self.certified, "share": self.share,
                 "largest_bound": largest, "median_bound": median}  # fmt: skip
        if isinstance(self.model, LowPrecisionModel):
            found |= {"precision": self.model.lower.name, "changed": self.changed}
        return found


def _uncertified(certificate: Certificate, index: int, chunk: Arrays, found: Arrays) -> UncertifiedRow:
    contract = certificate.model.contract
    cells = tuple(chunk[one.input][index, one.index] for one in contract.columns)
    label = contract.classes[int(found[LABEL][index])] if contract.is_classifier else None
    answer, bound = found[contract.bounded][index], found[ERROR_BOUND][index]
    return UncertifiedRow(certificate.rows + index + 1, cells, answer, bound, label)


def table_chunks(contract: ModelContract, file: TableFile) -> Iterator[Arrays]:
    """Read a table's features, some thousand rows at a time."""
    for table in file.chunks(_CHUNK):
        yield chunk_inputs(contract, table)


def drawn_chunks(contract: ModelContract) -> Iterator[Arrays]:
    """Draw rows evenly over what the features ranged over in training, a quarter of the range wider on both sides.

    A truth value is 0 or 1. Of text an eighth is missing and an eighth unknown, of timestamps a sixteenth missing.

    Raises:
        InputError: the model takes no table, or its features' ranges are unknown.
    """
    ends = widened(ranges(contract))
    random = np.random.default_rng(SEED)
    for _ in range(0, DRAWN_ROWS, _CHUNK):
        yield {spec.name: _drawn(contract, spec, ends, random) for spec in contract.inputs}


def _drawn(contract: ModelContract, spec: TensorSpec, ends: Ends, random: np.random.Generator) -> NDArray[Any]:
    """Draw one input, ``[rows, columns]``; the numbers all lie in the one input that takes numbers."""
    features = contract.features_of(spec.name)
    if features[0].is_text:
        return np.stack([drawn_texts(one, _CHUNK, random) for one in features], axis=1)
    if features[0].kind == "datetime":
        return np.stack([drawn_timestamps(one, _CHUNK, random) for one in features], axis=1)
    low, high = ends
    drawn = random.uniform(low, high, (_CHUNK, len(low))).astype(np.float32).astype(np.float64)
    truth = np.array([one.kind == "boolean" for one in features])
    return np.where(truth, np.round(np.clip(drawn, 0.0, 1.0)), drawn)
