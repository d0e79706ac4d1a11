"""What the training rows look like: the counts that a run keeps as profile.json, and its package with it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_runtime import Feature
from parity_runtime.drift.column_counts import ColumnCounts, decile_edges
from parity_runtime.drift.profile import Profile
from parity_runtime.drift.target_profile import TargetProfile
from parity_runtime.feature import CATEGORIES, MISSING_TIMESTAMP, TIMESTAMPS
from parity_training.data.problem import Problem
from parity_training.data.training_targets import ROWS_AT_ONCE, training_targets


def training_profile(problem: Problem, targets: Sequence[TargetProfile] | None = None) -> Profile | None:
    """Return the counts of the rows that are trained on; None of a problem that has dates and does not say them.

    The deciles of a column are found in all of its training rows, or in a sample of rows that lie on a disk; the counts
    between them are of all, and merge in any order.

    Args:
        problem: the rows.
        targets: what `parity_training.data.training_targets.training_targets` returned; None finds it.
    """
    contract = problem.contract
    if len(problem.date_counts) != len(contract.features_of(TIMESTAMPS)):
        return None
    counts = {feature.name: _column(problem, feature) for feature in contract.features}
    for data, *indices, _ in problem.pieces("train", ROWS_AT_ONCE):
        for feature in contract.features:
            if feature.input == CATEGORIES:
                counts[feature.name].update_indices(indices[0][:, feature.index].numpy())
            elif feature.kind != "datetime":
                counts[feature.name].update(data[:, feature.index].numpy())
    known = tuple(training_targets(problem) if targets is None else targets)
    return Profile(counts, known[0]) if len(known) == 1 else Profile(counts, None, known)


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
