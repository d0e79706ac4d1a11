"""Probes that are searched for: points on the decision boundary, and points where onnxruntime and torch part."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import ModelFunction, by_row
from parity_export.gate.bisection import Bring, bisect, unchanged, where
from parity_export.gate.probes import ADVERSARIAL, BOUNDARY, Probes, labelled
from parity_runtime.inference.input_validation import Arrays

_BISECTIONS = 60  # halvings of a segment in float64: enough to reach neighbouring float32 values anywhere
_BESIDE = 2.0**-13  # of a segment: its logits lie about 1e-4 from the decision, where it is about 1 long
_SEARCH_ROUNDS = 12


def boundary_rows(
    rows: Probes,
    reference: ModelFunction,
    random: np.random.Generator,
    decision: str,
    count: int,
    inside: Bring = unchanged,
) -> Iterator[Probes]:
    """Yield rows where a decision changes: halve the segment between two rows that differ in it, all at once.

    And rows a little away from there, on both sides: right at a decision no tolerance tells a wrong one from a tie.

    Args:
        rows: where to start from.
        reference: torch in float64, rows first.
        random: pairs the rows.
        decision: the output that is decided: a label, or labels, tags or tokens, each of which is looked for.
        count: how many pairs are halved at most.
        inside: brings rows back into the domains of their inputs.
    """
    floats = {name for name, array in rows.inputs.items() if array.dtype.kind == "f"}
    if not floats:
        return  # nothing lies between two indices or texts

    labels, shuffled = by_row(reference(rows.inputs)[decision]), random.permutation(len(rows))
    first, column = _pairs(labels != labels[shuffled], count)
    if first.size == 0:
        return
    start, end = ({name: array[side] for name, array in rows.inputs.items()} for side in (first, shuffled[first]))
    end |= {name: start[name] for name in start if name not in floats}

    def decided(inputs: Arrays) -> NDArray[Any]:
        return np.asarray(by_row(reference(inputs)[decision])[np.arange(len(column)), column])

    start_labels, end_labels = decided(start), decided(end)
    sides = bisect(start, end, lambda rows: np.asarray(decided(rows) == start_labels), _BISECTIONS, inside)
    crossing = np.flatnonzero(start_labels != end_labels)
    for side, origin in zip(sides, (start, end), strict=True):
        yield labelled(BOUNDARY, side).take(crossing)
        yield labelled(BOUNDARY, inside(_towards(origin, side))).take(crossing[: count // 2])


def _pairs(differ: NDArray[np.bool_], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which pairs of rows are taken, and which of their decisions: of each decision as many, the first ones.

    Args:
        differ: whether a decision of a pair differs, ``[pairs, decisions]``.
        count: how many are taken at most.
    """
    pairs, decisions = np.nonzero(differ)
    rank = np.cumsum(differ, axis=0)[pairs, decisions]
    taken = np.lexsort((decisions, rank))[:count]
    return pairs[taken], decisions[taken]


def _towards(origin: Arrays, rows: Arrays) -> Arrays:
    """Return rows that are moved towards where they came from, by a small part of the way."""
    return {
        name: (array + _BESIDE * (origin[name].astype(np.float64) - array)).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for name, array in rows.items()
    }


def adversarial_rows(
    rows: Probes,
    first: ModelFunction,
    second: ModelFunction,
    random: np.random.Generator,
    count: int,
    inside: Bring = unchanged,
) -> Iterator[Probes]:
    """Yield rows that drive two answers apart: keep the worst, move them a little, keep the worst again.

    The search is bounded by count and seeded, so that it finds the same rows every time.

    Args:
        rows: where to start from, and how far to go.
        first: torch in float64, rows first.
        second: onnxruntime, rows first.
        random: moves the rows.
        count: how many rows are kept.
        inside: brings rows back into the domains of their inputs.
    """
    if not any(array.dtype.kind == "f" for array in rows.inputs.values()):
        return  # indices and text cannot be moved a little
    apart = _apart(rows.inputs, first, second)
    best = rows.take(np.argsort(-apart, kind="stable")[:count])
    score = _apart(best.inputs, first, second)
    floats = {name: array for name, array in rows.inputs.items() if array.dtype.kind == "f"}
    ranges = {name: (array.min(axis=0), array.max(axis=0)) for name, array in floats.items()}
    for step in range(_SEARCH_ROUNDS):
        step_size = 10.0 ** -(step / 2)
        moved = best.inputs | {name: _moved(best.inputs[name], ranges[name], step_size, random) for name in floats}
        moved = inside(moved)
        found = _apart(moved, first, second)
        better = found > score
        inputs = {name: where(better, moved[name], array) for name, array in best.inputs.items()}
        best, score = Probes(inputs, best.kinds), np.maximum(score, found)
    yield labelled(ADVERSARIAL, best.inputs)


def _apart(inputs: Arrays, first: ModelFunction, second: ModelFunction) -> NDArray[np.float64]:
    """Return the largest difference over the float outputs of each row, each output in units of its own spread."""
    apart = np.zeros(len(next(iter(inputs.values()))))
    ours = first(inputs)
    try:
        theirs = second(inputs)
    except Exception:  # onnxruntime's own; that it cannot answer is the gate's to report
        return apart
    for name, values in ours.items():
        if values.dtype.kind == "f" and values.size and values.shape == theirs[name].shape:
            with np.errstate(invalid="ignore", over="ignore"):
                difference = np.abs(theirs[name].astype(np.float64) - values).reshape(len(values), -1)
            scale = float(np.median(np.abs(values[np.isfinite(values)]))) if np.isfinite(values).any() else 0.0
            apart = np.maximum(apart, np.nan_to_num(difference, posinf=0.0).max(axis=1) / (scale or 1.0))
    return apart


def _moved(
    array: NDArray[Any], within: tuple[NDArray[Any], NDArray[Any]], step: float, random: np.random.Generator
) -> NDArray[Any]:
    """Move floats by a part of their range, and keep them inside it: far away every backend errs more."""
    low, high = within
    moved = array + step * (high.astype(np.float64) - low) * random.standard_normal(array.shape)
    clipped: NDArray[Any] = np.clip(moved, low, high).astype(array.dtype)
    return clipped
