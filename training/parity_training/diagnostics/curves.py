"""The ROC and the precision-recall curve of each class against the rest: as few points as show them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity_runtime.evaluation.roc_auc import roc_auc
from parity_training.diagnostics.numbers import points, rounded

MOST_CLASSES = 10
"""Classes whose curves are told apart in one picture; of more, the `WORST` and the mean."""

WORST = 5
_MOST_POINTS = 200
_MOST_ROWS = 100_000  # a curve of more rows looks the same
_MOST_NAMED = 10
_GRID = np.linspace(0, 1, 101)

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """A curve of one class: ``x`` and ``y``, float64 ``[points]`` each, ascending in ``x``, and the area under it."""

    x: Floats
    y: Floats
    area: float


def curves(true: NDArray[Any], probabilities: NDArray[Any], classes: tuple[Any, ...]) -> dict[str, Any]:
    """Return the curves of a classifier.

    Args:
        true: class indices, integers ``[rows]``.
        probabilities: float ``[rows, classes]``.
        classes: the labels by index.

    Returns:
        ``rows``, and under ``roc`` (points: false positive rate, true positive rate) and ``precision_recall`` (recall,
        precision) each: ``classes``, the curves from the smallest area on (of two classes that of the second); where
        there are more than 10 classes the worst 5 alone, their number less these as ``left_out``, and ``mean``, over
        all classes that have a curve; ``undefined``, how many have none, as every row or no row is theirs, and
        ``undefined_classes``, the first of them.
    """
    step = -(-len(true) // _MOST_ROWS)
    true, probabilities = true[::step], probabilities[::step]
    kinds: dict[str, Callable[[NDArray[np.bool_], NDArray[Any]], Curve | None]]
    kinds = {"roc": roc_curve, "precision_recall": precision_recall_curve}
    return {"rows": len(true)} | {name: _of_kind(make, true, probabilities, classes) for name, make in kinds.items()}


def roc_curve(positive: NDArray[np.bool_], score: NDArray[Any]) -> Curve | None:
    """Return the true positive rate over the false positive rate; None without rows of both kinds.

    Args:
        positive: bool ``[rows]``.
        score: float ``[rows]``; equal scores are one step.
    """
    area = roc_auc(positive, score)
    if area is None:
        return None
    hits, alarms = _counts(positive, score)
    return Curve(np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1]), area)


def precision_recall_curve(positive: NDArray[np.bool_], score: NDArray[Any]) -> Curve | None:
    """Return the precision over the recall; None without rows of both kinds.

    A precision holds from the recall before it on, up to its own: the area is the sum of these steps, the average
    precision.

    Args:
        positive: bool ``[rows]``.
        score: float ``[rows]``; equal scores are one step.
    """
    if not 0 < np.count_nonzero(positive) < len(positive):
        return None
    hits, alarms = _counts(positive, score)
    grown = np.diff(hits, prepend=0.0) > 0  # the other thresholds add false alarms alone
    recall, precision = (hits / hits[-1])[grown], (hits / (hits + alarms))[grown]
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return Curve(np.append(0.0, recall), np.append(precision[0], precision), area)


def _counts(positive: NDArray[np.bool_], score: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return of each threshold, from the highest score down, the positive and the negative rows from it on."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    hits, alarms = (np.cumsum(kind[order])[last].astype(np.float64) for kind in (positive, ~positive))
    return hits, alarms


def _of_kind(
    make: Callable[[NDArray[np.bool_], NDArray[Any]], Curve | None],
    true: NDArray[Any],
    probabilities: NDArray[Any],
    classes: tuple[Any, ...],
) -> dict[str, Any]:
    chosen = [1] if len(classes) == 2 else range(len(classes))
    areas: dict[int, float] = {}
    undefined, mean = [], np.zeros(len(_GRID))
    many = len(chosen) > MOST_CLASSES
    for index in chosen:
        curve = make(true == index, probabilities[:, index])
        if curve is None:
            undefined.append(index)
            continue
        areas[index] = curve.area
        if many:
            mean += _on_grid(curve, steps=make is precision_recall_curve)
    worst = sorted(areas, key=lambda index: areas[index])
    shown = worst[:WORST] if many else worst
    told = []
    for index in shown:
        curve = make(true == index, probabilities[:, index])
        if curve is not None:
            rows = int(np.count_nonzero(true == index))
            told.append({"class": classes[index], "rows": rows, "area": rounded(curve.area), "points": _few(curve)})
    found: dict[str, Any] = {"classes": told, "left_out": len(areas) - len(shown)}
    if many and areas:
        mean_points = points(_GRID, mean / len(areas))
        found["mean"] = {"classes": len(areas), "area": rounded(np.mean([*areas.values()])), "points": mean_points}
    named = [classes[index] for index in undefined[:_MOST_NAMED]]
    return found | {"undefined": len(undefined), "undefined_classes": named}


def _on_grid(curve: Curve, *, steps: bool) -> Floats:
    """Return a curve's height at each of 101 places from 0 to 1."""
    if steps:
        return curve.y[np.minimum(np.searchsorted(curve.x, _GRID), len(curve.x) - 1)]
    return np.interp(_GRID, curve.x, curve.y)


def _few(curve: Curve) -> list[list[float | None]]:
    """Return at most 200 points of a curve, its ends and its corners among them where there is room."""
    x, y = curve.x, curve.y
    flat = (np.diff(x[:-1]) == 0) & (np.diff(x[1:]) == 0) | (np.diff(y[:-1]) == 0) & (np.diff(y[1:]) == 0)
    kept = np.concatenate([[True], ~flat, [True]])
    x, y = x[kept], y[kept]
    if len(x) > _MOST_POINTS:
        length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        places = np.searchsorted(length, np.linspace(0, length[-1], _MOST_POINTS))
        chosen = np.unique(np.concatenate([[0], places.clip(max=len(x) - 1)]))[-_MOST_POINTS:]
        x, y = x[chosen], y[chosen]
    return points(x, y)
