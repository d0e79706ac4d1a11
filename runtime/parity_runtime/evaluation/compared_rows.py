"""Predictions beside the true values of a table's rows, and beside what a constant would have said."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import LABEL, PROBABILITIES, VALUE, ModelContract
from parity_runtime.evaluation.baseline import ClassBaseline, Trained, ValueBaseline, regression_of
from parity_runtime.evaluation.classification_metrics import ClassificationMetrics
from parity_runtime.evaluation.true_cells import class_indices, known_numbers
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.tables.chunk import Chunk


class ComparedClasses:
    """A classifier's answers, compared with a column.

    Args:
        contract: of the classifier.
        target: the column.
        trained: the training rows of each class, for the baseline; None for none.
        binned: as of `ClassificationMetrics`.
    """

    def __init__(self, contract: ModelContract, target: str, trained: Trained | None, *, binned: bool) -> None:
        self._contract, self._target = contract, target
        self._metrics = ClassificationMetrics(len(contract.classes), binned=binned)
        self._baseline = ClassBaseline(contract.classes, trained) if isinstance(trained, np.ndarray) else None

    def update(self, chunk: Chunk, outputs: Arrays) -> NDArray[Any]:
        """Take rows and their answers, and return the true classes, int64 ``[rows]``.

        Raises:
            InputError: names the first row whose cell is no class of the model.
        """
        true = class_indices(self._contract, chunk, self._target)
        self._metrics.update(true, outputs[LABEL], outputs[PROBABILITIES])
        return true

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""
        self._metrics.merge(other._metrics)

    def result(self) -> dict[str, Any]:
        """Return the metrics, and as ``baseline`` those of the most frequent class, where it is known."""
        found = self._metrics.result()
        if self._baseline is not None:
            found["baseline"] = self._baseline.metrics(self._metrics.confusion.sum(axis=1))
        return found


class ComparedValues:
    """A regression's answers, compared with a column, or with one for each of its targets.

    Args:
        contract: of the regression.
        targets: the columns; one may have another name than the contract's only target.
        trained: the constants that the training would predict, for the baseline; None for none.
    """

    def __init__(self, contract: ModelContract, targets: tuple[str, ...], trained: Trained | None) -> None:
        self._targets = targets
        self._places = [contract.targets.index(target) if target in contract.targets else 0 for target in targets]
        self._metrics: Any = regression_of(targets, contract.objective)
        self._baseline = None
        if trained is not None and not isinstance(trained, np.ndarray):
            names = [contract.targets[place] for place in self._places]
            constants = {target: trained[name] for target, name in zip(targets, names, strict=True)}
            self._baseline = ValueBaseline(contract.objective, constants)

    def update(self, chunk: Chunk, outputs: Arrays) -> NDArray[Any]:
        """Take rows and their answers, and return the true values, float64 ``[rows]``, of several ``[rows, targets]``.

        Raises:
            InputError: names the first row whose cell is no number to compare.
        """
        true, predicted = known_numbers(chunk, self._targets), outputs[VALUE][:, self._places]
        if len(self._targets) == 1:
            true, predicted = true[:, 0], predicted[:, 0]
        self._metrics.update(true, predicted)
        if self._baseline is not None:
            self._baseline.update(true)
        return true

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""
        self._metrics.merge(other._metrics)
        if self._baseline is not None and other._baseline is not None:
            self._baseline.merge(other._baseline)

    def result(self) -> dict[str, Any]:
        """Return the metrics, and as ``baseline`` those of the constants, where they are known."""
        found: dict[str, Any] = self._metrics.result()
        return found if self._baseline is None else found | {"baseline": self._baseline.result()}
