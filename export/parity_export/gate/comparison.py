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
from parity_export.gate.probes import margins, two_largest
from parity_export.gate.tolerances import groups
from parity_runtime import ModelContract
from parity_runtime.contract import EMBEDDING, LOGITS
from parity_runtime.inference.input_validation import Arrays


@dataclass(frozen=True, slots=True)
class Difference:
    """One output on one group of probes against float64.

    Attributes:
        output: its name.
        group: of probes, `parity_export.gate.tolerances.groups`.
        compared: how many values were compared (labels, tags and tokens: those whose margin exceeds the tolerance).
        outside: how many lie outside their tolerance (labels, tags and tokens: how many flipped).
        max_abs: largest absolute deviation, in the output's unit; 0 for labels. It counts no value beside a jump.
        max_rel: largest deviation relative to the float64 value, of the same values.
        max_ulp: largest deviation in float32 units in the last place of the float64 value, of the same values.
        worst_probe: the row of the probes with the largest deviation, or of the first flip.
        share: the largest part of its tolerance that a value took; 0 for labels and where values must be equal.
        values: how many there were; of an axis of no elements none.
        beside_jumps: how many lie farther from float64 than their tolerance, as honest evaluations of the module do.
        jump: the largest absolute deviation of these.
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
    beside_jumps: int = 0
    jump: float = 0.0

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
            if name == contract.decision:
                yield _decision_difference(name, group, answers, contract, expected, rows[inside])
                continue
            yield _value_difference(name, group, answers, expected, rows[inside])
            if contract.task == "embedding":
                yield _cosine_difference(group, answers[EMBEDDING], expected, rows[inside])


_PIECE = 1_000_000  # numbers that are looked at at a time: 8 MB of float64, of which a dozen copies are made


def _pieces(array: NDArray[Any]) -> Iterator[slice]:
    """Yield slices of rows, of `_PIECE` numbers each: a copy of the logits over a vocabulary takes gigabytes."""
    step = max(1, _PIECE // max(1, array[:1].size))
    return (slice(start, start + step) for start in range(0, len(array), step))


def _value_difference(
    name: str, group: str, answers: Arrays, expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> Difference:
    parts = [
        _piece_difference(name, group, {key: values[piece] for key, values in answers.items()}, expected, rows[piece])
        for piece in _pieces(answers[name])
    ]
    return Difference(
        name,
        group,
        compared=sum(part.compared for part in parts),
        outside=sum(part.outside for part in parts),
        max_abs=max(part.max_abs for part in parts),
        max_rel=max(part.max_rel for part in parts),
        max_ulp=max(part.max_ulp for part in parts),
        worst_probe=max(parts, key=lambda part: part.max_abs).worst_probe,
        values=sum(part.values for part in parts),
        share=max(part.share for part in parts),
        beside_jumps=sum(part.beside_jumps for part in parts),
        jump=max(part.jump for part in parts),
    )


def _piece_difference(
    name: str, group: str, answers: Arrays, expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> Difference:
    found, exact = answers[name], expected.float64[name][rows].astype(np.float64)
    compared = _compared(name, group, found, expected, rows)
    beyond = expected.beyond(name, found.astype(np.float64), rows)
    outside = compared & _outside(name, answers, expected, rows, beyond)
    distance = np.where(compared, _distance(found.astype(np.float64), exact), 0.0)
    beside = (distance > expected.allowed[name][rows]) & ~outside
    if beside.any():  # few outputs jump, and all values are looked at for it
        beside &= expected.beside_jumps(name, rows)
    jump = float(distance[beside].max(initial=0.0))
    distance = np.where(beside, 0.0, distance)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        relative = np.where(distance > 0, distance / np.abs(exact), 0.0)
        ulp = np.where(distance > 0, distance / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64), 0.0)
    worst = int(by_row(distance).max(axis=1, initial=0.0).argmax())
    return Difference(
        name,
        group,
        compared=int(compared.sum()),
        outside=int(outside.sum()),
        max_abs=float(distance.max(initial=0.0)),
        max_rel=float(relative.max(initial=0.0)),
        max_ulp=float(np.nan_to_num(ulp, nan=np.inf).max(initial=0.0)),
        worst_probe=int(rows[worst]),
        values=compared.size,
        share=_share(beyond, expected.allowed[name][rows], compared),
        beside_jumps=int(beside.sum()),
        jump=jump,
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
        for piece in _pieces(found[name]) if found[name].shape == (len(rows), *wanted.shape[1:]) else ():
            here, asked = {key: values[piece] for key, values in found.items()}, rows[piece]
            left = _outside(name, here, expected, asked, expected.beyond(name, here[name].astype(np.float64), asked))
            mask[piece] |= by_row(left).any(axis=1)
    return np.unique(rows[mask])


def _outside(
    name: str, answers: Arrays, expected: ExpectedOutputs, rows: NDArray[np.int64], beyond: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which values leave what is allowed, whether or not they can be judged.

    Args:
        name: of the output.
        answers: by output, one row for each of ``rows``.
        expected: torch's answers to all probes.
        rows: which probes were asked.
        beyond: how far the values lie outside of the envelope.
    """
    found, exact = answers[name].astype(np.float64), expected.float64[name][rows].astype(np.float64)
    allowed = np.where(np.isinf(exact), 0.0, expected.allowed[name][rows])
    away = beyond > np.nan_to_num(allowed, nan=np.inf, posinf=np.inf)
    away |= np.isnan(exact) & ~np.isnan(found)
    if expected.follows_logits(name) and expected.explained:
        away |= unexplained(answers[name], answers[LOGITS], sigmoid=expected.contract.task in ("binary", "multilabel"))
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
    overflows in the backend, and whole numbers, which do not tell what overflowed before them. An infinity or NaN on
    which all of them agree must be answered.
    """
    exact = expected.float64[name]
    kept = expected.kept[name][rows] if name in expected.kept else True
    if exact.dtype.kind != "f":
        return np.full(exact[rows].shape, group != "extreme") & kept
    compared = expected.comparable[name][rows]
    if group == "extreme":
        return np.asarray(compared & np.isfinite(found) & kept)
    return np.asarray((compared | expected.envelope.agree(name, exact[rows], rows)) & kept)


COSINE = "cosine"
"""What the comparison of the angles between vectors is called beside that of their numbers."""


def _cosine_difference(
    group: str, found: NDArray[Any], expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> Difference:
    """Return how far the cosines between the vectors and torch's are from 1, and which are farther than explained.

    Numbers that are off by d at most turn a vector e by an angle whose sine is at most the length of d over that of e.
    """
    exact, allowed = expected.float64[EMBEDDING][rows].astype(np.float64), expected.allowed[EMBEDDING][rows]
    reach = allowed + expected.envelope.deviation(EMBEDDING, exact, rows)
    known = expected.comparable[EMBEDDING][rows].all(axis=1) & np.isfinite(found).all(axis=1)
    length = np.linalg.norm(exact, axis=1)
    with np.errstate(all="ignore"):
        explained = _explained(np.linalg.norm(reach, axis=1) / length)
        apart = _one_less_cosine(found.astype(np.float64), exact)
        beside = (apart > _explained(np.linalg.norm(allowed, axis=1) / length)) & (apart <= explained)
    known &= (length > 0) & (explained < 1) & np.isfinite(apart)
    apart, beside = np.where(known, apart, 0.0), known & beside
    outside = int((known & (apart > explained)).sum())
    share = float(np.divide(apart, explained, out=np.zeros_like(apart), where=known).max(initial=0.0))
    plain = np.where(beside, 0.0, apart)
    worst = int(plain.argmax())
    return Difference(COSINE, group, int(known.sum()), outside, float(plain[worst]), worst_probe=int(rows[worst]),
                      share=share, values=len(rows), beside_jumps=int(beside.sum()),
                      jump=float(apart[beside].max(initial=0.0)))  # fmt: skip


def _explained(sine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a vector that is turned by an angle of some sine has less than 1 for a cosine; 1 from a sine of 1."""
    sine = np.minimum(sine, 1.0)
    return np.asarray(sine**2 / (1 + np.sqrt(1 - sine**2)) + _COSINE_ROUNDING)  # 1 - sqrt(1 - s^2), no cancellation


_COSINE_ROUNDING = 1e-15  # float64's own


def _one_less_cosine(found: NDArray[np.float64], exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 - cos of each pair of vectors, as half the squared distance of their directions: exact near 0."""
    first, second = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (found, exact))
    return np.asarray(np.square(first - second).sum(axis=1) / 2)


def _decision_difference(
    name: str, group: str, found: Arrays, contract: ModelContract, expected: ExpectedOutputs, rows: NDArray[np.int64]
) -> Difference:
    """Count decisions that differ although their float64 margin exceeds the tolerance of the logits.

    A tie in float64 has no margin: either side of it is right.
    """
    answers, wanted = found[name], expected.float64[name]
    compared, flipped, first = 0, 0, rows[0]
    for piece in _pieces(found[LOGITS]):
        here = rows[piece]
        clear = decided(contract, expected, here)
        if group == "extreme":
            clear &= _of_decision(contract, np.isfinite(found[LOGITS][piece]))
        differs = clear & (answers[piece] != wanted[here])
        if not flipped and differs.any():
            first = here[int(by_row(differs).any(axis=1).argmax())]
        compared, flipped = compared + int(clear.sum()), flipped + int(differs.sum())
    return Difference(name, group, compared, flipped, worst_probe=int(first), values=answers.size)


def decided(contract: ModelContract, expected: ExpectedOutputs, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which decisions honest rounding cannot change, of the decision's shape.

    A logit that all evaluations agree is -infinity is a number here: what is masked is never chosen.
    """
    exact = expected.float64[LOGITS][rows]
    honest = expected.envelope.deviation(LOGITS, exact, rows)
    masked = expected.envelope.masked(LOGITS, exact, rows)
    reach = _reach(contract, np.where(masked, 0.0, np.maximum(expected.allowed[LOGITS][rows], honest)))
    with np.errstate(invalid="ignore"):
        clear = margins(contract, exact) > reach
    return np.asarray(clear & _of_decision(contract, expected.comparable[LOGITS][rows] | masked))


def _of_decision(contract: ModelContract, fits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which decisions have only logits that fit."""
    return fits if contract.task == "multilabel" else np.asarray(fits.all(axis=-1))


def _reach(contract: ModelContract, allowed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much each margin may err: one logit's tolerance, or of several the two largest together."""
    if contract.task == "binary":
        return allowed[:, 0]
    return allowed if contract.task == "multilabel" else np.asarray(two_largest(allowed).sum(axis=-1))


def close(first: NDArray[Any], second: NDArray[Any], allowed: NDArray[np.float64]) -> bool:
    """Whether two arrays differ by at most ``allowed`` everywhere; equal infinities and NaN are alike."""
    with np.errstate(invalid="ignore"):
        near = np.abs(first.astype(np.float64) - second.astype(np.float64)) <= allowed
    return bool((near | (first == second) | (np.isnan(first) & np.isnan(second))).all())
