"""What the training rows look like: the counts that a run keeps as profile.json, and its package with it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from parity_runtime import Feature
from parity_runtime.drift.column_counts import ColumnCounts, decile_edges
from parity_runtime.drift.profile import Profile, TargetProfile
from parity_runtime.feature import CATEGORIES, MISSING_TIMESTAMP, TIMESTAMPS
from parity_training.data.problem import Problem

_ROWS_AT_ONCE = 2**16  # so that what is counted on the way is small beside the rows


def training_profile(problem: Problem) -> Profile | None:
    """Return the counts of the rows that are trained on; None of a problem that has dates and does not say them.

    The deciles of a column are found in all of its training rows, or in a sample of rows that lie on a disk; the counts
    between them are of all, and merge in any order.
    """
    contract = problem.contract
    if len(problem.date_counts) != len(contract.features_of(TIMESTAMPS)):
        return None
    counts = {feature.name: _column(problem, feature) for feature in contract.features}
    target = _target(problem)
    for data, *indices, labels in problem.pieces("train", _ROWS_AT_ONCE):
        for feature in contract.features:
            if feature.input == CATEGORIES:
                counts[feature.name].update_indices(indices[0][:, feature.index].numpy())
            elif feature.kind != "datetime":
                counts[feature.name].update(data[:, feature.index].numpy())
        if isinstance(target, ColumnCounts):
            target.update(_first(labels))
    name = contract.targets[0]
    if isinstance(target, ColumnCounts):
        return Profile(counts, TargetProfile(name, None, target))
    return Profile(counts, TargetProfile(name, target))


def date_counts(feature: Feature, seconds: NDArray[np.int64]) -> ColumnCounts:
    """Return the counts of a date's training rows, int64 ``[rows]``."""
    counts = no_date_counts(feature, seconds)
    counts.update(seconds)
    return counts


def no_date_counts(feature: Feature, seconds: NDArray[np.int64]) -> ColumnCounts:
    """Return the counts of a date in no row, with the deciles of some rows, int64 ``[rows]``."""
    return ColumnCounts.empty(feature, decile_edges(seconds[seconds != MISSING_TIMESTAMP]))


def _column(problem: Problem, feature: Feature) -> ColumnCounts:
    if feature.kind == "datetime":
        return problem.date_counts[feature.index]
    if feature.input == CATEGORIES or feature.kind == "boolean":
        return ColumnCounts.empty(feature)
    cells = problem.numbers(feature.index)
    return ColumnCounts.empty(feature, decile_edges(cells[~np.isnan(cells)]))


def _target(problem: Problem) -> ColumnCounts | NDArray[np.int64]:
    """Return the rows of each class, or the counts of a regression's target in no row."""
    if problem.contract.is_classifier:
        return problem.class_counts()
    ends = [(float(found.min()), float(found.max())) for found in map(_first, _targets(problem))]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return ColumnCounts.empty(
        Feature(problem.contract.targets[0], "target", 0, low=low, high=high),
        decile_edges(_first(problem.target_sample())),
    )


def _targets(problem: Problem) -> Iterator[Tensor]:
    return (target for *_, target in problem.pieces("train", _ROWS_AT_ONCE))


def _first(targets: Tensor | NDArray[Any]) -> NDArray[Any]:
    """Return the first of several targets: a profile describes one."""
    return np.asarray(targets).reshape(len(targets), -1)[:, 0]
