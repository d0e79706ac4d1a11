"""What a table is to mean, and what a recipe keeps of it."""

from dataclasses import dataclass, fields
from typing import Literal

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.tables.read_options import ReadOptions
from parity_training.data.choose_columns import ColumnChoice
from parity_training.data.table_features import MOST_CATEGORIES
from parity_training.field_types import check_types
from parity_training.settings import DEFAULT_SEED

KINDS_SAID = ("numeric", "categorical", "datetime")
"""The settings that say the kind of columns; a recipe keeps them where they are given."""

OF_ROWS_SAID = ("weight", "group", "time", "validation_file", "test_file")
"""The settings that say something of the rows themselves."""

TableTask = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class TableSettings:
    """How a table is read and split, and which of its columns are predicted from which.

    >>> from parity_training import TableSettings
    >>> TableSettings("species", drop_columns=("id",), task="classification").test
    0.1

    Attributes:
        target: the column to predict; or several columns, all of numbers.
        features: the columns to predict from; empty for all others.
        drop_columns: columns to leave out.
        id_columns: columns that identify a row. They are not features, but stay in the held-out table.
        numeric: columns of numbers, even if they look like categories or identifiers.
        categorical: columns of categories: text, or integers that name something.
        datetime: columns of dates, as ``name`` for ISO 8601, or ``name=format`` with a format of ``datetime.strptime``.
        max_categories: how many categories of a column have an index, the most frequent ones; the others count as
            unknown.
        task: ``classification`` or ``regression``; None decides by the target's values.
        positive: for two classes: the one whose probability is predicted; None takes the second.
        threshold: for two classes: a row is positive from this probability on.
        validation: the fraction of the rows that decide when to stop, and which weights are best.
        test: the fraction of the rows that are held out for the final test.
        weight: the column with the weight of each row in the loss, 0 or more. It is not a feature.
        group: a column: rows with the same value in it, such as those of one patient, are kept in the same part of the
            split. It is not a feature, unless ``features`` names it.
        time: the column with the time of each row: a date, as in ``datetime``, or a number. The last rows are held out,
            and the rows before them decide when to stop. It is not a feature, unless ``features`` names it.
        validation_file: a table whose rows decide when to stop, instead of the fraction ``validation``.
        test_file: a table whose rows are held out, instead of the fraction ``test``.
        seed: the seed of the split.
        missing_values: the cells that count as missing, besides the empty cell. None for NA, #N/A, N/A, n/a, NaN, nan,
            NULL, null, None and <NA>. The package reads its tables in the same way.
        format: the file's format: ``csv``, ``jsonl``, ``npy``, ``parquet`` or ``arrow``; None decides by its suffix.
        delimiter: for CSV: the character between the cells, or ``tab``; None finds it in the first line.
        header: for CSV without a header line: the names of the columns.
        decimal: for CSV: the decimal sign, ``.`` or ``,``; None finds it in the first rows.
        thousands: for CSV: the thousands separator: ``,``, ``.``, ``'`` or a space; None for none.
        currency: for CSV: currency signs or codes to remove from numbers.
        percent: for CSV: read ``45%`` as 0.45.
    """

    target: str | tuple[str, ...]
    features: tuple[str, ...] = ()
    drop_columns: tuple[str, ...] = ()
    id_columns: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    datetime: tuple[str, ...] = ()
    max_categories: int = MOST_CATEGORIES
    task: TableTask | None = None
    positive: str | None = None
    threshold: float = 0.5
    validation: float = 0.1
    test: float = 0.1
    weight: str | None = None
    group: str | None = None
    time: str | None = None
    validation_file: str | None = None
    test_file: str | None = None
    seed: int = DEFAULT_SEED
    missing_values: tuple[str, ...] | None = None
    format: str | None = None
    delimiter: str | None = None
    header: tuple[str, ...] = ()
    decimal: str | None = None
    thousands: str | None = None
    currency: tuple[str, ...] = ()
    percent: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        _ = self.reading  # refuses what is no option
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; it must be at least 0 and less than 2^63")
        if not 1 <= self.max_categories < 2**31:
            raise InputError(f"max_categories is {self.max_categories}; it must be at least 1 and less than 2^31")

        if not self.targets:
            raise InputError("target names no column; name one")
        if self.group is not None and self.time is not None:
            raise InputError(f"rows are split by {argument('group')} or by {argument('time')}; leave out one of them")

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict."""
        return (self.target,) if isinstance(self.target, str) else tuple(self.target)

    @property
    def choice(self) -> ColumnChoice:
        """The settings about columns, as reading a table needs them."""
        dropped = tuple(dict.fromkeys((*self.drop_columns, *self.id_columns)))
        first, *more = self.targets
        kinds = (self.numeric, self.categorical, self.datetime)
        return ColumnChoice(first, self.features, dropped, *kinds, tuple(more), self.weight, self.group, self.time)

    @property
    def reading(self) -> ReadOptions:
        """The settings about how the file is written, as reading a table needs them."""
        return ReadOptions(**{item.name: getattr(self, item.name) for item in fields(ReadOptions)})

    @property
    def given_lists(self) -> dict[str, tuple[str, ...]]:
        """The settings that are lists and are not empty, by name; error messages extend them in what they suggest."""
        lists = {name: getattr(self, name) for name in ("missing_values", "drop_columns", "currency", "categorical")}
        return {name: values for name, values in lists.items() if values}
