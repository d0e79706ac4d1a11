"""What an estimator is fitted on, as the rows that training takes: a matrix of numbers, or a data frame."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.tables.cell_values import PLAIN
from parity_training.data.column_kinds import KindOf
from parity_training.data.columns import Columns
from parity_training.data.data_frame import arrow_table
from parity_training.data.number_summary import NumberSummary
from parity_training.data.raw_rows import RawRows, RowsInMemory
from parity_training.data.row_columns import RowColumns
from parity_training.data.table import TableDataset, table_data
from parity_training.data.table_settings import TableSettings
from parity_training.data.target_column import Target
from parity_training.data.target_meaning import TargetMeaning, other_targets, target_meaning
from parity_training.data.training_data import TrainingData
from parity_training.data.value_range import ValueRange

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class EstimatorTarget:
    """What is to be predicted.

    Attributes:
        names: of the columns; one, but of a regression of several targets.
        values: class indices, int64 ``[rows]``; of a regression float64 ``[rows]`` or ``[rows, targets]``.
        classes: the labels by index as a package has them, all text or all integers; none of a regression.
    """

    names: tuple[str, ...]
    values: NDArray[Any]
    classes: tuple[str, ...] | tuple[int, ...] = ()

    @property
    def task(self) -> Task:
        """Binary, multiclass or regression."""
        if not self.classes:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def columns(self) -> NDArray[Any]:
        """The values of each target, ``[targets, rows]``."""
        return self.values.reshape(len(self.values), -1).T


class _MatrixDataset(TableDataset):
    """A matrix of numbers, every column of it a feature."""

    def __init__(
        self, matrix: NDArray[Any], names: Sequence[str], target: EstimatorTarget, settings: TableSettings
    ) -> None:
        rows, width = matrix.shape
        places, kept = np.arange(1, rows + 1), np.ones(width, np.bool_)
        _check_range(matrix.astype(np.float64, copy=False), names, places)
        first, *more = target.columns.astype(np.float64)
        self.rows = RowsInMemory(width, 0, 0, len(more))
        no_codes, no_seconds = np.empty((rows, 0), np.int32), np.empty((rows, 0), np.int64)
        no_labels, of_row = np.full(rows, -1, np.int32), np.array(more).reshape(len(more), rows).T
        data = np.ascontiguousarray(matrix, np.float32)
        self.rows.append(RawRows(data, no_codes, no_seconds, first, no_labels, places, of_row))
        self.rows.finish(kept, kept[:0], kept[:0])
        kinds, of_rows = dict.fromkeys(names, KindOf("numeric")), RowColumns({}, len(more))
        self.columns = Columns("y", kinds, (), Target(target.names[0], "y", values=PLAIN), rows, 0, of_row=of_rows)
        self.meaning = TargetMeaning(target.task, target.classes)
        if not target.classes:
            others = other_targets([self.rows.all], self.columns)
            self.meaning = target_meaning(self.columns, NumberSummary.of([first]), settings, others)
        self.data = torch.from_numpy(self.rows.all.data)
        self.label = torch.from_numpy(target.values if target.classes else self.meaning.labels(self.rows.all))
        self.table = None


def matrix_rows(
    matrix: NDArray[Any], names: Sequence[str], target: EstimatorTarget, settings: TableSettings
) -> TrainingData:
    """Return rows of numbers, ``[rows, features]``, as training takes them; NaN where a cell is missing.

    Raises:
        InputError: a column is beyond float32, or float32 cannot tell its cells apart; or the split leaves none to
            train on.
    """
    return _data(_MatrixDataset(matrix, names, target, settings), settings)


def frame_rows(frame: Any, names: Sequence[str], target: EstimatorTarget, settings: TableSettings) -> TrainingData:
    """Return the rows of a data frame, its columns read as those of a table file.

    Args:
        frame: of pandas, polars or pyarrow.
        names: of its columns.
        target: of its rows.
        settings: what its columns are.

    Raises:
        InputError: it cannot be learned from; the sentence names the column or the row.
        MissingExtraError: pyarrow is not installed.
    """
    table = named_table(frame, names)
    for name, column in zip(target.names, target.columns, strict=True):
        table = table.append_column(name, [np.ascontiguousarray(column)])
    dataset = TableDataset(table, settings)
    unreadable = [one.name for one in dataset.columns.left_out if one.why == "unreadable"]
    if unreadable:
        told = f"{', '.join(unreadable)} of X: no feature can be made of such cells, and the fit is without them"
        warnings.warn(f"{told}; convert them to numbers, text or dates, or name them in drop_columns", stacklevel=6)
    dataset.meaning = replace(dataset.meaning, classes=target.classes)
    return _data(dataset, settings)


def named_table(frame: Any, names: Sequence[str]) -> Any:
    """Return a data frame as a ``pyarrow.Table`` whose columns have these names; an index is no column of it."""
    if hasattr(frame, "reset_index"):
        frame = frame.reset_index(drop=True)
    return arrow_table(frame).rename_columns(list(names))


def _data(dataset: TableDataset, settings: TableSettings) -> TrainingData:
    """Return the problem; of any number a cell may be missing when it predicts, as in another fold of the same rows."""
    dataset.columns.missing_elsewhere |= {*dataset.columns.of("numeric", "boolean")}
    return table_data(dataset, settings, "estimator")


def _check_range(matrix: NDArray[np.float64], names: Sequence[str], places: NDArray[np.int64]) -> None:
    """Refuse columns that float32 cannot hold; one that is constant or empty says nothing, and does no harm."""
    found = ValueRange(matrix.shape[1])
    found.add(matrix, places)
    kept = np.array([why not in ("constant", "empty") for why in found.useless()], np.bool_)
    try:
        found.check("X", names, kept)
    except InputError as error:
        problem, _, _ = error.problem.partition(";")
        raise InputError(f"{problem}; subtract an offset from it, change its unit, or leave it out") from error
