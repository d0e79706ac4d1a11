"""What a prediction that knows nothing of a row reaches on the rows that are evaluated."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import ModelContract
from parity_runtime.evaluation.baseline import LAST_VALUE, ClassBaseline, Trained, ValueBaseline, regression_of
from parity_runtime.evaluation.metrics import classification_metrics
from parity_runtime.objective import measure_of


def baseline_of(
    contract: ModelContract, true: NDArray[Any], trained: Trained | None, order: NDArray[np.int64] | None = None
) -> dict[str, Any] | None:
    """Return the metrics of the constant that the training rows give; in time those of the row before, where better.

    Better is judged as the model is: by the accuracy, or by what the objective minimizes. The row before is a poor
    guess where a class is rare or a value does not last, and a model that learned nothing would look well beside it.

    Args:
        contract: of the model.
        true: of the evaluated rows: class indices ``[rows]``, or numbers ``[rows]`` or ``[rows, targets]``.
        trained: the training rows of each class, or the constant of each target.
        order: of rows that are split in time: their order. Of each is predicted what the row before it was, and of the
            first, before which none is known, the constant. None where time does not matter.

    Returns:
        None where nothing is known of the training rows.
    """
    if trained is None:
        return None
    constant = _constant(contract, true, trained)
    if order is None:
        return constant
    before = {"name": LAST_VALUE, **_row_before(contract, true[order], trained)}
    return before if _is_better(contract, before, constant) else constant


def _constant(contract: ModelContract, true: NDArray[Any], trained: Trained) -> dict[str, Any]:
    if isinstance(trained, np.ndarray):
        return ClassBaseline(contract.classes, trained).metrics(np.bincount(true, minlength=len(trained)))
    baseline = ValueBaseline(contract.objective, {name: trained[name] for name in contract.targets})
    baseline.update(_as_columns(contract, true))
    return baseline.result()


def _row_before(contract: ModelContract, ordered: NDArray[Any], trained: Trained) -> dict[str, Any]:
    if isinstance(trained, np.ndarray):
        return _classes_before(ordered, trained)
    constants = np.array([trained[name] for name in contract.targets])
    return values_compared(contract, ordered, _before(ordered.reshape(len(ordered), -1), constants))


def _is_better(contract: ModelContract, one: dict[str, Any], other: dict[str, Any]) -> bool:
    if contract.is_classifier:
        return bool(one["accuracy"] > other["accuracy"])
    name = measure_of(contract.objective)[1]
    if other[name] is None:  # of Poisson's deviance where a true value is below 0
        name = measure_of(None)[1]
    return one[name] is not None and bool(one[name] < other[name])


def values_compared(contract: ModelContract, true: NDArray[Any], predicted: NDArray[Any]) -> dict[str, Any]:
    """Return the metrics of a regression.

    Args:
        contract: of the model.
        true: ``[rows]`` or ``[rows, targets]``.
        predicted: ``[rows, targets]``.
    """
    metrics: Any = regression_of(contract.targets, contract.objective)
    metrics.update(_as_columns(contract, true), _as_columns(contract, predicted))
    found: dict[str, Any] = metrics.result()
    return found


def _as_columns(contract: ModelContract, values: NDArray[Any]) -> NDArray[Any]:
    """Return values ``[rows]`` of one target, ``[rows, targets]`` of several."""
    return values if len(contract.targets) > 1 else values.reshape(len(values))


def _classes_before(true: NDArray[Any], counts: NDArray[np.int64]) -> dict[str, Any]:
    before = _before(true, counts.argmax())
    found = classification_metrics(true, before, np.eye(len(counts))[before])
    return {name: value for name, value in found.items() if name != "confusion"}


def _before(true: NDArray[Any], first: Any) -> NDArray[Any]:
    """Return of each row what the one before it is, and ``first`` of the first."""
    before = np.empty_like(true)
    before[:1], before[1:] = first, true[:-1]
    return before
