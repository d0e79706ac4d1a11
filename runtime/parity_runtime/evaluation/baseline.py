"""What a prediction that knows nothing of a row reaches: a constant, taken from the rows of the training.

A model is worth something where it is better than that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.evaluation.classification_metrics import SMALLEST_PROBABILITY
from parity_runtime.evaluation.confusion import binary_counts, confusion_figures
from parity_runtime.evaluation.regression_metrics import RegressionMetrics, SeveralTargets
from parity_runtime.objective import constant_name

MOST_FREQUENT, LAST_VALUE = "most frequent class", "last value"
"""Names of baselines, beside those of `parity_runtime.objective.constant_name`; the last takes the row before it."""

Trained = NDArray[np.int64] | Mapping[str, float]
"""What is known of the target of the training rows: the rows of each class, int64 ``[classes]``, one at least; or of
each target of a regression, by its name, the constant that its objective would predict."""


@dataclass(frozen=True)
class ClassBaseline:
    """Always the most frequent class of the training, with the shares of its classes as probabilities.

    >>> import numpy as np
    >>> from parity_runtime.evaluation.baseline import ClassBaseline
    >>> never = ClassBaseline(("no", "yes"), np.array([90, 10]))
    >>> found = never.metrics(np.array([40, 10]))
    >>> found["predicts"], found["accuracy"], found["recall"], found["roc_auc"]
    ('no', 0.8, 0.0, 0.5)

    Attributes:
        classes: their labels.
        counts: of the training rows of each class, int64 ``[classes]``; of one row at least.
    """

    classes: tuple[str, ...] | tuple[int, ...]
    counts: NDArray[np.int64]

    def metrics(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Return the metrics of this prediction, those of `ClassificationMetrics` but for the confusion.

        Args:
            rows: how many rows of each true class are evaluated, int64 ``[classes]``; one at least.
        """
        shares, predicted = self.counts / self.counts.sum(), int(self.counts.argmax())
        confusion = np.zeros((len(rows), len(rows)), np.int64)
        confusion[:, predicted] = rows
        every, true_shares = bool(rows.all()), rows / rows.sum()
        precisions = true_shares[1:] if len(rows) == 2 else true_shares
        return {
            "name": MOST_FREQUENT,
            "predicts": self.classes[predicted],
            **confusion_figures(confusion),
            "log_loss": float((true_shares * -np.log(np.clip(shares, SMALLEST_PROBABILITY, 1))).sum()),
            "brier": float((true_shares * _squares(shares)).sum()),
            "roc_auc": 0.5 if every else None,
            "average_precision": float(precisions.mean()) if every else None,
            "calibration_error": float(abs(true_shares[predicted] - shares[predicted])),
            **binary_counts(confusion),
        }


def _squares(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Brier's score of a row of each class, float64 ``[classes]``."""
    apart = shares - np.eye(len(shares))
    squares: NDArray[np.float64] = np.square(apart[:, 1:] if len(shares) == 2 else apart).sum(axis=1)
    return squares


class ValueBaseline:
    """Always one number, over rows that come in any number of parts, in any order.

    Args:
        objective: of the model, as `parity_runtime.objective` has it; None for the mean.
        constants: what is predicted of each target that is evaluated, in the target's unit, by its name.
    """

    def __init__(self, objective: str | None, constants: Mapping[str, float]) -> None:
        self._name, self._constants = constant_name(objective), dict(constants)
        self._metrics: Any = regression_of(tuple(constants), objective)

    def update(self, true: NDArray[Any]) -> None:
        """Take the true values of rows, float ``[rows]``; of several targets ``[rows, targets]``."""
        constants = list(self._constants.values())
        self._metrics.update(true, np.broadcast_to(np.array(constants if true.ndim == 2 else constants[0]), true.shape))

    def merge(self, other: "ValueBaseline") -> None:
        """Take the rows that another one has taken, of the same constants."""
        self._metrics.merge(other._metrics)

    def result(self) -> dict[str, Any]:
        """Return the metrics of this prediction; of several targets each says what is predicted.

        Raises:
            InputError: there are no rows.
        """
        found: dict[str, Any] = self._metrics.result()
        if "targets" not in found:
            return {"name": self._name, "predicts": next(iter(self._constants.values())), **found}
        each = {
            target: {"predicts": self._constants[target], **metrics} for target, metrics in found["targets"].items()
        }
        return {"name": self._name, **found, "targets": each}


Baseline = ClassBaseline | ValueBaseline
"""What a constant prediction reaches."""


def regression_of(targets: tuple[str, ...], objective: str | None) -> RegressionMetrics | SeveralTargets:
    """Return the metrics of no row yet, of one target or of several."""
    return RegressionMetrics(objective) if len(targets) == 1 else SeveralTargets(targets, objective)
