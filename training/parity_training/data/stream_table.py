"""Training data from a table that is larger than memory: read once, kept on a disk as the network takes it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument, either
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.feature import TIMESTAMPS, Feature
from parity_runtime.tables.table_file import TableFile
from parity_training.data.batch_table import BatchTable
from parity_training.data.columns import Columns, read_columns
from parity_training.data.hashed_split import HashedSplit
from parity_training.data.number_summary import NumberSummary
from parity_training.data.open_table import table_file, with_part_files
from parity_training.data.problem import PARTS
from parity_training.data.raw_rows import RawRows
from parity_training.data.record_writer import RecordWriter
from parity_training.data.row_columns import GROUP, PART, RowColumns
from parity_training.data.rows_of_file import RowsOfFile, table_state
from parity_training.data.rows_on_disk import RowsOnDisk
from parity_training.data.split import none_to_train_on
from parity_training.data.split_rule import no_row_for, refuse_shared_groups, refuse_unseen_classes
from parity_training.data.stored_data import SAMPLE, StoredData
from parity_training.data.table_contract import table_contract
from parity_training.data.table_features import TableFeatures
from parity_training.data.table_settings import TableSettings
from parity_training.data.table_source import table_source
from parity_training.data.target_meaning import (
    TargetMeaning,
    other_targets,
    refuse_no_classes,
    refuse_threshold,
    target_meaning,
)
from parity_training.data.training_profile import no_date_counts

MEMORY = 2**30
"""Bytes that rows may take in memory, unless somebody says otherwise."""

LEAST_MEMORY = 2**20
"""Bytes below which batches have too few rows to be drawn from."""

_SHARE_OF_TEXTS = 8  # of the memory, for the different texts of columns of categories


@dataclass
class StreamedTable:
    """A table whose rows are on disk, ready to train on; `stream_table` returns it.

    >>> from parity_training import TableSettings, stream_table
    >>> found = stream_table("tests/data/test.csv", TableSettings("label"), "points")
    >>> list(found.columns.kinds), found.columns.without_target
    (['x1', 'x2'], 0)

    Attributes:
        columns: what is known about the columns.
        data: the training data, for `train_model`.
    """

    columns: Columns
    data: StoredData


def stream_table(
    table: Any,
    settings: TableSettings,
    name: str,
    *,
    memory: int = MEMORY,
    folder: str | Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> StreamedTable:
    """Read a table once, chunk by chunk, and keep its rows on disk, so that training needs little memory.

    The kinds of the columns, their ranges, categories and missing cells are found in all rows. A random number for each
    row decides whether the row is trained on, validates or is held out. So the shares of the three parts are only
    nearly those of the settings. Each epoch reads groups of neighbouring rows in a new order, and shuffles as many rows
    at a time as half of ``memory`` holds.

    >>> from parity_training import TableSettings, stream_table
    >>> stream_table("tests/data/test.csv", TableSettings("label"), "points", memory=2**26).data
    StoredData(binary, 2 features, 500 rows: 412 train, 44 validation, 44 test)

    Args:
        table: a file; a folder or a glob of files of one format; a data frame; or what `parity_training.batches_from`
            returns.
        settings: what its columns mean, and how to split them.
        name: the model's name.
        memory: how many bytes the rows may take in memory. torch itself takes about 400 MB more.
        folder: the folder to keep the rows in: about 4 bytes for a number and 2 for a category. None takes the system's
            folder for temporary files (``TMPDIR``). When the process ends, even by a kill, nothing remains there.
        tell: a function that is called with a sentence about what was found out, such as the delimiter of a CSV file.

    Returns:
        What is known about the columns, and the rows to train on.

    Raises:
        InputError: the table cannot be used for training (the message names the column or the row), or the disk is
            full.
        MissingExtraError: the table needs pyarrow, which is not installed.
    """
    if memory < LEAST_MEMORY:
        raise InputError(f"{argument('memory')} is {memory} bytes; it takes at least {LEAST_MEMORY}")
    return _Stream(table, settings, name, memory, None if folder is None else Path(folder), tell).read()


@dataclass
class _Stream:
    table: Any
    settings: TableSettings
    name: str
    memory: int
    folder: Path | None
    tell: Callable[[str], None]

    def read(self) -> StreamedTable:
        settings = self.settings
        file = table_file(self.table, settings.reading, tell=self.tell)
        file = with_part_files(file, settings, tell=self.tell)
        self._refuse_what_needs_memory(file)
        state = table_state(file)
        if isinstance(file, BatchTable):
            file = replace(file, kept=replace(file.kept, wanted=self._is_held_out, folder=self.folder))
        columns = read_columns(file, settings.choice, self._take_rows, settings.given_lists, self._most_texts)
        refuse_shared_groups([np.array([*groups]) for groups in self._groups_of_parts], settings)
        meaning, is_numeric = self._meaning(columns)
        refuse_threshold(meaning, settings)
        self._note_untrained(meaning)
        stats = columns.stats()
        for part in PARTS:
            for rows in self._pieces(part):
                stats.update(rows, is_training=part == "train")
        features = TableFeatures(columns, stats, settings.max_categories)
        contract = table_contract(columns, meaning, features.features, settings, self.name)
        taken = RecordWriter(meaning, features, columns.of_row, self.folder)
        files = {part: taken.written(self._pieces(part)) for part in ("test", "validation", "train")}
        if not len(files["train"]):
            raise none_to_train_on(columns.num_rows)
        for part in self._files:
            if not len(files[part]):
                raise no_row_for(part, settings)
        dates = tuple(self._date_counts(feature) for feature in contract.features_of(TIMESTAMPS))
        self.rows.close()
        source = table_source(columns, meaning, settings, taken.digest.hexdigest()) | {"memory": self.memory}
        plain = (*columns.of("numeric"), *(settings.targets if is_numeric else ()))
        as_they_stand = file.kept if isinstance(file, BatchTable) else file
        held_out = RowsOfFile(as_they_stand, None, plain, tuple(columns.of("code")), state)
        data = StoredData(files, self.memory, contract, source, held_out, dates, stats)
        if isinstance(file, BatchTable):
            self._refuse_none_kept(data)
        noted = replace(held_out, numbers=np.sort(np.concatenate(taken.places)))
        return StreamedTable(columns, replace(data, table=noted))

    @property
    def _most_texts(self) -> int:
        return max(self.memory // _SHARE_OF_TEXTS, 2**20)

    @cached_property
    def _split(self) -> HashedSplit:
        fractions = {part: 0.0 if part in self._files else getattr(self.settings, part) for part in PARTS[1:]}
        return HashedSplit(fractions["validation"], fractions["test"], self.settings.seed)

    def _is_held_out(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows of batches, which come once, are kept as they stand."""
        found: NDArray[np.bool_] = self._split.part_of(rows) == PARTS.index(self._kept_part)
        return found

    @property
    def _kept_part(self) -> str:
        fractions = {"test": self.settings.test, "validation": self.settings.validation, "train": 1.0}
        return next(part for part, fraction in fractions.items() if fraction)

    def _refuse_none_kept(self, data: StoredData) -> None:
        part = self._kept_part
        if data.evaluated_part != part:
            raise InputError(
                f"chance leaves none of {data.all_rows} rows in the part {part}; give more rows, a larger "
                f"{argument(part)}, or {either(f'{part}=0', f'--{part} 0')}"
            )

    def _note_untrained(self, meaning: TargetMeaning) -> None:
        """Note how rows are labelled, and which classes have no training row: theirs are trained on all the same."""
        counts = np.zeros(len(meaning.classes), np.int64)
        for rows in self.rows.pieces("train") if meaning.classes else ():
            counts += np.bincount(meaning.labels(rows), minlength=len(counts))
        refuse_unseen_classes(meaning.classes, counts, self.settings)
        free = not self._files and self.settings.group is None  # rows of a group, or of a file, stay together
        self.meaning, self.untrained = meaning, (counts == 0) & free

    def _pieces(self, part: str) -> Iterator[RawRows]:
        """Give the rows of a part; to those that are trained on belong all of a class that would have none there."""
        if not self.untrained.any():
            yield from self.rows.pieces(part)
            return
        for rows in self.rows.pieces(part):
            yield rows if part == "train" else rows.take(~self.untrained[self.meaning.labels(rows)])
        for other in ("validation", "test") if part == "train" else ():
            for rows in self.rows.pieces(other):
                yield rows.take(self.untrained[self.meaning.labels(rows)])

    def _refuse_what_needs_memory(self, file: TableFile) -> None:
        """Refuse what one pass over the rows cannot decide."""
        if self.settings.time is not None:
            way_out = f"name the last rows with {argument('test_file')}, or take the table in memory"
            raise InputError(f"{argument('time')} sorts all rows, and these are on a disk; {way_out}")
        if self.settings.group is not None and isinstance(file, BatchTable):
            raise InputError(f"{argument('group')} is for a table, not for batches")

    def _take_rows(self, *widths: int) -> RowsOnDisk:
        numbers, texts, dates, of_row = widths
        self.rows = RowsOnDisk((numbers, texts, dates, of_row), self._part_of, self.folder)
        return self.rows

    def _part_of(self, rows: RawRows) -> NDArray[np.integer]:
        """Return the part of each row: by a number of its own, by its group's, or as its file says."""
        layout = RowColumns.of(self.settings.choice, in_parts=bool(self._files))
        groups = layout.column(GROUP, rows.of_row)
        found = self._split.part_of(rows.places if groups is None else groups.astype(np.int64) + 1)
        given = layout.column(PART, rows.of_row)
        if groups is not None and given is not None:
            for place, seen in enumerate(self._groups_of_parts):
                seen.update(groups[given == place].tolist())
        return found if given is None else np.where(given > 0, given, found).astype(np.int8)

    @cached_property
    def _groups_of_parts(self) -> tuple[set[float], ...]:
        """The groups that have had rows so far, in the table itself and in the files of other parts."""
        return tuple(set() for _ in PARTS)

    @property
    def _files(self) -> list[str]:
        """The parts that have a file of their own."""
        said = {"validation": self.settings.validation_file, "test": self.settings.test_file}
        return [part for part, name in said.items() if name is not None]

    def _meaning(self, columns: Columns) -> tuple[TargetMeaning, bool]:
        """Return what the target is, and whether it is a column of numbers; rows of a missing one are left out."""
        if not columns.target.is_numeric:
            refuse_no_classes(columns, self.settings)
            return target_meaning(columns, None, self.settings), False
        numbers = NumberSummary.of(self.rows.numbers())
        if numbers.missing:
            columns.target.words += columns.target.dashes
            self.rows.leave_out_missing(columns)
        others = other_targets((rows for part in PARTS for rows in self.rows.pieces(part)), columns)
        return target_meaning(columns, numbers, self.settings, others), True

    def _date_counts(self, feature: Feature) -> ColumnCounts:
        """Return the counts of a date in the training rows, between the deciles of a sample of them."""
        step = max(self.rows.num_rows("train") // SAMPLE, 1)
        pieces = [rows.seconds[::step, feature.index] for rows in self._pieces("train")]
        counts = no_date_counts(feature, np.concatenate(pieces))
        for rows in self._pieces("train"):
            counts.update(rows.seconds[:, feature.index])
        return counts
