"""How far a regression is off: how its errors are spread, and where along its predictions they lie."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_training.diagnostics.numbers import cell, cells

_BINS = 30
_GROUPS = 15
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SHOWN = (0.005, 0.995)  # what lies outside is counted: one outlier would leave a single bar


def residuals(true: NDArray[Any], predicted: NDArray[Any], target: str) -> dict[str, Any]:
    """Return how the true values lie about the predicted ones, in the target's unit.

    Args:
        true: float ``[rows]``.
        predicted: float ``[rows]``.
        target: whose values they are.

    Returns:
        ``target``; of the rows whose prediction is finite ``quantiles`` of the residual, true less predicted, by their
        share; ``histogram`` (``edges``, ``counts``, and how many rows lie ``below`` and ``above``); ``by_prediction``:
        rows in groups of equal size by their prediction, each with ``rows``, the mean ``predicted`` and ``true`` value,
        and of the true ones the quantiles 0.1 (``low``) and 0.9 (``high``).
    """
    true, predicted = true.astype(np.float64), predicted.astype(np.float64)
    known = np.isfinite(predicted)
    if not known.any():
        return {"target": target}
    true, predicted = true[known], predicted[known]
    residual = true - predicted
    low, high = np.quantile(residual, _SHOWN)
    counts, edges = np.histogram(residual, _BINS, (low, high) if low < high else (low - 0.5, low + 0.5))
    quantiles = zip(map(str, _QUANTILES), cells(np.quantile(residual, _QUANTILES)), strict=True)
    histogram = {"edges": cells(edges), "counts": counts.tolist()}
    outside = {"below": int((residual < edges[0]).sum()), "above": int((residual > edges[-1]).sum())}
    groups = np.array_split(np.argsort(predicted, kind="stable"), min(_GROUPS, len(predicted)))
    return {
        "target": target,
        "quantiles": dict(quantiles),
        "histogram": histogram | outside,
        "by_prediction": [_group(true[rows], predicted[rows]) for rows in groups],
    }


def _group(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Any]:
    low, high = np.quantile(true, (0.1, 0.9))
    figures = {"predicted": predicted.mean(), "true": true.mean(), "low": low, "high": high}
    return {"rows": len(true)} | {name: cell(value) for name, value in figures.items()}
