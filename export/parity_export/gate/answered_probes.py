"""Probes and torch's answers to them, in float32 and float64, computed once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.probes import Probes, concatenate
from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.inference.input_validation import Arrays


@dataclass(frozen=True)
class AnsweredProbes:
    """Probes with torch's answers.

    Attributes:
        probes: the inputs.
        float32: torch's own answers by output, rows first.
        float64: the same, computed in float64.
    """

    probes: Probes
    float32: Arrays
    float64: Arrays

    def take(self, rows: NDArray[np.int64]) -> "AnsweredProbes":
        """Return the given rows."""
        return AnsweredProbes(self.probes.take(rows), _take(self.float32, rows), _take(self.float64, rows))


def joined(parts: list[AnsweredProbes]) -> AnsweredProbes:
    """Return the rows of all parts, in order."""
    return AnsweredProbes(
        concatenate([part.probes for part in parts]),
        _concatenated([part.float32 for part in parts]),
        _concatenated([part.float64 for part in parts]),
    )


def _take(answers: Arrays, rows: NDArray[np.int64]) -> Arrays:
    return {name: array[rows] for name, array in answers.items()}


def _concatenated(parts: list[Arrays]) -> Arrays:
    for name in parts[0]:
        shapes = list(dict.fromkeys(part[name].shape[1:] for part in parts))
        if len(shapes) > 1:
            raise InputError(
                f"the size of a row of {name} depends on how many rows are run together ({list(shapes[0])} and "
                f"{list(shapes[1])}): it mixes rows; in {argument('inputs', option='--input')} call the first "
                "dimension rows, for example, not batch, and say that it does not count rows: "
                + argument("dimensions", ["rows >= 1"], option="--dimension")
            )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
