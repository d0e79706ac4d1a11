"""What a table's contract says of its features, and their indices: both by the training rows alone."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity_runtime import Feature, TensorSpec
from parity_runtime.feature import (
    CATEGORIES,
    FEATURES,
    FIRST_INDEX,
    MISSING_INDEX,
    MISSING_TIMESTAMP,
    TIMESTAMPS,
    UNKNOWN_INDEX,
    ColumnKind,
)
from parity_training.data.column_stats import ColumnStats
from parity_training.data.columns import Columns
from parity_training.data.encode_columns import CALENDAR_SIZES, calendar_indices
from parity_training.data.raw_rows import RawRows
from parity_training.data.vocabulary import CategoryCounts

MOST_CATEGORIES = 1000
"""Of a column that have an index each, unless somebody says otherwise."""

_INPUTS: dict[str, tuple[str, tuple[ColumnKind, ...]]] = {
    FEATURES: ("float32", ("numeric", "boolean")),
    CATEGORIES: ("string", ("categorical", "code")),
    TIMESTAMPS: ("int64", ("datetime",)),
}
"""The inputs of a table's graph in their order: what they hold."""


def table_inputs(features: Sequence[Feature]) -> tuple[TensorSpec, ...]:
    """Return the inputs of the graph of a table, those of `parity_runtime.feature` that its features need."""
    widths = {name: sum(feature.kind in kinds for feature in features) for name, (_, kinds) in _INPUTS.items()}
    return tuple(TensorSpec(name, _INPUTS[name][0], ("batch", width)) for name, width in widths.items() if width)


class TableFeatures:
    """The features of a table, fitted on the rows that are trained on.

    Args:
        columns: the table.
        stats: of its rows.
        max_categories: how many categories of a column have an index, at most.
    """

    def __init__(self, columns: Columns, stats: ColumnStats, max_categories: int = MOST_CATEGORIES) -> None:
        self._columns, self.stats = columns, stats
        self._categories = {
            name: _counted(counts, met).chosen(max_categories, is_code=columns.kinds[name].kind == "code")
            for name, counts, met in zip(columns.of("categorical", "code"), stats.counts, columns.texts, strict=True)
        }

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """What the contract says, in the table's order."""
        columns = self._columns
        places = {
            name: (given, index)
            for given, (_, kinds) in _INPUTS.items()
            for index, name in enumerate(columns.of(*kinds))
        }
        return tuple(self._feature(name, *places[name]) for name in columns.kinds)

    def _feature(self, name: str, given: str, index: int) -> Feature:
        found, stats = self._columns.kinds[name], self.stats
        kind: ColumnKind = found.kind or "numeric"
        if given == CATEGORIES:
            return Feature(name, given, index, kind, "impute", categories=self._categories[name])
        if given == TIMESTAMPS:
            low, high = (
                None if end[index] == MISSING_TIMESTAMP else float(end[index]) for end in (stats.first, stats.last)
            )
            return Feature(name, given, index, kind, "impute", low, high, format=found.form)
        is_missing = name in self._columns.missing_elsewhere or stats.missing_numbers[index]
        missing: Literal["impute", "refuse"] = "impute" if is_missing else "refuse"
        low, high = (None if np.isnan(end[index]) else float(end[index]) for end in (stats.low, stats.high))
        return Feature(name, given, index, kind, missing, low, high)

    @cached_property
    def indices(self) -> "TableIndices":
        """What makes indices of codes and dates."""
        lookups = [
            _lookup(met, categories)
            for met, categories in zip(self._columns.texts, self._categories.values(), strict=True)
        ]
        return TableIndices(lookups, len(self._columns.of("datetime")))


class TableIndices:
    """The index of each category and of each part of a date.

    Args:
        lookups: of each column of categories the index of each code.
        dates: columns of dates.

    Attributes:
        width: how many indices a row has; 0 where there is no text and no date.
        dtype: int16 or int32.
    """

    def __init__(self, lookups: Sequence[NDArray[np.int32]], dates: int) -> None:
        self._lookups = lookups
        self.width = len(lookups) + len(CALENDAR_SIZES) * dates
        most = max((int(lookup.max()) for lookup in lookups), default=0)
        self.dtype: Any = np.int16 if most < 2**15 - 1 else np.int32

    def of(self, rows: RawRows) -> NDArray[Any]:
        """Return the indices of rows, ``[rows, width]``."""
        parts: list[NDArray[Any]] = [lookup[codes] for lookup, codes in zip(self._lookups, rows.codes.T, strict=True)]
        parts += [part for column in rows.seconds.T for part in calendar_indices(np.ascontiguousarray(column))]
        return np.stack(parts, axis=1).astype(self.dtype) if parts else np.empty((len(rows), 0), self.dtype)


def _counted(counts: NDArray[np.int64], met: Sequence[str]) -> CategoryCounts:
    found = CategoryCounts()
    found.update_counts(counts, met)
    return found


def _lookup(met: Sequence[str], categories: Sequence[str]) -> NDArray[np.int32]:
    """Return the index of each code of a column."""
    index = {text: place for place, text in enumerate(categories, FIRST_INDEX)}
    lookup = np.array([index.get(text, UNKNOWN_INDEX) for text in met], np.int32)
    lookup[0] = MISSING_INDEX
    return lookup
