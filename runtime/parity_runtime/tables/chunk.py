"""Some rows of a table, whatever file they are from."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError

_LONGEST_SHOWN = 60  # characters

Refused = dict[int, str]
"""What is wrong with rows, by their place in the chunk."""


class Chunk(ABC):
    """Some rows of a table.

    Attributes:
        where: the file's name, for errors.
        columns: the names of the columns.
        first_row: the number of the first of these rows in the file, from 1, without a header.
    """

    where: str
    columns: list[str]
    first_row: int

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

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

    @abstractmethod
    def read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        """Return columns as numbers, and which rows have a cell that is none.

        Returns:
            float64 ``[rows, names]``, NaN where a cell is missing or no number; and the rows that are refused.

        Raises:
            InputError: there is no such column.
        """

    @abstractmethod
    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return these rows without the others; `first_row` stays."""

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
        return f"{self.where}, row {self.first_row + row}"

    def refuse(self, refused: Refused) -> None:
        """Raise `InputError` for the first row that is refused, if there is one."""
        if refused:
            row = min(refused)
            raise InputError(f"{self.place(row)}: {refused[row]}")

    def index(self, name: str) -> int:
        """Return a column's place.

        Raises:
            InputError: there is no such column.
        """
        if name not in self.columns:
            raise InputError(f"{self.where} has no column {name!r}; it has {listed(self.columns)}{self._hint(name)}")
        return self.columns.index(name)

    def refuse_columns(self, names: Iterable[str]) -> None:
        """Raise `InputError` if one of ``names`` is a column already."""
        for name in names:
            if name in self.columns:
                raise InputError(f"{self.where} has a column {name!r} already; rename it, so that neither is lost")

    def _hint(self, name: str) -> str:  # noqa: ARG002 -- of formats that have one
        return ""


def listed(names: Sequence[str]) -> str:
    """Return the first of many names, for a sentence on one line."""
    names = [name if name.isprintable() else repr(name) for name in names]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


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


def number(text: str) -> float:
    """Read a decimal number; an empty cell is NaN. Python alone would take 1_000 and other scripts' digits as well.

    Raises:
        ValueError: the text is no number.
    """
    if not text or text.isspace():
        return float("nan")
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return float(text)
