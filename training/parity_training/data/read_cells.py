"""The cells of a table's features as numbers: each column by its kind."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.tables.cell_values import CellValues
from parity_runtime.tables.chunk import Chunk, shown
from parity_training.data.cells import BooleanCells, category_cells
from parity_training.data.choose_columns import ChosenColumns
from parity_training.data.column_problem import ColumnProblem
from parity_training.data.dates import DateCells
from parity_training.data.encode_columns import year
from parity_training.data.non_numeric_column import odd_column
from parity_training.data.option_hint import option_hint
from parity_training.data.vocabulary import CategoryCodes

_MOST_KEPT = 2**16  # dates whose seconds are remembered


class CellReader:
    """Reads chunk after chunk, and knows what it has met.

    Args:
        chosen: the columns and their kinds.
        values: what cells mean.

    Attributes:
        words: the words for a missing cell that were met among numbers.
    """

    def __init__(self, chosen: ChosenColumns, values: CellValues) -> None:
        self._chosen, self.words = chosen, Counter[str]()
        self._numeric, self._names = chosen.of("numeric"), chosen.of("numeric", "boolean")
        self._booleans = {name: BooleanCells(values) for name in chosen.of("boolean")}
        self._codes = {
            name: CategoryCodes(values.is_missing, is_code=chosen.kinds[name].kind == "code")
            for name in chosen.of("categorical", "code")
        }
        self._dates = {name: DateCells(chosen.kinds[name].form, values.is_missing) for name in chosen.of("datetime")}
        self._known = dict.fromkeys(self._numeric, 0)

    @property
    def texts(self) -> list[Sequence[str]]:
        """Of each column of categories, those that were met, by their number."""
        return [codes.texts for codes in self._codes.values()]

    def read(
        self, chunk: Chunk, rest: Iterable[Chunk]
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
        """Return numbers and years, float64 ``[rows, numbers + dates]``, codes of categories and seconds of dates.

        Args:
            chunk: rows of the table.
            rest: the rows behind it, which are only read where a column of this chunk is refused.

        Raises:
            ColumnProblem: a column holds something else than its kind.
        """
        matrix = self._read_numbers(chunk, rest)
        codes = [[codes[cell] for cell in category_cells(chunk, name)] for name, codes in self._codes.items()]
        seconds = [self._read_dates(chunk, name, cells) for name, cells in self._dates.items()]
        if self._dates:
            matrix = np.concatenate([matrix, *(year(column)[:, None] for column in seconds)], axis=1)
        return matrix, _columns(codes, len(chunk), np.int32), _columns(seconds, len(chunk), np.int64)

    def _read_numbers(self, chunk: Chunk, rest: Iterable[Chunk]) -> NDArray[np.float64]:
        numbers = self._read_numeric(chunk, rest)
        _refuse_infinite(chunk, self._numeric, numbers)
        self._count_words(chunk, numbers)
        for name, known in zip(self._numeric, (~np.isnan(numbers)).sum(axis=0), strict=True):
            self._known[name] += int(known)
        if not self._booleans:
            return numbers
        found = dict(zip(self._numeric, numbers.T, strict=True))
        found |= {name: self._read_booleans(chunk, name, cells) for name, cells in self._booleans.items()}
        return np.stack([found[name] for name in self._names], axis=1)

    def _read_numeric(self, chunk: Chunk, rest: Iterable[Chunk]) -> NDArray[np.float64]:
        if not self._numeric:
            return np.empty((len(chunk), 0))
        try:
            matrix, refused = chunk.read(self._numeric)
        except InputError as error:
            raise _explained(error) from error
        for name in self._numeric if refused else ():
            try:
                chunk.numbers([name])
            except InputError as error:
                found = odd_column(chain([chunk], rest), name, self._known[name], self.words)
                raise found or _explained(error) from error
        return matrix

    def _count_words(self, chunk: Chunk, matrix: NDArray[np.float64]) -> None:
        missing = np.isnan(matrix)
        for place in np.flatnonzero(missing.any(axis=0)):
            cells = chunk.column(self._numeric[place])
            words = (cells[row].strip() for row in np.flatnonzero(missing[:, place]))
            self.words.update(word for word in words if word in chunk.values.tokens)

    def _read_booleans(self, chunk: Chunk, name: str, known: BooleanCells) -> NDArray[np.float64]:
        cells = category_cells(chunk, name)
        try:
            return np.array([known[cell] for cell in cells])
        except ValueError as error:
            cell = str(error.args[0])
            raise _problem(chunk, cells.index(cell), name, f"{shown(cell)}, neither true nor false") from error

    def _read_dates(self, chunk: Chunk, name: str, known: DateCells) -> NDArray[np.int64]:
        cells = chunk.column(name)
        if len(known) > _MOST_KEPT:
            known.clear()
        try:
            seconds = np.array([known[cell] for cell in cells], np.int64)
        except (ValueError, OverflowError) as error:
            row = next(row for row, cell in enumerate(cells) if cell not in known)
            form = self._chosen.kinds[name].form
            wanted = "no date of ISO 8601, such as 2024-12-31 23:59" if form is None else f"no date written as {form}"
            raise _problem(chunk, row, name, f"{shown(cells[row])}, {wanted}") from error
        if known.zoned is not None and known.zoneless is not None:
            row = min(cells.index(cell) for cell in (known.zoned, known.zoneless) if cell in cells)
            other = known.zoneless if cells[row] == known.zoned else known.zoned
            raise _problem(chunk, row, name, f"{shown(cells[row])}, and another one is {shown(other)}: either all of "
                           "them name a time zone, or none does")  # fmt: skip
        return seconds


def _columns(columns: Sequence[Any], rows: int, dtype: Any) -> NDArray[Any]:
    return np.array(columns, dtype).T if columns else np.empty((rows, 0), dtype)


def _refuse_infinite(chunk: Chunk, names: Sequence[str], matrix: NDArray[np.float64]) -> None:
    if np.isinf(matrix).any():
        row, column = np.argwhere(np.isinf(matrix))[0]
        raise chunk.error(int(row), f"{names[column]} is infinite; a feature is finite, or missing", names[column])


def _problem(chunk: Chunk, row: int, name: str, what: str) -> ColumnProblem:
    return ColumnProblem(
        f"{name} is {what}; correct it, {_ways_out(name)}",
        path=chunk.where,
        row=chunk.row_number(row),
        column=name,
        options={"--categorical": (name,)},
    )


def _explained(error: InputError) -> InputError:
    """Return the error of a column that holds no numbers, with the way out."""
    if error.column is None:
        return error
    problem = f"{error.problem}; {_ways_out(error.column)}"
    options = {"--categorical": (error.column,)}
    return ColumnProblem(problem, path=error.path, row=error.row, column=error.column, options=options)


def _ways_out(name: str) -> str:
    text, drop = (option_hint(option, [name]) for option in ("--categorical", "--drop-columns"))
    return f"take the column as text with {text}, or leave it out with {drop}"
