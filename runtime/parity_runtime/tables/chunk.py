"""Some rows of a table, whatever file they are from."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import nearest
from parity_runtime.errors import InputError
from parity_runtime.feature import ColumnKind
from parity_runtime.tables.category_cells import category_texts, no_truth, truth_values
from parity_runtime.tables.cell_values import PLAIN, CellValues
from parity_runtime.tables.timestamp_cells import no_date, timestamp_texts

_LONGEST_SHOWN = 60  # characters


class Refusal(NamedTuple):
    """What is wrong with a row, and in which column where it is one column's fault."""

    problem: str
    column: str | None = None


Refused = dict[int, Refusal]
"""What is wrong with rows, by their place in the chunk."""


class Chunk(ABC):
    """Some rows of a table.

    Attributes:
        where: the file's name, for errors.
        columns: the names of the columns.
        first_row: the number of the first of these rows in the file, from 1, without a header.
        values: how cells are to be understood.
        row_numbers: the number of each row in the file, where some were left out; None where they follow one another.
        rows_before: of a table in several files: the rows of those before this one.
    """

    where: str
    columns: list[str]
    first_row: int
    values: CellValues = PLAIN
    row_numbers: NDArray[np.int64] | None = None
    rows_before: int = 0

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @property
    def file_bytes(self) -> int:
        """The bytes that the rows take in their file; 0 where that is unknown."""
        return 0

    @abstractmethod
    def column(self, name: str) -> list[str]:
        """Return one column's cells as text; a missing one is empty.

        Raises:
            InputError: there is no such column, or a row is none.
        """

    def texts(self, names: Sequence[str]) -> list[Sequence[str]]:
        """Return the cells of each row as text; empty where a row has none."""
        columns = [self.column(name) for name in names]
        return list(zip(*columns, strict=True)) if columns else [()] * len(self)

    def cell(self, row: int, name: str) -> str:
        """Return one cell as text."""
        return self.column(name)[row]

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Return which cells of a column are missing, whether it holds text or numbers: bool ``[rows]``.

        Raises:
            InputError: there is no such column, or a row is none.
        """
        words = self.values.tokens | {""}
        return np.fromiter((cell.strip() in words for cell in self.column(name)), np.bool_, len(self))

    def read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        """Return columns as numbers, and which rows have a cell that is none.

        Returns:
            float64 ``[rows, names]``, NaN where a cell is missing or no number; and the rows that are refused.

        Raises:
            InputError: there is no such column.
        """
        matrix, refused = self._read(names)
        if self.values.missing_numbers:
            matrix[np.isin(matrix, self.values.missing_numbers)] = np.nan
        return matrix, refused

    def categories(self, name: str, kind: ColumnKind = "categorical") -> NDArray[np.object_]:
        """Return a column as categories, objects ``[rows]``, each a ``str``; a missing one is empty.

        A row that cannot be read (`unreadable`) has an empty one.

        Args:
            name: of the column.
            kind: ``categorical``, or ``code``: integers, of which 3, 3.0 and "3" are the same text.

        Raises:
            InputError: there is no such column, or its cells are no text: lists, say.
        """
        return category_texts(self._cells(name), kind, self.values)

    def category_columns(self, kinds: Sequence[tuple[str, ColumnKind]]) -> list[NDArray[np.object_]]:
        """Return columns as `categories` does, each with its kind; some formats read several at once sooner."""
        return [self.categories(name, kind) for name, kind in kinds]

    def timestamps(self, name: str, form: str | None = None) -> tuple[NDArray[np.int64], Refused]:
        """Return a column as seconds since 1970, UTC, and which rows have a cell that is no date.

        Args:
            name: of the column.
            form: as for ``datetime.strptime``; None for ISO 8601. Dates that are no text need none.

        Returns:
            int64 ``[rows]``, `parity_runtime.feature.MISSING_TIMESTAMP` where a cell is missing or no date; and the
            rows that are refused.

        Raises:
            InputError: there is no such column, or it holds neither text nor dates.
        """
        seconds, odd = timestamp_texts(self._cells(name), form, self.values)
        return seconds, {row: Refusal(no_date(name, shown(self.cell(row, name)), form), name) for row in odd}

    def booleans(self, name: str) -> tuple[NDArray[np.float64], Refused]:
        """Return a column of truth values as 1 and 0, and which rows have a cell that is neither.

        Returns:
            float64 ``[rows]``, NaN where a cell is missing or no truth value; and the rows that are refused.

        Raises:
            InputError: there is no such column, or it holds neither text nor numbers.
        """
        numbers, odd = truth_values(self._cells(name), self.values)
        return numbers, {row: Refusal(no_truth(name, shown(self.cell(row, name))), name) for row in odd}

    def unreadable(self, names: Sequence[str]) -> Refused:  # noqa: ARG002 -- of formats that have such rows
        """Return the rows whose cells of these columns cannot be told, whatever the cells should be."""
        return {}

    def _cells(self, name: str) -> list[str]:
        """Return one column's cells as text; empty where a row is none."""
        return self.column(name)

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return these rows without the others; each keeps its number in the file."""
        kept = self._keep(rows)
        numbers = self.row_numbers
        if numbers is None:
            numbers = np.arange(self.first_row, self.first_row + len(self))
        kept.values, kept.row_numbers, kept.rows_before = self.values, numbers[rows], self.rows_before
        return kept

    @abstractmethod
    def _read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        """Return what `read` does, missing numbers still numbers."""

    @abstractmethod
    def _keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return these rows without the others."""

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns as float64 ``[rows, names]``; a missing cell is NaN.

        Raises:
            InputError: there is no such column; or names the first row that holds no number.
        """
        matrix, refused = self.read(names)
        self.refuse(refused)
        return matrix

    def place(self, row: int) -> str:
        """Return where one of these rows stands: the file and the row in it."""
        return f"{self.where}, row {self.row_number(row)}"

    def row_number(self, row: int) -> int:
        """Return the number in the file of one of these rows, from 1."""
        return self.first_row + row if self.row_numbers is None else int(self.row_numbers[row])

    def error(self, row: int, problem: str, column: str | None = None) -> InputError:
        """Return the error that one of these rows is."""
        return InputError(problem, path=self.where, row=self.row_number(row), column=column)

    def refuse(self, refused: Refused) -> None:
        """Raise `InputError` for the first row that is refused, if there is one."""
        if refused:
            row = min(refused)
            raise self.error(row, *refused[row])

    def index(self, name: str) -> int:
        """Return a column's place.

        Raises:
            InputError: there is no such column.
        """
        found = self._places.get(name)
        if found is None:
            hint = self.hint(name) or nearest_column(name, self.columns)
            raise InputError(f"{self.where} has no column {name!r}; it has {listed(self.columns)}{hint}")
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each column stands; of two of one name the first. Looked up in a list, 10,000 take a second."""
        return {name: place for place, name in reversed(list(enumerate(self.columns)))}

    def refuse_columns(self, names: Iterable[str], way_out: str) -> None:
        """Raise `InputError` if one of ``names`` is a column already; ``way_out`` says what else to do than rename."""
        for name in names:
            if name in self.columns:
                raise InputError(
                    f"{self.where} has a column {name!r} already; rename it, or {way_out}, so that neither is lost"
                )

    def hint(self, name: str) -> str:  # noqa: ARG002 -- of formats that have one
        """Return why a name may be no column, to stand behind the sentence that says so; empty where nobody knows."""
        return ""


def listed(names: Sequence[str]) -> str:
    """Return the first of many names, for a sentence on one line."""
    names = [name if name.isprintable() else repr(name) for name in names]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def nearest_column(name: str, names: Sequence[str]) -> str:
    """Return ``; did you mean 'price'?`` where a column resembles a name that is none; nothing where none does."""
    found = nearest(name, names, likeness=0.7)
    return "" if found is None else f"; did you mean {found!r}?"


def shown(cell: str) -> str:
    """Return a cell for a sentence: quoted, and not the whole of a long one."""
    return repr(cell) if len(cell) <= _LONGEST_SHOWN else f"{cell[:_LONGEST_SHOWN]!r}..."


def refuse_doubled(where: str, columns: Sequence[str]) -> None:
    """Raise `InputError` if a name stands twice."""
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise InputError(f"{where} has the column {name!r} twice")
        seen.add(name)
