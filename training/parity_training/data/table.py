"""Training data from a table in memory: which columns, which task, which classes."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from parity_runtime.contract import Task
from parity_runtime.feature import TIMESTAMPS
from parity_runtime.printable import counted
from parity_training.data.column_kinds import KindOf
from parity_training.data.columns import Columns, read_columns
from parity_training.data.number_summary import NumberSummary
from parity_training.data.open_table import table_file, with_part_files
from parity_training.data.problem import PARTS, Problem
from parity_training.data.raw_rows import RowsInMemory
from parity_training.data.row_columns import GROUP, PART, TIME, WEIGHT
from parity_training.data.rows_of_file import RowsOfFile, table_state
from parity_training.data.split import Split
from parity_training.data.split_rule import (
    SplitRule,
    refuse_empty_files,
    refuse_shared_groups,
    refuse_unseen_classes,
)
from parity_training.data.table_contract import table_contract
from parity_training.data.table_features import TableFeatures
from parity_training.data.table_settings import TableSettings
from parity_training.data.table_source import table_source
from parity_training.data.target_meaning import other_targets, refuse_no_classes, refuse_threshold, target_meaning
from parity_training.data.training_data import TrainingData
from parity_training.data.training_profile import date_counts
from parity_training.settings import DEFAULT_SEED, TrainSettings

PATIENCE, STEPS_AN_EPOCH = 20, 20
"""Epochs without a better one after which a table's training ends, and the steps that an epoch has at least."""

_SMALLEST_BATCH, _LARGEST_BATCH = 8, 128  # rows


class TableDataset(Dataset[tuple[Tensor, Tensor]]):
    """Rows of a CSV, JSON Lines, Parquet or Arrow file, or of a data frame, in memory.

    >>> from parity_training import TableDataset, TableSettings
    >>> dataset = TableDataset("tests/data/test.csv", TableSettings("label"))
    >>> dataset
    TableDataset(binary, 2 features, 500 rows)
    >>> dataset.features, dataset.classes, dataset.data.dtype
    (('x1', 'x2'), (0, 1), torch.float32)

    Args:
        table: the path of the file, or a data frame of pandas, polars or pyarrow (with the [tables] extra). A data
            frame gives the same run as its Parquet file. The dataset keeps the frame, to write its held-out rows.
        settings: what its columns mean, and how it is written.
        tell: a function that is called with a sentence about what was found out, such as the delimiter of a CSV file.

    Attributes:
        data: float32 ``[rows, numbers + dates]``: the columns of numbers and booleans, then the year of each date; NaN
            where a cell is missing. It holds no text: `table_data` makes indices of the categories, because only the
            training rows decide which categories have one.
        label: class indices, int64 ``[rows]``; for a regression float32 ``[rows]`` in the target's unit, or
            ``[rows, targets]`` with several targets.
        features: the names of the features.
        kinds: the kind of each feature, by its name.
        columns: what is known about the columns.
        rows: the rows as they were read.
        meaning: the task, and the classes or targets.
        without_target: how many rows were left out because their target is missing.
        words: the words for a missing cell that were found in the target, with their counts.
        index: the columns that were left out because they number the rows; a column without a name is ``""``.

    Raises:
        InputError: the table cannot be used for training; the message names the column or the row.
        MissingExtraError: the table needs pyarrow, which is not installed.
    """

    def __init__(self, table: Any, settings: TableSettings, *, tell: Callable[[str], None] = lambda _: None) -> None:
        file = table_file(table, settings.reading, tell=tell)
        file = with_part_files(file, settings, tell=tell)
        state = table_state(file)
        columns = read_columns(file, settings.choice, self._take_rows, settings.given_lists)
        numbers = self._numbers(columns, settings)
        others = other_targets([self.rows.all], columns)
        self.columns, self.meaning = columns, target_meaning(columns, numbers, settings, others)
        self.data = torch.from_numpy(self.rows.all.data)
        self.label = torch.from_numpy(self.meaning.labels(self.rows.all))
        plain = (*columns.of("numeric"), *([] if numbers is None else settings.targets))
        self.table: RowsOfFile | None = RowsOfFile(file, self.rows.places, plain, tuple(columns.of("code")), state)

    def _take_rows(self, *widths: int) -> RowsInMemory:
        self.rows = RowsInMemory(*widths)
        return self.rows

    def _numbers(self, columns: Columns, settings: TableSettings) -> NumberSummary | None:
        """Return what the numbers of the target are, or None; rows of a missing one are left out."""
        if not columns.target.is_numeric:
            refuse_no_classes(columns, settings)
            return None
        known = ~np.isnan(self.rows.all.numbers)
        if not known.all():  # a word that is missing among numbers alone
            columns.target.words += columns.target.dashes
            columns.leave_out(self.rows.all.take(~known))
            self.rows.keep(known)
        return NumberSummary.of([self.rows.all.numbers])

    def __repr__(self) -> str:
        return f"TableDataset({self.task}, {counted(len(self.features), 'feature')}, {counted(len(self), 'row')})"

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.data[index], self.label[index]

    @property
    def task(self) -> Task:
        """``binary``, ``multiclass`` or ``regression``."""
        return self.meaning.task

    @property
    def classes(self) -> tuple[str, ...] | tuple[int, ...]:
        """The labels by index, text or integers; empty for a regression."""
        return self.meaning.classes

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features."""
        return tuple(self.columns.kinds)

    @property
    def kinds(self) -> dict[str, KindOf]:
        """The kind of each feature."""
        return self.columns.kinds

    @property
    def words(self) -> Counter[str]:
        """The words for a missing cell that were found in the target, with their counts."""
        return self.columns.target.words

    @property
    def without_target(self) -> int:
        """How many rows were left out because their target is missing."""
        return self.columns.without_target

    @property
    def index(self) -> tuple[str, ...]:
        """The columns that were left out because they number the rows."""
        return tuple(one.name for one in self.columns.left_out if one.why == "index")


def table_data(dataset: TableDataset, settings: TableSettings, name: str) -> TrainingData:
    """Return the training data of a table: its rows, their split, and the contract of a model for them.

    >>> from parity_training import TableDataset, TableSettings, table_data
    >>> settings = TableSettings("label")
    >>> table_data(TableDataset("tests/data/test.csv", settings), settings, name="points")
    TrainingData(binary, 2 features, 500 rows: 400 train, 50 validation, 50 test)

    Args:
        dataset: the rows.
        settings: what their columns mean, and how to split them.
        name: the model's name.

    Raises:
        InputError: the split leaves no rows to train on, or the name of the model or of a column cannot be used.
    """
    refuse_threshold(dataset.meaning, settings)
    rule = split_rule(dataset)
    refuse_empty_files(rule, settings)
    refuse_shared_groups(rule.groups_of_parts(), settings)
    split = rule.split(settings.validation, settings.test, settings.seed)
    counts = np.bincount(rule.classes[split.train], minlength=len(dataset.classes))
    refuse_unseen_classes(dataset.classes, counts[: len(dataset.classes)], settings)
    return _with_split(dataset, settings, name, rule, split)


def split_rule(dataset: TableDataset) -> SplitRule:
    """Return what decides which rows of a table are in which part."""
    classes = np.zeros(len(dataset), np.int64) if dataset.task == "regression" else dataset.label.numpy()
    layout, of_row = dataset.columns.of_row, dataset.rows.all.of_row
    parts = layout.column(PART, of_row)
    return SplitRule(
        classes,
        layout.column(GROUP, of_row),
        layout.column(TIME, of_row),
        None if parts is None else parts.astype(np.int64),
    )


def _with_split(
    dataset: TableDataset, settings: TableSettings, name: str, rule: SplitRule, split: Split
) -> TrainingData:
    """Return the problem whose rows are in these parts."""
    stats = dataset.columns.stats()
    for part in PARTS:
        for rows in dataset.rows.pieces(getattr(split, part)):
            stats.update(rows, is_training=part == "train")
    features = TableFeatures(dataset.columns, stats, settings.max_categories)
    contract = table_contract(dataset.columns, dataset.meaning, features.features, settings, name)
    indices = _indices(dataset, features)
    source = table_source(dataset.columns, dataset.meaning, settings, _fingerprint(dataset, features, indices))
    seconds = dataset.rows.all.seconds
    dates = tuple(
        date_counts(feature, seconds[split.train, feature.index]) for feature in contract.features_of(TIMESTAMPS)
    )
    weights = dataset.columns.of_row.column(WEIGHT, dataset.rows.all.of_row)
    return TrainingData(
        dataset.data,
        dataset.label,
        split,
        contract,
        source,
        True,
        indices,
        dataset.table,
        dates,
        stats,
        None if weights is None else torch.from_numpy(weights.astype(np.float32)),
        rule,
        functools.partial(_with_split, dataset, settings, name, rule),
    )


def _indices(dataset: TableDataset, features: TableFeatures) -> Tensor | None:
    if not features.indices.width:
        return None
    found = np.empty((len(dataset), features.indices.width), features.indices.dtype)
    first = 0
    for rows in dataset.rows.pieces():
        found[first : first + len(rows)] = features.indices.of(rows)
        first += len(rows)
    return torch.from_numpy(found)


def table_defaults(problem: Problem, seed: int = DEFAULT_SEED) -> TrainSettings:
    """Return how a table is trained on where nobody says otherwise: Adam, until validation no longer improves.

    Batches are small enough that an epoch of a small table has some steps.
    """
    batch_size = min(max(problem.num_rows("train") // STEPS_AN_EPOCH, _SMALLEST_BATCH), _LARGEST_BATCH)
    return TrainSettings(batch_size=batch_size, patience=PATIENCE, seed=seed)


def _fingerprint(dataset: TableDataset, features: TableFeatures, indices: Tensor | None) -> str:
    """Return sha256 over the rows: a resumed run must have the same."""
    digest = hashlib.sha256(repr((dataset.features, dataset.classes)).encode())
    digest.update(dataset.data.numpy().reshape(-1).data.cast("B"))
    digest.update(dataset.label.numpy().tobytes())
    if indices is not None:
        digest.update(repr(features.features).encode())
        digest.update(indices.numpy().reshape(-1).data.cast("B"))
        digest.update(dataset.rows.all.seconds.reshape(-1).data.cast("B"))
    if dataset.rows.all.of_row.size:
        digest.update(dataset.rows.all.of_row.tobytes())
    return digest.hexdigest()
