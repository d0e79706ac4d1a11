"""The test vectors of a package, chosen from the probes; their format is the runtime's."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import by_row
from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_export.gate.oracle import Oracle
from parity_export.gate.probes import ADVERSARIAL, BOUNDARY, CALENDAR, row_margins
from parity_export.gate.row_traits import with_every_trait
from parity_export.gate.tolerances import groups
from parity_runtime import InputError, ModelContract
from parity_runtime.arguments import argument
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LOGITS, PROBABILITIES, is_encoded
from parity_runtime.feature import MISSING_CATEGORY, MISSING_TIMESTAMP, TIMESTAMPS
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.verification.test_vectors import HardVectors, OrdinaryVectors, VectorSet

RTOL, ATOL = 1e-3, 1e-7
"""onnx.backend.test's defaults: what every ONNX runner is held to."""

_ROWS = 16
_MAX_VALUES = 200_000  # numbers in conformance.json; about 4 MB of text
_SAFETY = 4.0  # an expected value must allow this times the deviation that the gate tolerates
_SMALLEST_MARGIN = 0.01  # of the largest |logit|
_LONGEST_TEXT = 64  # characters of a text that is recorded: a person reads the file too
_NEAR_SECONDS = 150 * 365.25 * 86_400


def select_test_vectors(contract: ModelContract, oracle: Oracle, seen: Mapping[str, float]) -> VectorSet:
    """Return the ordinary test vectors and, for a classifier, the hard probes of a model.

    Args:
        contract: of the model, its tolerance measured.
        oracle: the probes; the chosen rows are asked again, as the batch that they are recorded as.
        seen: the largest deviation of any backend from the exact answers to ordinary probes, by output.
    """
    expected = oracle(len(oracle.probes))
    hard = _hard(contract, expected, oracle) if contract.is_classifier else None
    return VectorSet(_ordinary(contract, expected, oracle, seen), hard)


def _ordinary(
    contract: ModelContract, expected: ExpectedOutputs, oracle: Oracle, seen: Mapping[str, float]
) -> OrdinaryVectors:
    """Choose rows that any honest runner reproduces at `RTOL` and `ATOL`.

    Where a model has too few of them (an output that is near zero on every row), atol grows to what the gate's
    tolerance needs.
    """
    need = _needed_atol(expected, seen)
    rows = np.flatnonzero(_usable(contract, expected))
    if not len(rows):
        raise InputError(nothing_to_record(contract, expected))
    rows = rows[np.argsort(need[rows], kind="stable")]  # easiest first, else in the order of the probes
    rows = with_every_trait(contract, expected.probes.inputs, rows, _num_rows(expected, oracle))
    atol = max(ATOL, _rounded_up(float(need[rows].max(initial=0.0))))
    inputs = oracle.batches.call(expected.probes.inputs, rows)
    return OrdinaryVectors(inputs, _rounded(contract, oracle.torch_float64(inputs)), RTOL, atol)


def _usable(contract: ModelContract, expected: ExpectedOutputs) -> NDArray[np.bool_]:
    """Return the rows that are no special values, finite everywhere, and far from a decision or a jump.

    Rows with turns of the calendar of this century and the last are among them: training may never have seen one before
    1970, and every runner is asked one.
    """
    ordinary: NDArray[np.bool_] = groups(expected.probes)["ordinary"]
    usable: NDArray[np.bool_] = (ordinary | _near_moments(expected)) & _writable(contract, expected) & _finite(expected)
    whole = np.all([by_row(kept).all(axis=1) for kept in expected.kept.values()], axis=0)
    usable = usable & whole if (usable & whole).any() else usable  # a runner is held to every value of a vector
    settled = usable & expected.settled
    usable = settled if settled.any() else usable & expected.settled_but_for_ties
    if contract.decision is not None and usable.any():
        logits = expected.float64[LOGITS]
        margin = row_margins(contract, logits)
        # Of long sequences every row may have a position near a tie: then the rows farthest from one are taken.
        return np.asarray(usable & (margin >= min(_SMALLEST_MARGIN * _largest(logits[usable]), margin[usable].max())))
    return usable


def _finite(expected: ExpectedOutputs) -> NDArray[np.bool_]:
    """Return the rows whose answers are numbers in every honest evaluation."""
    return np.asarray(np.all([by_row(comparable).all(axis=1) for comparable in expected.comparable.values()], axis=0))


def nothing_to_record(contract: ModelContract, expected: ExpectedOutputs) -> str:
    """Return why there are no test vectors."""
    ordinary = groups(expected.probes)["ordinary"]
    infinite = [np.isinf(by_row(values)[ordinary]).any(axis=1) for values in expected.float64.values()]
    if np.any(infinite, axis=0).all():
        return (
            f"{contract.name} returns an infinity for every probe, which test vectors cannot hold; return a large "
            "number instead, such as -1e9 for what is masked"
        )
    if not (_finite(expected) & ordinary).any():
        return f"no probe of {contract.name} has finite outputs; is the module trained?"
    return (
        f"rounding alone changes the outputs of {contract.name} for every probe, so that no test vectors can be "
        f"recorded; give rows whose outputs are stable: {argument('sample', option='--samples')}"
    )


def _largest(array: NDArray[np.float64]) -> float:
    """Return the largest size of a number, without a copy of all."""
    return float(max(array.max(), -array.min()))


def _near_moments(expected: ExpectedOutputs) -> NDArray[np.bool_]:
    """Return the probes of the calendar whose timestamps are missing or within a century and a half of 1970."""
    asked: NDArray[np.bool_] = np.equal(expected.probes.kinds, CALENDAR)
    if not asked.any():
        return asked
    seconds = expected.probes.inputs[TIMESTAMPS]
    near = (np.abs(seconds.astype(np.float64)) < _NEAR_SECONDS) | (seconds == MISSING_TIMESTAMP)
    return np.asarray(asked & near.all(axis=1))


def _writable(contract: ModelContract, expected: ExpectedOutputs) -> NDArray[np.bool_]:
    """Return the rows that any reader takes and any language reads.

    They have no NaN, which JSON has not, no NUL, at which C's text ends, and no missing cell that the contract refuses.
    """
    writable, inputs = np.ones(len(expected.probes), bool), expected.probes.inputs
    for array in inputs.values():
        if array.dtype.kind == "f":
            writable &= np.isfinite(by_row(array)).all(axis=1)
        elif array.dtype.kind == "O":
            writable &= [all("\0" not in text and len(text) <= _LONGEST_TEXT for text in row) for row in array.tolist()]
    for feature in contract.features:
        nothing = MISSING_CATEGORY if feature.is_text else MISSING_TIMESTAMP if feature.kind == "datetime" else None
        if feature.missing == "refuse" and nothing is not None:
            writable &= np.not_equal(inputs[feature.input][:, feature.index], nothing)
    return writable


def _needed_atol(expected: ExpectedOutputs, seen: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the atol that each row needs beside `RTOL`, 0 where `RTOL` and `ATOL` allow enough.

    What torch's own float32 deviates by counts, and what the worst backend was seen to: of a picture of values near
    zero, as a detector's, that is often more. Beside a jump neither says anything.
    """
    need, dated = np.zeros(len(expected.probes)), is_encoded(expected.contract) and TIMESTAMPS in expected.probes.inputs
    for name in expected.reported_tolerances["ordinary"]:
        values = np.nan_to_num(np.abs(expected.float64[name]), posinf=0.0)
        with np.errstate(invalid="ignore"):
            deviation = np.abs(expected.float32[name].astype(np.float64) - expected.float64[name])
        telling = groups(expected.probes)["ordinary"] & expected.settled_but_for_ties
        typical = float(np.nan_to_num(deviation[telling]).max(initial=0.0))
        own = np.nan_to_num(deviation, posinf=0.0) if dated else 0.0
        short = np.maximum(_SAFETY * np.maximum(typical, own), 2 * seen.get(name, 0.0)) - RTOL * values
        short = np.where(np.isfinite(short) & (short > ATOL), short, 0.0)
        need = np.maximum(need, by_row(short).max(axis=1, initial=0.0))
    return need


def _hard(contract: ModelContract, expected: ExpectedOutputs, oracle: Oracle) -> HardVectors | None:
    """Choose rows nearest to a decision and rows that drive backends apart.

    Their tolerance is the error bound, and labels are checked where they are certified; without one the gate's
    tolerance holds, and labels are checked where the margin exceeds it twice.
    """
    margin = row_margins(contract, expected.float64[LOGITS])
    nearest = np.argsort(margin, kind="stable")
    count = _num_rows(expected, oracle)
    rows = np.sort(
        np.concatenate([_first(contract, nearest, expected, kind, count) for kind in (BOUNDARY, ADVERSARIAL)])
    )
    if not len(rows):
        return None
    inputs = oracle.batches.call(expected.probes.inputs, rows)
    answers = oracle.torch_float64(inputs)
    tolerance = expected.reported_tolerances["ordinary"][LOGITS].allowed(answers[LOGITS])
    bound_report = oracle.error_bounds(inputs)
    label_checked = row_margins(contract, answers[LOGITS]) > 2 * tolerance.max(axis=1)
    if CERTIFIED in bound_report:  # the recorded value is the exact one, rounded to float32
        bound = bound_report[ERROR_BOUND] + np.spacing(np.abs(answers[LOGITS]).astype(np.float32)) / 2
        tolerance = np.where(np.isfinite(bound), bound.astype(np.float64), tolerance)
        label_checked = np.where(np.isfinite(bound).all(axis=1), bound_report[CERTIFIED], label_checked)
    outputs = _rounded(contract, answers)
    del outputs[PROBABILITIES]
    return HardVectors(tuple(expected.probes.kinds[rows].tolist()), inputs, outputs, {LOGITS: tolerance}, label_checked)


def _first(
    contract: ModelContract, order: NDArray[np.int64], expected: ExpectedOutputs, kind: str, count: int
) -> NDArray[np.int64]:
    """Return the first rows of one kind whose answers are finite."""
    fits = (expected.probes.kinds == kind) & expected.comparable[LOGITS].all(axis=1) & _writable(contract, expected)
    fits &= expected.settled
    return with_every_trait(contract, expected.probes.inputs, order[fits[order]], count)


def _num_rows(expected: ExpectedOutputs, oracle: Oracle) -> int:
    if oracle.batches.name is None:
        return 1
    arrays = [*expected.probes.inputs.values(), *expected.float64.values()]
    values = sum(array.size for array in arrays) // len(expected.probes)
    fewest = 2 if values <= _MAX_VALUES else 1
    return max(fewest, min(_ROWS, _MAX_VALUES // max(1, values)))


def _rounded(contract: ModelContract, outputs: Arrays) -> Arrays:
    return {spec.name: outputs[spec.name].astype(spec.dtype) for spec in contract.outputs}


def _rounded_up(value: float) -> float:
    """Round up to one significant digit, so that the figure reads well and does not change with the last bit."""
    if value == 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit) * unit:.1g}")
