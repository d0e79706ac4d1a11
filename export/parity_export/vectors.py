"""The conformance vectors of a package, chosen from the probes; their format is the runtime's."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parity_export.comparison import Expected
from parity_export.probes import BOUNDARY, SPECIAL, margins
from parity_runtime import ModelContract
from parity_runtime.conformance import Conformance, HardProbes, OrdinaryVectors
from parity_runtime.contract import LOGITS, PROBABILITIES
from parity_runtime.inputs import Arrays

RTOL, ATOL = 1e-3, 1e-7
"""onnx.backend.test's defaults: what every ONNX runner is held to."""

_ROWS = 16
_MAX_VALUES = 200_000  # numbers in conformance.json; about 4 MB of text
_SAFETY = 4.0  # an expected value must allow this times the deviation that the gate tolerates
_SMALLEST_MARGIN = 0.01  # of the largest |logit|


def make_conformance(contract: ModelContract, expected: Expected, reference: Callable[[Arrays], Arrays]) -> Conformance:
    """Return the ordinary vectors and, for a classifier, the hard probes of a model.

    Args:
        contract: of the model, its tolerance measured.
        expected: the probes with torch's float64 answers.
        reference: torch in float64; the chosen rows are asked again, as the batch that they are recorded as.
    """
    return Conformance(_ordinary(contract, expected, reference), _hard(contract, expected, reference))


def _ordinary(contract: ModelContract, expected: Expected, reference: Callable[[Arrays], Arrays]) -> OrdinaryVectors:
    """Choose rows that any honest runner reproduces at `RTOL` and `ATOL`.

    Where a model has too few of them (an output that is near zero on every row), atol grows to what the gate's
    tolerance needs.
    """
    usable = _usable(contract, expected)
    need = _needed_atol(expected)
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(need[rows], kind="stable")]  # easiest first, else in the order of the probes
    rows = np.sort(rows[: _num_rows(expected)])
    atol = max(ATOL, _rounded_up(float(need[rows].max(initial=0.0))))
    inputs = expected.probes.take(rows).inputs
    return OrdinaryVectors(inputs, _rounded(contract, reference(inputs)), RTOL, atol)


def _usable(contract: ModelContract, expected: Expected) -> NDArray[np.bool_]:
    """Return the rows that are no special values, finite everywhere and far from a decision."""
    usable: NDArray[np.bool_] = expected.probes.kinds != SPECIAL
    for comparable in expected.comparable.values():
        usable &= comparable.reshape(len(usable), -1).all(axis=1)
    if contract.is_classifier and usable.any():
        logits = expected.float64[LOGITS]
        usable &= margins(contract, logits) >= _SMALLEST_MARGIN * np.abs(logits[usable]).max()
    return usable


def _needed_atol(expected: Expected) -> NDArray[np.float64]:
    """Return the atol that each row needs beside `RTOL`, 0 where `RTOL` and `ATOL` allow enough."""
    need = np.zeros(len(expected.probes))
    for name in expected.tolerances["ordinary"]:
        values = np.nan_to_num(np.abs(expected.float64[name]), posinf=0.0)
        deviation = np.abs(expected.float32[name].astype(np.float64) - expected.float64[name])
        typical = float(np.nan_to_num(deviation[expected.probes.kinds != SPECIAL]).max(initial=0.0))
        short = _SAFETY * typical - RTOL * values
        short = np.where(short > ATOL, short, 0.0)
        need = np.maximum(need, short.reshape(len(values), -1).max(axis=1))
    return need


def _hard(contract: ModelContract, expected: Expected, reference: Callable[[Arrays], Arrays]) -> HardProbes | None:
    """Choose the rows nearest to a decision; their logits are held to the gate's tolerance."""
    if not contract.is_classifier:
        return None
    rows = np.flatnonzero(expected.probes.kinds == BOUNDARY)
    if not len(rows):
        return None
    margin = margins(contract, expected.float64[LOGITS])
    rows = np.sort(rows[np.argsort(margin[rows], kind="stable")][: _num_rows(expected)])
    chosen = expected.probes.take(rows)
    answers = reference(chosen.inputs)
    tolerance = expected.tolerances["ordinary"][LOGITS].allowed(answers[LOGITS])
    outputs = _rounded(contract, answers)
    del outputs[PROBABILITIES]
    label_checked = margins(contract, answers[LOGITS]) > 2 * tolerance.max(axis=1)
    return HardProbes(tuple(chosen.kinds.tolist()), chosen.inputs, outputs, {LOGITS: tolerance}, label_checked)


def _num_rows(expected: Expected) -> int:
    arrays = [*expected.probes.inputs.values(), *expected.float64.values()]
    values = sum(array.size for array in arrays) // len(expected.probes)
    return max(2, min(_ROWS, _MAX_VALUES // max(1, values)))


def _rounded(contract: ModelContract, outputs: Arrays) -> Arrays:
    return {spec.name: outputs[spec.name].astype(spec.dtype) for spec in contract.outputs}


def _rounded_up(value: float) -> float:
    """Round up to one significant digit, so that the figure reads well and does not change with the last bit."""
    if value == 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit) * unit:.1g}")
