"""The rows of a table, counted as those of the training were: piece by piece, in constant memory."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import LABEL, VALUE, ModelContract
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.drift.counts_json import counts_to_json, merge_counts_json
from parity_runtime.drift.profile import Profile, empty_columns
from parity_runtime.drift.target_profile import known_of_targets
from parity_runtime.feature import Feature
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.feature_columns import read_cells


class TableCounts:
    """What the columns of a table hold, and what was predicted for it.

    Counts of pieces of a table merge in any order to those of the whole. They pickle.

    Args:
        contract: of a model over a table.
        profile: of its training rows, for the edges of the bins; None where it is unknown.

    Attributes:
        contract: of the model.
        profile: of its training rows.
        rows: how many were counted.
        columns: of each feature by its name.
        predicted: rows of each predicted class, int64 ``[classes]``; empty of a regression.
        true: rows of each true class, int64 ``[classes]``.
        predicted_values: of a regression: its predictions in the bins of the target; None where they are unknown.
        true_values: of a regression: the true values in the bins of the target.
    """

    def __init__(self, contract: ModelContract, profile: Profile | None) -> None:
        self.contract, self.profile = contract, profile
        self.rows = 0
        self.columns = empty_columns(contract, profile)
        self.predicted, self.true = (np.zeros(len(contract.classes), np.int64) for _ in range(2))
        target = None if profile is None or profile.target is None else profile.target.values
        self.predicted_values, self.true_values = (
            None if target is None else ColumnCounts.empty(target.feature, target.edges) for _ in range(2)
        )

    def known_of_targets(self) -> NDArray[np.int64] | dict[str, float] | None:
        """Return what `parity_runtime.drift.target_profile.known_of_targets` does of the profile; None without one."""
        return None if self.profile is None else known_of_targets(self.profile.trained_on, self.contract)

    def empty(self) -> Self:
        """Return the counts of no row, of the same model and profile."""
        return type(self)(self.contract, self.profile)

    def update(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """Take rows as the graph takes them.

        Args:
            inputs: by name, each ``[rows, columns]``; numbers may be float64, and are rounded as the graph's are.
        """
        self.rows += len(next(iter(inputs.values())))
        for spec in self.contract.inputs:
            array = inputs[spec.name]
            if spec.dtype.startswith("float"):
                with np.errstate(over="ignore"):
                    array = array.astype(spec.numpy_dtype, copy=False)
            for feature in self.contract.features_of(spec.name):
                self.columns[feature.name].update(array[:, feature.index])

    def update_unread(self, chunk: Chunk) -> None:
        """Take rows that the graph does not take as a whole: each of their cells that can be read.

        Raises:
            InputError: a column is missing.
        """
        self.rows += len(chunk)
        for feature in self.contract.features:
            cells, readable = read_cells(feature, chunk)
            self.columns[feature.name].update(self._rounded(feature, cells[readable]))

    def _rounded(self, feature: Feature, cells: NDArray[Any]) -> NDArray[Any]:
        dtype = next(spec.dtype for spec in self.contract.inputs if spec.name == feature.input)
        if not dtype.startswith("float"):
            return cells
        with np.errstate(over="ignore"):
            return cells.astype(dtype, copy=False)

    def update_predictions(self, outputs: Mapping[str, NDArray[Any]]) -> None:
        """Take what was predicted for rows: the graph's outputs by name, each ``[rows, ...]``."""
        if self.contract.is_classifier:
            self.predicted += np.bincount(outputs[LABEL], minlength=len(self.predicted))
        elif self.predicted_values is not None:
            place = self.contract.targets.index(self.predicted_values.feature.name)
            self.predicted_values.update(outputs[VALUE][:, place])

    def update_true(self, true: NDArray[Any]) -> None:
        """Take the true values of rows: class indices, or numbers in the target's unit; ``[rows]``.

        Of several targets ``[rows, targets]``: the one that the profile knows is counted.
        """
        if self.contract.is_classifier:
            self.true += np.bincount(true, minlength=len(self.true))
        elif self.true_values is not None:
            if true.ndim == 2:
                true = true[:, self.contract.targets.index(self.true_values.feature.name)]
            self.true_values.update(true.astype(np.float32))

    def update_evaluated(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]], true: NDArray[Any]
    ) -> None:
        """Take rows that were answered, and whose true values are known: as the three above."""
        self.update(inputs)
        self.update_predictions(outputs)
        self.update_true(true)

    def update_chunk(
        self,
        chunk: Chunk,
        inputs: Mapping[str, NDArray[Any]],
        unpredicted: NDArray[np.bool_],
        outputs: Mapping[str, NDArray[Any]],
    ) -> None:
        """Take a chunk of a table that was answered.

        Args:
            chunk: its rows.
            inputs: of the graph, by name; a row that was refused holds nothing of its own there.
            unpredicted: the rows without a prediction, bool ``[rows]``: their cells are read one by one.
            outputs: of the graph, by name.
        """
        if not unpredicted.any():
            self.update(inputs)
            self.update_predictions(outputs)
            return
        known = ~unpredicted
        self.update({name: array[known] for name, array in inputs.items()})
        self.update_predictions({name: outputs[name][known] for name in (LABEL, VALUE) if name in outputs})
        self.update_unread(chunk.keep(unpredicted))

    def to_json(self) -> dict[str, Any]:
        """Return the counts without the model and the profile, for `merge_json`."""
        return counts_to_json(self)

    def merge_json(self, value: Any, where: str) -> None:
        """Take the rows that another one of the same model and profile has taken, from its JSON form.

        Args:
            value: what `to_json` returned.
            where: what it is called in an error.

        Raises:
            FormatError: it is none, or of other columns or bins.
        """
        merge_counts_json(self, value, where)

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of the same model and profile.

        Raises:
            ValueError: it has other columns or bins.
        """
        if other.columns.keys() != self.columns.keys():
            raise ValueError("the counts are of other columns")
        self.rows += other.rows
        for name, counts in self.columns.items():
            counts.merge(other.columns[name])
        self.predicted += other.predicted
        self.true += other.true
        for mine, others in (
            (self.predicted_values, other.predicted_values),
            (self.true_values, other.true_values),
        ):
            if mine is not None and others is not None:
                mine.merge(others)
