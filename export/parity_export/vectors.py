"""The conformance vectors of a package, chosen from the probes; their format is the runtime's."""

import math

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.expectation import Expectation
from parity_export.gate.expected import Expected
from parity_export.gate.probes import ADVERSARIAL, BOUNDARY, margins
from parity_export.gate.tolerances import groups
from parity_runtime import InputError, ModelContract
from parity_runtime.conformance import Conformance, HardProbes, OrdinaryVectors
from parity_runtime.contract import CERTIFIED, LOGITS, PROBABILITIES, RADIUS
from parity_runtime.inputs import Arrays

RTOL, ATOL = 1e-3, 1e-7
"""onnx.backend.test's defaults: what every ONNX runner is held to."""

_ROWS = 16
_MAX_VALUES = 200_000  # numbers in conformance.json; about 4 MB of text
_SAFETY = 4.0  # an expected value must allow this times the deviation that the gate tolerates
_SMALLEST_MARGIN = 0.01  # of the largest |logit|


def make_conformance(contract: ModelContract, expectation: Expectation) -> Conformance:
    """Return the ordinary vectors and, for a classifier, the hard probes of a model.

    Args:
        contract: of the model, its tolerance measured.
        expectation: the probes; the chosen rows are asked again, as the batch that they are recorded as.
    """
    expected = expectation(len(expectation.probes))
    hard = _hard(contract, expected, expectation) if contract.is_classifier else None
    return Conformance(_ordinary(contract, expected, expectation), hard)


def _ordinary(contract: ModelContract, expected: Expected, expectation: Expectation) -> OrdinaryVectors:
    """Choose rows that any honest runner reproduces at `RTOL` and `ATOL`.

    Where a model has too few of them (an output that is near zero on every row), atol grows to what the gate's
    tolerance needs.
    """
    need = _needed_atol(expected)
    rows = np.flatnonzero(_usable(contract, expected))
    if not len(rows):
        raise InputError(f"no probe of {contract.name} has finite answers; is the module trained?")
    rows = rows[np.argsort(need[rows], kind="stable")]  # easiest first, else in the order of the probes
    rows = np.sort(rows[: _num_rows(expected, expectation)])
    atol = max(ATOL, _rounded_up(float(need[rows].max(initial=0.0))))
    inputs = expectation.batches.call(expected.probes.inputs, rows)
    return OrdinaryVectors(inputs, _rounded(contract, expectation.torch_float64(inputs)), RTOL, atol)


def _usable(contract: ModelContract, expected: Expected) -> NDArray[np.bool_]:
    """Return the rows that are no special values, finite everywhere, and far from a decision or a jump."""
    usable: NDArray[np.bool_] = groups(expected.probes)["ordinary"] & _writable(expected) & expected.settled
    for comparable in expected.comparable.values():
        usable &= comparable.reshape(len(usable), -1).all(axis=1)
    if contract.is_classifier and usable.any():
        logits = expected.float64[LOGITS]
        clear = usable & (margins(contract, logits) >= _SMALLEST_MARGIN * np.abs(logits[usable]).max())
        return clear if clear.any() else usable
    return usable


def _writable(expected: Expected) -> NDArray[np.bool_]:
    """Return the rows without a missing cell: JSON has no NaN."""
    writable = np.ones(len(expected.probes), bool)
    for array in expected.probes.inputs.values():
        if array.dtype.kind == "f":
            writable &= np.isfinite(array.reshape(len(writable), -1)).all(axis=1)
    return writable


def _needed_atol(expected: Expected) -> NDArray[np.float64]:
    """Return the atol that each row needs beside `RTOL`, 0 where `RTOL` and `ATOL` allow enough."""
    need = np.zeros(len(expected.probes))
    for name in expected.tolerances["ordinary"]:
        values = np.nan_to_num(np.abs(expected.float64[name]), posinf=0.0)
        with np.errstate(invalid="ignore"):
            deviation = np.abs(expected.float32[name].astype(np.float64) - expected.float64[name])
        typical = float(np.nan_to_num(deviation[groups(expected.probes)["ordinary"]]).max(initial=0.0))
        short = _SAFETY * typical - RTOL * values
        short = np.where(np.isfinite(short) & (short > ATOL), short, 0.0)
        need = np.maximum(need, short.reshape(len(values), -1).max(axis=1))
    return need


def _hard(contract: ModelContract, expected: Expected, expectation: Expectation) -> HardProbes | None:
    """Choose rows nearest to a decision and rows that drive backends apart.

    Their tolerance is the proven radius, and labels are checked where they are certified; without a proof the gate's
    tolerance holds, and labels are checked where the margin exceeds it twice.
    """
    margin = margins(contract, expected.float64[LOGITS])
    nearest = np.argsort(margin, kind="stable")
    count = _num_rows(expected, expectation)
    rows = np.sort(np.concatenate([_first(nearest, expected, kind, count) for kind in (BOUNDARY, ADVERSARIAL)]))
    if not len(rows):
        return None
    inputs = expectation.batches.call(expected.probes.inputs, rows)
    answers = expectation.torch_float64(inputs)
    tolerance = expected.tolerances["ordinary"][LOGITS].allowed(answers[LOGITS])
    proof = expectation.proof(inputs)
    label_checked = margins(contract, answers[LOGITS]) > 2 * tolerance.max(axis=1)
    if CERTIFIED in proof:  # the recorded value is the exact one, rounded to float32
        radius = proof[RADIUS] + np.spacing(np.abs(answers[LOGITS]).astype(np.float32)) / 2
        tolerance = np.where(np.isfinite(radius), radius.astype(np.float64), tolerance)
        label_checked = np.where(np.isfinite(radius).all(axis=1), proof[CERTIFIED], label_checked)
    outputs = _rounded(contract, answers)
    del outputs[PROBABILITIES]
    return HardProbes(tuple(expected.probes.kinds[rows].tolist()), inputs, outputs, {LOGITS: tolerance}, label_checked)


def _first(order: NDArray[np.int64], expected: Expected, kind: str, count: int) -> NDArray[np.int64]:
    """Return the first rows of one kind whose answers are finite."""
    fits = (expected.probes.kinds == kind) & expected.comparable[LOGITS].all(axis=1) & _writable(expected)
    fits &= expected.settled
    first: NDArray[np.int64] = order[fits[order]][:count]
    return first


def _num_rows(expected: Expected, expectation: Expectation) -> int:
    if expectation.batches.name is None:
        return 1
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
