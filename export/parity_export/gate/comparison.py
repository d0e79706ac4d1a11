"""One set of answers against torch's: how far apart, by which measure, and how much of it is too far."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import by_row
from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_export.gate.probability_tolerance import unexplained
from parity_export.gate.probes import margins
from parity_export.gate.tolerances import groups
from parity_runtime import ModelContract
from parity_runtime.contract import LABEL, LOGITS, PROBABILITIES
from parity_runtime.inference.input_validation import Arrays


@dataclass(frozen=True, slots=True)
class Difference:
    """One output on one group of probes against float64.

    Attributes:
        output: its name.
        group: of probes, `parity_export.gate.tolerances.groups`.
        compared: how many values were compared (labels: rows whose margin exceeds the tolerance).
        outside: how many lie outside their tolerance (labels: how many rows flipped).
        max_abs: largest absolute deviation, in the output's unit; 0 for labels.
        max_rel: largest deviation relative to the float64 value.
        max_ulp: largest deviation in float32 units in the last place of the float64 value.
        worst_probe: the row of the probes with the largest deviation, or of the first flip.
        share: the largest part of its tolerance that a value took; 0 for labels and where values must be equal.
        values: how many there were; of an axis of no elements none.
    """

    output: str
    group: str
    compared: int
    outside: int
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    worst_probe: int = 0
    share: float = 0.0
    values: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; what is not finite becomes null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


def compare(
    found: Arrays, contract: ModelContract, expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> list[Difference]:
    """Compare the answers to some probes with torch's.

    Args:
        found: answers by output, one row for each of ``rows``.
        contract: of the model.
        expected: torch's answers to all probes.
        rows: which probes were asked.
    """
    return [
        difference
        for spec in contract.outputs
        for difference in _output_differences(spec.name, found, contract, expected, rows)
    ]


def _output_differences(
    name: str, found: Arrays, contract: ModelContract, expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> Iterator[Difference]:
    wanted = expected.float64[name]
    if found[name].shape != (len(rows), *wanted.shape[1:]):
        yield Difference(name, "ordinary", len(rows), len(rows), math.inf, math.inf, math.inf, int(rows[0]))
        return
    for group, members in groups(expected.probes).items():
        inside = members[rows]
        if inside.any():
            answers = {key: values[inside] for key, values in found.items()}
            if name == LABEL and contract.is_classifier:
                yield _label_difference(group, answers, contract, expected, rows[inside])
            else:
                yield _value_difference(name, group, answers, expected, rows[inside])


def _value_difference(
    name: str, group: str, answers: Arrays, expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> Difference:
    found, exact = answers[name], expected.float64[name][rows].astype(np.float64)
    compared = _compared(name, group, found, expected, rows)
    distance = np.where(compared, _distance(found.astype(np.float64), exact), 0.0)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        relative = np.where(distance > 0, distance / np.abs(exact), 0.0)
        ulp = np.where(distance > 0, distance / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64), 0.0)
    worst = int(by_row(distance).max(axis=1, initial=0.0).argmax())
    return Difference(
        name,
        group,
        compared=int(compared.sum()),
        outside=int((compared & outside(name, answers, expected, rows)).sum()),
        max_abs=float(distance.max(initial=0.0)),
        max_rel=float(relative.max(initial=0.0)),
        max_ulp=float(np.nan_to_num(ulp, nan=np.inf).max(initial=0.0)),
        worst_probe=int(rows[worst]),
        values=compared.size,
        share=_share(expected.beyond(name, found.astype(np.float64), rows), expected.allowed[name][rows], compared),
    )


def _share(beyond: NDArray[np.float64], allowed: NDArray[np.float64], compared: NDArray[np.bool_]) -> float:
    judged = compared & (allowed > 0) & np.isfinite(allowed)
    with np.errstate(invalid="ignore", over="ignore"):
        part = np.divide(beyond, allowed, out=np.zeros_like(beyond), where=judged)
    return float(np.nan_to_num(part, posinf=np.inf).max(initial=0.0))


def away(found: Arrays, expected: ExpectedOutputs, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which of the rows have a value outside of what is allowed, each once.

    Args:
        found: answers by output, one row for each of ``rows``.
        expected: torch's answers to all probes.
        rows: which probes were asked.
    """
    mask = np.zeros(len(rows), bool)
    for name, wanted in expected.float64.items():
        if found[name].shape == (len(rows), *wanted.shape[1:]):
            left = outside(name, found, expected, rows)
            mask |= by_row(left).any(axis=1)
    return np.unique(rows[mask])


def outside(name: str, answers: Arrays, expected: ExpectedOutputs, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which values leave what is allowed, whether or not they can be judged."""
    found, exact = answers[name].astype(np.float64), expected.float64[name][rows].astype(np.float64)
    allowed = np.where(np.isinf(exact), 0.0, expected.allowed[name][rows])
    away = expected.beyond(name, found, rows) > np.nan_to_num(allowed, nan=np.inf, posinf=np.inf)
    away |= np.isnan(exact) & ~np.isnan(found)
    if name == PROBABILITIES and LOGITS in answers and expected.explained:
        away |= unexplained(answers[name], answers[LOGITS])
    return np.asarray(away)


def _distance(found: NDArray[np.float64], exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |found - exact|: 0 for equal infinities and for two NaN, infinite where only one is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.nan_to_num(np.abs(found - exact), nan=np.inf, posinf=np.inf)
    equal = (found == exact) | (np.isnan(found) & np.isnan(exact))
    return np.where(equal, 0.0, distance)


def _compared(
    name: str, group: str, found: NDArray[Any], expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which values can be judged.

    Not judged is what overflows float32 in an honest evaluation but not in float64; and, on extreme rows, what
    overflows in the backend. An infinity or NaN on which all of them agree must be answered.
    """
    exact = expected.float64[name]
    kept = expected.kept[name][rows] if name in expected.kept else True
    if exact.dtype.kind != "f":
        return np.ones(exact[rows].shape, bool) & kept
    compared = expected.comparable[name][rows]
    if group == "extreme":
        return np.asarray(compared & np.isfinite(found) & kept)
    return np.asarray((compared | expected.envelope.agree(name, exact)[rows]) & kept)


def _label_difference(
    group: str, found: Arrays, contract: ModelContract, expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> Difference:
    """Count rows whose label differs although their float64 margin exceeds the tolerance of the logits."""
    honest = expected.envelope.deviation(LOGITS, expected.float64[LOGITS][rows], rows)
    reach = _label_reach(contract, np.maximum(expected.allowed[LOGITS][rows], honest))
    decided = margins(contract, expected.float64[LOGITS][rows]) > reach
    decided &= expected.comparable[LOGITS][rows].all(axis=1)
    if group == "extreme":
        decided &= np.isfinite(found[LOGITS]).all(axis=1)
    flipped = decided & (found[LABEL] != expected.float64[LABEL][rows])
    return Difference(
        LABEL,
        group,
        int(decided.sum()),
        int(flipped.sum()),
        worst_probe=int(rows[int(flipped.argmax())]),
        values=len(rows),
    )


def _label_reach(contract: ModelContract, allowed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much each row's margin may err: one logit's tolerance, or of several the two largest together."""
    if contract.task == "binary":
        return allowed[:, 0]
    reach: NDArray[np.float64] = np.sort(allowed, axis=1)[:, -2:].sum(axis=1)
    return reach


def close(first: NDArray[Any], second: NDArray[Any], allowed: NDArray[np.float64]) -> bool:
    """Whether two arrays differ by at most ``allowed`` everywhere; equal infinities and NaN are alike."""
    with np.errstate(invalid="ignore"):
        near = np.abs(first.astype(np.float64) - second.astype(np.float64)) <= allowed
    return bool((near | (first == second) | (np.isnan(first) & np.isnan(second))).all())
