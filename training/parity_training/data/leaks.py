"""Features that tell the target by themselves: known too late, or the same thing under another name."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import argument
from parity_training.data.columns import Columns
from parity_training.data.training_data import TrainingData

_LOOKED_AT_FIRST = 1000  # rows, which clear most columns


def leaks(columns: Columns, training_data: TrainingData) -> Iterator[str]:
    """Give a sentence for each feature that equals the target in every row, or stands one to one with the classes."""
    target = training_data.target.numpy()
    name = training_data.contract.targets[0]
    is_classifier = training_data.contract.is_classifier
    numbers = zip(columns.of("numeric", "boolean"), columns.data.T, strict=False)  # years are behind them
    for feature, column in numbers:
        if is_classifier and _is_one_to_one(column, target):
            yield _one_to_one(feature, name)
        elif not is_classifier and _is_equal(column, target):
            yield f"{feature} equals {name} in every row: {_way_out(feature)}"
    for feature, column in zip(columns.of("categorical", "code"), columns.codes.T, strict=True):
        if is_classifier and _is_one_to_one(column, target):
            yield _one_to_one(feature, name)


def _is_equal(column: NDArray[np.floating], target: NDArray[np.floating]) -> bool:
    first = slice(_LOOKED_AT_FIRST)
    return np.array_equal(column[first], target[first]) and np.array_equal(column, target)


def _is_one_to_one(column: NDArray[np.generic], target: NDArray[np.integer]) -> bool:
    """Whether each class has a value of its own, and each value a class."""
    return all(_pairs_up(column[rows], target[rows]) for rows in (slice(_LOOKED_AT_FIRST), slice(None)))


def _pairs_up(column: NDArray[np.generic], target: NDArray[np.integer]) -> bool:
    values, index = np.unique(column, return_inverse=True)
    classes = len(np.unique(target))
    if len(values) != classes:
        return False
    return len(np.unique(index.astype(np.int64) * (int(target.max()) + 1) + target)) == classes


def _one_to_one(feature: str, target: str) -> str:
    return f"{feature} stands one to one with the classes of {target}: {_way_out(feature)}"


def _way_out(feature: str) -> str:
    return f"is it known when a prediction is made? {argument('drop_columns', (feature,))} leaves it out"
