"""Tables in text: CSV in, CSV out, columns by name, other columns untouched."""

import csv
import io
import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import Feature, ModelContract
from parity_runtime.errors import InputError


@dataclass(frozen=True)
class Table:
    """A header and its rows, as text.

    Attributes:
        where: the file's name, for errors.
        columns: the header.
        rows: the cells, each row as long as the header.
        first_row: the number of the first of these rows in the file, from 1, without the header.
    """

    where: str
    columns: list[str]
    rows: list[list[str]]
    first_row: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def read_csv(cls, text: TextIO, where: str) -> "Table":
        """Read CSV with a header, all of it.

        Raises:
            InputError: no header, a doubled column, or a row of another length.
        """
        return next(cls.chunks(text, where, size=None))

    @classmethod
    def chunks(cls, text: TextIO, where: str, size: int | None) -> Iterator["Table"]:
        """Read CSV with a header, ``size`` rows at a time (None: all at once); a table without rows is given once.

        Raises:
            InputError: no header, a doubled column, or a row of another length.
        """
        reader = csv.reader(text, strict=True)
        try:
            columns = _header(next(reader, []), where)
            rows = (_checked(row, columns, where, reader.line_num) for row in reader if row)
            first = 1
            while True:
                chunk = list(itertools.islice(rows, size))
                if chunk or first == 1:
                    yield cls(where, columns, chunk, first)
                if size is None or len(chunk) < size:
                    return
                first += len(chunk)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{where}, line {reader.line_num + 1}: not UTF-8 CSV: {error}") from error

    def place(self, row: int) -> str:
        """Return where one of these rows stands: the file and the row in it."""
        return f"{self.where}, row {self.first_row + row}"

    def column(self, name: str) -> list[str]:
        """Return one column's cells.

        Raises:
            InputError: there is no such column.
        """
        if name not in self.columns:
            raise InputError(f"{self.where} has no column {name!r}; it has {', '.join(self.columns)}")
        index = self.columns.index(name)
        return [row[index] for row in self.rows]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return one column as float64 ``[rows]``; an empty cell is NaN.

        Raises:
            InputError: names the first row that holds no number (rows count from 1, without the header).
        """
        cells = self.column(name)
        try:
            return np.array([_number(cell) for cell in cells], np.float64)
        except ValueError:
            row = next(index for index, cell in enumerate(cells) if not _is_number(cell))
            raise InputError(f"{self.place(row)}: {name} is {cells[row]!r}, not a number") from None

    def features(self, features: Sequence[Feature]) -> NDArray[np.float64]:
        """Return the features' columns in the graph's order, float64 ``[rows, features]``."""
        ordered = sorted(features, key=lambda feature: feature.index)
        return np.stack([self.numbers(feature.name) for feature in ordered], axis=1)

    def refuse_columns(self, names: Iterable[str]) -> None:
        """Raise `InputError` if one of ``names`` is a column already."""
        for name in names:
            if name in self.columns:
                raise InputError(f"{self.where} has a column {name!r} already; rename it, so that neither is lost")


def table_features(contract: ModelContract, table: Table) -> NDArray[np.float64]:
    """Return the columns that the model takes, float64 ``[rows, features]``, every cell acceptable to it.

    Raises:
        InputError: a column is missing, or a cell is refused (the row counts from 1, without the header).
    """
    if not contract.features:
        raise InputError(f"{contract.name} takes {', '.join(map(str, contract.inputs))}, not rows of a table")
    matrix = table.features(contract.features)
    for feature in contract.features:
        column = matrix[:, feature.index]
        with np.errstate(over="ignore"):
            infinite = np.isinf(column.astype(np.float32))
        refused = infinite | (np.isnan(column) & (feature.missing == "refuse"))
        if refused.any():
            row = int(np.argmax(refused))
            cell = table.column(feature.name)[row]
            raise InputError(
                f"{table.place(row)}: {feature.name} is {cell!r}; this model takes numbers that float32 holds"
            )
    return matrix


def write_csv(file: BinaryIO, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write UTF-8 CSV, each line ended by a single newline, row by row."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    text.detach()  # flushes, and leaves the file open


def read_chunks(name: str, size: int | None = None) -> Iterator[Table]:
    """Read a CSV file, or stdin for ``-``, ``size`` rows at a time.

    Raises:
        InputError: there is no such file, or it is not a table.
    """
    if name == "-":
        yield from Table.chunks(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline=""), "stdin", size)
        return
    try:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            yield from Table.chunks(file, name, size)
    except OSError as error:
        raise InputError(f"cannot read the table {name}: {error.strerror}") from error


def read_table(name: str) -> Table:
    """Read a whole CSV file, or stdin for ``-``.

    Raises:
        InputError: there is no such file, or it is not a table.
    """
    return next(read_chunks(name))


def _header(cells: list[str], where: str) -> list[str]:
    columns = [name.strip() for name in cells]
    if not columns:
        raise InputError(f"{where} is empty; its first line must name the columns")
    doubled = sorted({name for name, count in Counter(columns).items() if count > 1})
    if doubled:
        raise InputError(f"{where} has the column {doubled[0]!r} twice")
    return columns


def _checked(row: list[str], columns: list[str], where: str, line: int) -> list[str]:
    if len(row) != len(columns):
        raise InputError(f"{where}, line {line}: {len(row)} cells, but the header names {len(columns)} columns")
    return row


def _number(cell: str) -> float:
    """Read a decimal number; Python alone would take 1_000 and other scripts' digits as well."""
    if not cell or cell.isspace():
        return float("nan")
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True
