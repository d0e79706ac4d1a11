"""A table beside the rows of the training, in figures."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.drift.profile import Profile
from parity_runtime.drift.stability import (
    MUCH_SHIFT,
    SOME_SHIFT,
    index_by_chance,
    population_stability_index,
)
from parity_runtime.drift.table_counts import TableCounts
from parity_runtime.feature import ColumnKind

MOST_CATEGORY_BINS = 20
"""Categories that are a bin each in the index of a column of text, the most frequent ones of the training; the rest are
one: with a bin for each of a thousand, chance alone would move the index."""


@dataclass(frozen=True)
class ColumnDrift:
    """One column of a table beside the same column of the training.

    Shares are of the cells that could be read, from 0 to 1.

    Attributes:
        name: the column's name.
        kind: the kind of its cells, as `Feature.kind`.
        missing: the share of missing cells; None if the table has no rows.
        missing_in_training: the share of missing cells in the training rows; None if unknown.
        unknown: for text: the share of cells that are not a category of the contract; None for other kinds.
        unknown_in_training: the same share in the training rows: rare categories that the model does not know.
        outside: for numbers, truth values and dates: the share of cells outside the range of the training rows. None
            for text, and if the contract holds no range.
        psi: the population stability index, without a unit; None if the package does not record the training's bins.
        psi_by_chance: what ``psi`` stays below in 999 of 1,000 tables of that many rows without drift.
    """

    name: str
    kind: ColumnKind
    missing: float | None
    missing_in_training: float | None
    unknown: float | None
    unknown_in_training: float | None
    outside: float | None
    psi: float | None
    psi_by_chance: float | None

    @property
    def shift(self) -> Literal["some", "much"] | None:
        """The usual reading of ``psi``: ``some`` from 0.1 on, ``much`` from 0.25 on, and more than chance explains."""
        if self.psi is None or self.psi_by_chance is None or self.psi <= max(self.psi_by_chance, SOME_SHIFT):
            return None
        return "much" if self.psi > MUCH_SHIFT else "some"


@dataclass(frozen=True)
class ClassShares:
    """How frequent a class is; shares from 0 to 1, None where nobody knows.

    Attributes:
        label: the class.
        training: its share of the training rows.
        predicted: the share of rows for which it is predicted.
        true: the share of rows whose true class it is.
    """

    label: str | int
    training: float | None
    predicted: float | None
    true: float | None


@dataclass(frozen=True)
class TargetDrift:
    """The target of a regression beside that of the training.

    Attributes:
        name: of the target.
        low: its smallest value in training, in its own unit.
        high: its largest.
        predicted_outside: the share of predictions below or above; None where there are none.
        true_outside: the share of true values below or above.
        psi: the population stability index of the true values. Predictions have none: those of a regression lie closer
            together than true values do, without any drift.
        psi_by_chance: as in `ColumnDrift`.
    """

    name: str
    low: float
    high: float
    predicted_outside: float | None
    true_outside: float | None
    psi: float | None
    psi_by_chance: float | None


@dataclass(frozen=True)
class DriftReport:
    """How the rows of a table differ from the rows that a model was trained on; `compare_with_training` returns it.

    >>> from parity_runtime import compare_with_training
    >>> report = compare_with_training("tests/data/xor", [[0.1, 0.9], [0.2, 7.0]])
    >>> report
    DriftReport(2 rows beside an unknown training, 0 of 2 columns shifted)
    >>> report.column("x2").outside, report.to_json()["rows"]
    (0.5, 2)

    Attributes:
        rows: the number of rows in the table.
        training_rows: the number of training rows; None if the package has no profile.json.
        columns: an entry for each column, in the contract's order.
        classes: for a classifier: how frequent each class is; empty unless predictions or true classes were counted.
        target: for a regression: its target; None unless predictions or true values were counted.
    """

    rows: int
    training_rows: int | None
    columns: tuple[ColumnDrift, ...]
    classes: tuple[ClassShares, ...] = ()
    target: TargetDrift | None = None

    def __repr__(self) -> str:
        known = "an unknown training" if self.training_rows is None else f"{self.training_rows} of training"
        moved = sum(column.shift is not None for column in self.columns)
        return f"DriftReport({self.rows} rows beside {known}, {moved} of {len(self.columns)} columns shifted)"

    def column(self, name: str) -> ColumnDrift:
        """Return a column by its name.

        Args:
            name: the column's name.

        Raises:
            KeyError: there is no column of this name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the attributes; an unknown figure is None."""
        told = asdict(self)
        return told | {"columns": list(told["columns"]), "classes": list(told["classes"])}


def drift_report(counts: TableCounts) -> DriftReport:
    """Return what the counts of a table say."""
    profile = counts.profile
    known = {} if profile is None else profile.columns
    columns = tuple(_column(column, known.get(name)) for name, column in counts.columns.items())
    rows = None if profile is None else profile.rows
    return DriftReport(counts.rows, rows, columns, _classes(counts, profile), _target(counts, profile))


def _column(now: ColumnCounts, trained: ColumnCounts | None) -> ColumnDrift:
    feature = now.feature
    psi, chance = (None, None) if trained is None else _indices(trained, now)
    return ColumnDrift(
        feature.name,
        feature.kind,
        _share(now.missing, now.cells),
        None if trained is None else _share(trained.missing, trained.cells),
        _share(now.unknown, now.cells) if feature.is_text else None,
        _share(trained.unknown, trained.cells) if feature.is_text and trained is not None else None,
        None if feature.range is None else _share(now.outside, now.cells),
        psi,
        chance,
    )


def _indices(trained: ColumnCounts, now: ColumnCounts) -> tuple[float | None, float | None]:
    """Return a column's stability index, and what it stays below by chance; missing cells are a bin of their own."""
    order = np.argsort(-trained.bins, kind="stable") if trained.feature.is_text else np.arange(len(trained.bins))
    most = MOST_CATEGORY_BINS if trained.feature.is_text else len(order)
    before, after = (
        np.array([*counts.bins[order[:most]], counts.bins[order[most:]].sum(), counts.unknown, counts.missing])
        for counts in (trained, now)
    )
    return population_stability_index(before, after), index_by_chance(before, after)


def _classes(counts: TableCounts, profile: Profile | None) -> tuple[ClassShares, ...]:
    if not counts.contract.is_classifier or not (counts.predicted.sum() or counts.true.sum()):
        return ()
    trained = None if profile is None or profile.target is None else profile.target.classes
    classes = len(counts.contract.classes)
    shares = [_shares(rows, classes) for rows in (trained, counts.predicted, counts.true)]
    return tuple(map(ClassShares, counts.contract.classes, *shares))


def _target(counts: TableCounts, profile: Profile | None) -> TargetDrift | None:
    trained = None if profile is None or profile.target is None else profile.target.values
    predicted, true = counts.predicted_values, counts.true_values
    if trained is None or predicted is None or true is None or not predicted.cells + true.cells:
        return None
    low, high = trained.feature.range or (0.0, 0.0)
    return TargetDrift(
        trained.feature.name,
        low,
        high,
        _share(predicted.outside, predicted.cells),
        _share(true.outside, true.cells),
        population_stability_index(trained.bins, true.bins),
        index_by_chance(trained.bins, true.bins),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _shares(rows: NDArray[np.int64] | None, classes: int) -> list[float | None]:
    if rows is None or not rows.sum():
        return [None] * classes
    return [count / int(rows.sum()) for count in rows.tolist()]
