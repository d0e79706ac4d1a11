"""How good a regression's predictions are, over rows that come in parts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError
from parity_runtime.evaluation.exact_sum import ExactSum, exact_square
from parity_runtime.objective import POISSON, quantile_level


class RegressionMetrics:
    """How good a regression of one target is, over rows that come in any number of parts, in any order; the same bits.

    Sums are exact, and rounded once; in constant memory.

    Args:
        objective: what is predicted, as `parity_runtime.objective` has it; None for the mean.
    """

    def __init__(self, objective: str | None = None) -> None:
        self._level, self._poisson = quantile_level(objective), objective == POISSON
        self._rows, self._outside = 0, 0  # rows that Poisson's deviance does not take
        self._errors = ExactSum(3)  # absolute, squared, and the objective's
        self._true = ExactSum(2)  # the true values and their squares

    def update(self, true: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Take rows, float ``[rows]`` both."""
        true, predicted = true.astype(np.float64), predicted.astype(np.float64)
        error = predicted - true
        self._rows += len(true)
        groups = np.repeat([0, 1], len(true))
        self._errors.update(np.concatenate([np.abs(error), np.square(error)]), groups)
        square, rounded_off = exact_square(true)
        self._true.update(np.concatenate([true, square]), groups)
        self._true.update(rounded_off, np.ones(len(true), np.int64))
        losses = self._losses(true, predicted)
        self._errors.update(losses, np.full(len(losses), 2))

    def _losses(self, true: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of each row that the objective names, float64 ``[rows]``; nothing for the mean."""
        if self._level is not None:
            return pinball_losses(true, predicted, self._level)
        if not self._poisson:
            return np.zeros(0)
        losses = poisson_deviances(true, predicted)
        known = np.isfinite(losses)
        self._outside += len(true) - int(known.sum())
        return losses[known]

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of the same objective."""
        self._rows += other._rows
        self._outside += other._outside
        self._errors.merge(other._errors)
        self._true.merge(other._true)

    def result(self) -> dict[str, Any]:
        """Return the metrics.

        Returns:
            rows, mae, rmse (in the target's unit) and r2; of a quantile pinball_loss; of Poisson's objective
            poisson_deviance, the mean, None where a prediction is not above 0 or a true value below it.

        Raises:
            InputError: there are no rows.
        """
        rows = self._rows
        if not rows:
            raise InputError("there are no rows to evaluate")
        (absolute, squared, loss), (total, squares) = self._errors.values(), self._true.exact()
        spread = squares - total**2 / rows  # of the true values about their mean
        found: dict[str, Any] = {
            "rows": rows,
            "mae": float(absolute / rows),
            "rmse": math.sqrt(squared / rows),
            "r2": float(1 - squared / float(spread)) if spread else float(not squared),
        }
        if self._level is not None:
            found["pinball_loss"] = float(loss / rows)
        if self._poisson:
            found["poisson_deviance"] = None if self._outside else float(loss / rows)
        return found


class SeveralTargets:
    """How good a regression of several targets is; of each, as `RegressionMetrics`.

    Args:
        targets: their names.
        objective: of all.
    """

    def __init__(self, targets: Sequence[str], objective: str | None = None) -> None:
        self._of = {target: RegressionMetrics(objective) for target in targets}

    def update(self, true: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Take rows, float ``[rows, targets]`` both."""
        for place, metrics in enumerate(self._of.values()):
            metrics.update(true[:, place], predicted[:, place])

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of the same targets."""
        for target, metrics in self._of.items():
            metrics.merge(other._of[target])

    def result(self) -> dict[str, Any]:
        """Return rows, of each metric the plain mean over the targets, and as ``targets`` those of each.

        Raises:
            InputError: there are no rows.
        """
        return over_targets({target: metrics.result() for target, metrics in self._of.items()})


def pinball_losses(true: NDArray[np.float64], predicted: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return the loss of a quantile, float64 ``[rows]``, in the target's unit."""
    above = true - predicted
    return np.where(above >= 0, level * above, (level - 1) * above)


def poisson_deviances(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the deviance of each row, float64 ``[rows]``: NaN where the rate is not above 0, or the count below it."""
    known = (predicted > 0) & (true >= 0)
    y, mu = np.where(known, true, 0.0), np.where(known, predicted, 1.0)
    log = np.log(np.divide(y, mu, out=np.ones_like(y), where=y > 0))
    return np.where(known, 2 * (y * log - y + mu), np.nan)


def over_targets(found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what several targets have together: rows, the plain mean of each metric, and those of each target.

    A metric that one of them lacks is None.

    Args:
        found: the metrics of each, with its rows.
    """
    first = next(iter(found.values()))
    means: dict[str, Any] = {}
    for name in first:
        values = [metrics[name] for metrics in found.values()]
        means[name] = None if None in values else math.fsum(values) / len(values)
    each = {target: {name: metrics[name] for name in metrics if name != "rows"} for target, metrics in found.items()}
    return means | {"rows": first["rows"], "targets": each}


def regression_metrics(true: NDArray[Any], predicted: NDArray[Any], objective: str | None = None) -> dict[str, Any]:
    """Return `RegressionMetrics` of all rows at once."""
    metrics = RegressionMetrics(objective)
    metrics.update(true, predicted)
    return metrics.result()
