"""What the training rows look like: the counts that a run keeps as profile.json, and its package with it."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parity_runtime import Feature
from parity_runtime.drift.column_counts import ColumnCounts, decile_edges
from parity_runtime.drift.profile import Profile, TargetProfile
from parity_runtime.feature import CATEGORIES, MISSING_TIMESTAMP, TIMESTAMPS
from parity_training.data.training_data import TrainingData

_ROWS_AT_ONCE = 2**16  # so that what is counted on the way is small beside the rows


def training_profile(training_data: TrainingData) -> Profile | None:
    """Return the counts of the rows that are trained on; None of a problem that has dates and does not say them.

    The deciles of a column are found in all of its training rows; the counts between them merge in any order.
    """
    contract, rows = training_data.contract, training_data.part("train")
    if len(training_data.date_counts) != len(contract.features_of(TIMESTAMPS)):
        return None
    counts = {feature.name: _column(training_data, feature, rows) for feature in contract.features}
    return Profile(counts, _target(training_data, rows))


def date_counts(feature: Feature, seconds: NDArray[np.int64]) -> ColumnCounts:
    """Return the counts of a date's training rows, int64 ``[rows]``."""
    counts = ColumnCounts.empty(feature, decile_edges(seconds[seconds != MISSING_TIMESTAMP]))
    counts.update(seconds)
    return counts


def _column(training_data: TrainingData, feature: Feature, rows: Tensor) -> ColumnCounts:
    if feature.kind == "datetime":
        return training_data.date_counts[feature.index]
    if feature.input == CATEGORIES and training_data.indices is not None:
        counts = ColumnCounts.empty(feature)
        for indices in _pieces(training_data.indices[:, feature.index], rows):
            counts.update_indices(indices)
        return counts
    cells = training_data.data[:, feature.index][rows].numpy()
    known = cells[~np.isnan(cells)]
    counts = ColumnCounts.empty(feature, () if feature.kind == "boolean" else decile_edges(known))
    counts.update(cells)
    return counts


def _pieces(column: Tensor, rows: Tensor) -> Iterator[NDArray[np.integer]]:
    for piece in torch.split(rows, _ROWS_AT_ONCE):
        yield column[piece].numpy()


def _target(training_data: TrainingData, rows: Tensor) -> TargetProfile:
    contract, target = training_data.contract, training_data.target[rows].numpy()
    name = contract.targets[0]
    if contract.is_classifier:
        return TargetProfile(name, np.bincount(target, minlength=len(contract.classes)))
    feature = Feature(name, "target", 0, low=float(target.min()), high=float(target.max()))
    counts = ColumnCounts.empty(feature, decile_edges(target))
    counts.update(target)
    return TargetProfile(name, None, counts)
