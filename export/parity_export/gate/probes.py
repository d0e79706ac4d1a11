"""The probes: inputs that both sides must answer alike, a row each, and what kind of probe each row is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import by_row
from parity_runtime import ModelContract
from parity_runtime.inference.input_validation import Arrays

SEED = 20260101
"""Every search is seeded with it: the same model gets the same probes on every machine."""

SAMPLE, UNIFORM, GAUSSIAN, LARGE = "sample", "uniform", "gaussian", "large"
SMALL, SPECIAL, SUBNORMAL, EXTREME = "small", "special", "subnormal", "extreme"
BOUNDARY, ADVERSARIAL = "boundary", "adversarial"
DRAWN = "drawn"
"""Rows of a callable that draws in the place of Parity."""

TEXT, CALENDAR = "text", "calendar"
"""Tables only: rows with every text that is asked, and rows with timestamps where a calendar turns."""


_PIECE = 4_000_000  # numbers that are copied at a time: 32 MB


@dataclass(frozen=True)
class Probes:
    """Inputs of the comparison, rows first.

    Attributes:
        inputs: by name, ``[rows, ...]`` without the batch axis of the tensor itself.
        kinds: what each row is, text ``[rows]``.
    """

    inputs: Arrays
    kinds: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kinds)

    def take(self, rows: NDArray[np.int64]) -> "Probes":
        """Return the given rows."""
        return Probes({name: array[rows] for name, array in self.inputs.items()}, self.kinds[rows])

    def without(self, *kinds: str) -> "Probes":
        """Return the rows of all other kinds."""
        return self.take(np.flatnonzero(~np.isin(self.kinds, kinds)))

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        kinds, counts = np.unique(self.kinds, return_counts=True)
        return dict(zip(kinds.tolist(), counts.tolist(), strict=True))


def labelled(kind: str, inputs: Arrays) -> Probes:
    """Return rows of one kind."""
    return Probes(inputs, np.full(len(next(iter(inputs.values()))), kind))


def concatenate(parts: list[Probes]) -> Probes:
    """Return the rows of all parts, in order."""
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in parts[0].inputs}
    return Probes(inputs, np.concatenate([part.kinds for part in parts]))


def margins(contract: ModelContract, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far logits ``[rows, ..., k]`` are from another decision, float64.

    Of a threshold the distance from it: ``[rows]`` of a binary classifier, ``[rows, classes]`` of a multilabel one. Of
    a choice the gap between the two largest: ``[rows]``, or ``[rows, time]`` for each position of a sequence.
    """
    if contract.task == "binary":
        return np.abs(logits[:, 0] - (contract.logit_threshold or 0.0))
    if contract.task == "multilabel":
        return np.asarray(np.abs(logits - np.array(contract.logit_thresholds)))
    best = two_largest(logits)
    return np.asarray(best[..., 1] - best[..., 0])


def row_margins(contract: ModelContract, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest of each row's `margins`, float64 ``[rows]``."""
    return np.asarray(by_row(margins(contract, logits)).min(axis=1, initial=np.inf))


def two_largest(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the second largest and the largest along the last axis, ``[..., 2]``.

    Piece by piece: the logits over a vocabulary are too many to be copied.
    """
    flat = array.reshape(-1, array.shape[-1])
    found = np.empty((len(flat), 2))
    step = max(1, _PIECE // max(1, flat.shape[1]))
    for start in range(0, len(flat), step):
        found[start : start + step] = np.partition(flat[start : start + step], -2, axis=1)[:, -2:]
    return found.reshape(*array.shape[:-1], 2)
