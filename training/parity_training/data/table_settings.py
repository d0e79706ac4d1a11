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
        target: the column to predict; or several, all of them numbers.
        features: the columns to predict from; all others by default.
        drop_columns: columns to leave out.
        id_columns: columns that name the rows: they are left out as well. The held-out table keeps all columns.
        numeric: columns of numbers, whatever they look like; none of them is left out for what it looks like.
        categorical: columns of categories: text, or integers that name something.
        datetime: columns of dates, as ``name`` (ISO 8601) or ``name=format``, as for ``datetime.strptime``.
        max_categories: the most frequent categories of a column that have an index; all others count as unknown.
        task: ``classification`` or ``regression``; None lets the target decide.
        positive: two classes: the one whose probability is predicted; the second in order by default.
        threshold: two classes: the probability from which on a row is positive.
        validation: fraction of the rows that decide when to stop and which weights are best.
        test: fraction of the rows that are held out until the end.
        weight: the column that says how much a row weighs in the loss, 0 or more; no feature.
        group: the column that says which rows belong together, such as those of a patient: they are all trained on, all
            validate, or are all held out. No feature, unless it is named as one.
        time: the column that says when a row was, as ``datetime`` has it or a number: the last rows are held out, and
            those before them validate. No feature, unless it is named as one.
        validation_file: a table whose rows validate, in the place of the fraction ``validation``.
        test_file: a table whose rows are held out, in the place of the fraction ``test``.
        seed: of the split.
        missing_values: the cells that are missing beside the empty one; None for
            `parity_runtime.tables.cell_values.MISSING_TOKENS`. The package reads its tables likewise.
        format: of the file: ``csv``, ``jsonl``, ``npy``, ``parquet`` or ``arrow``; None for what its suffix says.
        delimiter: of CSV: what separates cells, one character, or ``tab``; None finds it in the first line.
        header: of CSV: the names of the columns, where the file has no header line.
        decimal: of CSV: the decimal sign, ``.`` or ``,``; None finds it in the first rows.
        thousands: of CSV: what separates groups of three digits: one of ``,``, ``.``, ``'`` and a space.
        currency: of CSV: signs or codes beside numbers, which are left out.
        percent: of CSV: whether ``45%`` is the number 0.45.
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
        """What is said of the columns."""
        dropped = tuple(dict.fromkeys((*self.drop_columns, *self.id_columns)))
        first, *more = self.targets
        kinds = (self.numeric, self.categorical, self.datetime)
        return ColumnChoice(first, self.features, dropped, *kinds, tuple(more), self.weight, self.group, self.time)

    @property
    def reading(self) -> ReadOptions:
        """How the file is written."""
        return ReadOptions(**{item.name: getattr(self, item.name) for item in fields(ReadOptions)})

    @property
    def given_lists(self) -> dict[str, tuple[str, ...]]:
        """The lists that an argument in a message goes on from, where they are given."""
        lists = {name: getattr(self, name) for name in ("missing_values", "drop_columns", "currency", "categorical")}
        return {name: values for name, values in lists.items() if values}
