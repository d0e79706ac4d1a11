"""What a table's contract says of its features, and their indices: both by the training rows alone."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
from parity_training.data.columns import Columns
from parity_training.data.encode_columns import CALENDAR_SIZES, calendar_indices
from parity_training.data.vocabulary import CategoryCounts

MOST_CATEGORIES = 1000
"""Of a column that have an index each, unless somebody says otherwise."""

_ROWS_AT_ONCE = 2**14  # so that what is computed on the way is small beside the rows

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
    """The features of a table, fitted on some of its rows.

    Args:
        columns: the table.
        train: the rows that are trained on, int64.
        max_categories: how many categories of a column have an index, at most.
    """

    def __init__(self, columns: Columns, train: NDArray[np.int64], max_categories: int = MOST_CATEGORIES) -> None:
        self._columns, self._train = columns, train
        self.counts = [self._count(place) for place in range(len(columns.texts))]
        texts = columns.of("categorical", "code")
        self._categories = {
            name: counts.chosen(max_categories, is_code=columns.kinds[name].kind == "code")
            for name, counts in zip(texts, self.counts, strict=True)
        }

    def _count(self, place: int) -> CategoryCounts:
        counts = CategoryCounts()
        for rows in np.split(self._train, range(_ROWS_AT_ONCE, len(self._train), _ROWS_AT_ONCE)):
            counts.update_codes(self._columns.codes[rows, place], self._columns.texts[place])
        return counts

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
        found = self._columns.kinds[name]
        kind: ColumnKind = found.kind or "numeric"
        if given == CATEGORIES:
            return Feature(name, given, index, kind, "impute", categories=self._categories[name])
        if given == TIMESTAMPS:
            seconds = self._columns.seconds[self._train, index]
            low, high = _ends(seconds[seconds != MISSING_TIMESTAMP])
            return Feature(name, given, index, kind, "impute", low, high, format=found.form)
        column = self._columns.data[:, index]
        known = column[self._train]
        is_missing = name in self._columns.missing_elsewhere or np.isnan(column).any()
        missing: Literal["impute", "refuse"] = "impute" if is_missing else "refuse"
        return Feature(name, given, index, kind, missing, *_ends(known[~np.isnan(known)]))

    def indices(self) -> Tensor | None:
        """Return the index of each category and of each part of a date, int16 or int32 ``[rows, columns]``, or None."""
        return self._indices

    @cached_property
    def _indices(self) -> Tensor | None:
        codes, seconds = self._columns.codes, self._columns.seconds
        width = codes.shape[1] + len(CALENDAR_SIZES) * seconds.shape[1]
        if not width:
            return None
        most = max([FIRST_INDEX + len(categories) for categories in self._categories.values()], default=0)
        found = np.empty((len(codes), width), np.int16 if most < 2**15 else np.int32)
        lookups = list(self._lookups())
        for start in range(0, len(codes), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            parts: list[NDArray[Any]] = [lookup[codes[rows, place]] for place, lookup in enumerate(lookups)]
            parts += [part for column in seconds[rows].T for part in calendar_indices(np.ascontiguousarray(column))]
            found[rows] = np.stack(parts, axis=1)
        return torch.from_numpy(found)

    def _lookups(self) -> Iterator[NDArray[np.int32]]:
        """Give for each column of categories the index of each code."""
        for texts, categories in zip(self._columns.texts, self._categories.values(), strict=True):
            index = {text: place for place, text in enumerate(categories, FIRST_INDEX)}
            lookup = np.array([index.get(text, UNKNOWN_INDEX) for text in texts], np.int32)
            lookup[0] = MISSING_INDEX
            yield lookup


def _ends(known: NDArray[Any]) -> tuple[float | None, float | None]:
    return (float(known.min()), float(known.max())) if len(known) else (None, None)
