"""Features that tell the target by themselves: known too late, or the same thing under another name."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import Feature
from parity_runtime.arguments import argument
from parity_runtime.feature import CATEGORIES
from parity_training.data.problem import PARTS, Problem


def leaks(problem: Problem) -> Iterator[str]:
    """Give a sentence for each feature that equals the target in every row, or stands one to one with the classes."""
    contract, name = problem.contract, problem.contract.targets[0]
    found: list[tuple[Feature, Any]] = [
        (feature, _OneToOne() if contract.is_classifier else _Equal())
        for feature in sorted(contract.features, key=lambda feature: feature.is_text)
        if feature.kind != "datetime" and (contract.is_classifier or feature.input != CATEGORIES)
    ]
    classes = set[int]()
    for data, *indices, target in (piece for part in PARTS for piece in problem.pieces(part)):
        labels = target.reshape(len(target), -1)[:, 0].numpy()  # of several targets the first
        classes.update(np.unique(labels).tolist() if contract.is_classifier else ())
        found = [(feature, one) for feature, one in found if one.goes_on(_cells(feature, data, indices), labels)]
        if not found:  # the first rows clear most columns
            return
    for feature, one in found:
        if not contract.is_classifier:
            yield f"{feature.name} equals {name} in every row: {_way_out(feature.name)}"
        elif one.classes == classes:
            yield f"{feature.name} corresponds one to one with the classes of {name}: {_way_out(feature.name)}"


def _cells(feature: Feature, data: Any, indices: list[Any]) -> NDArray[Any]:
    cells: NDArray[Any] = (indices[0] if feature.input == CATEGORIES else data)[:, feature.index].numpy()
    return cells


class _Equal:
    """Whether a column has been equal to the target so far."""

    def goes_on(self, column: NDArray[Any], target: NDArray[Any]) -> bool:
        return np.array_equal(column, target)


class _OneToOne:
    """Whether each class has had a value of its own so far, and each value a class."""

    def __init__(self) -> None:
        self._class_of: dict[Any, int] = {}

    @property
    def classes(self) -> set[int]:
        return {*self._class_of.values()}

    def goes_on(self, column: NDArray[Any], target: NDArray[Any]) -> bool:
        values, index = np.unique(column, return_inverse=True)
        pairs = np.unique(np.stack([index, target]), axis=1)
        if len(values) != len(pairs.T):  # a value of two classes
            return False
        for value, label in zip(values.tolist(), pairs[1].tolist(), strict=True):
            known = None if value != value else value  # noqa: PLR0124 -- NaN, a missing cell, is one value
            if self._class_of.setdefault(known, label) != label:
                return False
        return len(self._class_of) == len(self.classes)


def _way_out(feature: str) -> str:
    return f"is it known when a prediction is made? {argument('drop_columns', (feature,))} leaves it out"
