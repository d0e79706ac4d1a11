"""The cells of a table's features as numbers: each column by its kind."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.tables.chunk import Chunk, Refused, shown
from parity_training.data.choose_columns import ChosenColumns
from parity_training.data.column_problem import ColumnProblemError
from parity_training.data.dates import names_zone
from parity_training.data.encode_columns import year
from parity_training.data.native_kind import native_kind
from parity_training.data.non_numeric_column import odd_column
from parity_training.data.vocabulary import CategoryCodes


class CellReader:
    """Reads chunk after chunk, and knows what it has met.

    Args:
        chosen: the columns and their kinds.

    Attributes:
        words: the words for a missing cell that were met among numbers.
    """

    def __init__(self, chosen: ChosenColumns) -> None:
        self._chosen, self.words = chosen, Counter[str]()
        self._numeric, self._names = chosen.of("numeric"), chosen.of("numeric", "boolean")
        self._booleans = chosen.of("boolean")
        self._codes = {name: CategoryCodes() for name in chosen.of("categorical", "code")}
        self._dates = {name: _Zones() for name in chosen.of("datetime")}
        self._known = dict.fromkeys(self._numeric, 0)

    def bound(self, most_texts: int | None) -> None:
        """Tell apart different texts of so many bytes, each column its share: those that come later are one."""
        for codes in self._codes.values():
            codes.most = None if most_texts is None else most_texts // len(self._codes)

    @property
    def known(self) -> dict[str, int]:
        """How many numbers each column of numbers has, in the chunks that were read."""
        return self._known

    @property
    def texts(self) -> list[Sequence[str]]:
        """Of each column of categories, those that were met, by their number."""
        return [codes.texts for codes in self._codes.values()]

    def read(
        self, chunk: Chunk, rest: Iterable[Chunk] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
        """Return numbers and years, float64 ``[rows, numbers + dates]``, codes of categories and seconds of dates.

        Args:
            chunk: rows of the table.
            rest: the rows behind it, which are only read where a column of this chunk is refused, so that the message
                speaks of all of it; None for one that speaks of the cell alone.

        Raises:
            ColumnProblemError: a column holds something else than its kind.
        """
        chunk.refuse(chunk.unreadable([*self._booleans, *self._codes, *self._dates]))
        matrix = self._read_numbers(chunk, rest)
        codes = [[codes[text] for text in self._read_texts(chunk, name)] for name, codes in self._codes.items()]
        seconds = [self._read_dates(chunk, name, zones) for name, zones in self._dates.items()]
        if self._dates:
            matrix = np.concatenate([matrix, *(year(column)[:, None] for column in seconds)], axis=1)
        return matrix, _columns(codes, len(chunk), np.int32), _columns(seconds, len(chunk), np.int64)

    def _read_numbers(self, chunk: Chunk, rest: Iterable[Chunk] | None) -> NDArray[np.float64]:
        numbers = self._read_numeric(chunk, rest)
        _refuse_infinite(chunk, self._numeric, numbers)
        self._count_words(chunk, numbers)
        for name, known in zip(self._numeric, (~np.isnan(numbers)).sum(axis=0), strict=True):
            self._known[name] += int(known)
        if not self._booleans:
            return numbers
        found = dict(zip(self._numeric, numbers.T, strict=True))
        found |= {name: self._read_booleans(chunk, name) for name in self._booleans}
        return np.stack([found[name] for name in self._names], axis=1)

    def _read_numeric(self, chunk: Chunk, rest: Iterable[Chunk] | None) -> NDArray[np.float64]:
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
                found = None if rest is None else odd_column(chain([chunk], rest), name, self._known[name], self.words)
                raise found or _explained(error) from error
        return matrix

    def _count_words(self, chunk: Chunk, matrix: NDArray[np.float64]) -> None:
        missing = np.isnan(matrix)
        for place in np.flatnonzero(missing.any(axis=0)):
            cells = chunk.column(self._numeric[place])
            words = (cells[row].strip() for row in np.flatnonzero(missing[:, place]))
            self.words.update(word for word in words if word in chunk.values.tokens)

    def _read_booleans(self, chunk: Chunk, name: str) -> NDArray[np.float64]:
        try:
            numbers, refused = chunk.booleans(name)
            if name in self._chosen.categorical:  # which keeps truth values boolean, and is no way out
                chunk.refuse(_with_words(refused, name))
        except InputError as error:
            raise (error if name in self._chosen.categorical else _explained(error)) from error
        _refuse(chunk, refused)
        return numbers

    def _read_texts(self, chunk: Chunk, name: str) -> list[str]:
        kind = self._chosen.kinds[name].kind
        found: list[str] = chunk.categories(name, kind or "categorical").tolist()
        return found

    def _read_dates(self, chunk: Chunk, name: str, zones: "_Zones") -> NDArray[np.int64]:
        form = self._chosen.kinds[name].form
        try:
            seconds, refused = chunk.timestamps(name, form)
        except InputError as error:
            raise _explained(error) from error
        _refuse(chunk, refused)
        if form is None and native_kind(chunk, name) != "datetime":
            zones.check(chunk, name, seconds != MISSING_TIMESTAMP)
        return seconds


def _with_words(refused: Refused, name: str) -> Refused:
    """Return what is wrong with rows, with the way out of a column of truth values that was said to be categories."""
    way_out = f"spell it like the others, or leave the column out with {argument('drop_columns', (name,))}"
    return {row: found._replace(problem=f"{found.problem}; {way_out}") for row, found in refused.items()}


class _Zones:
    """Whether the times of a column name their zone: either all of them do, or none."""

    def __init__(self) -> None:
        self.first: str | None = None

    def check(self, chunk: Chunk, name: str, known: NDArray[np.bool_]) -> None:
        cells = chunk.column(name)
        rows = np.flatnonzero(known).tolist()
        if self.first is None and rows:
            self.first = cells[rows[0]]
        is_zoned = self.first is not None and names_zone(self.first)
        for row in rows:
            if names_zone(cells[row]) != is_zoned:
                zone, other = ("no", "has one") if is_zoned else ("a", "has none")
                what = f"{name} is {shown(cells[row])}, with {zone} time zone, and {shown(str(self.first))} {other}; "
                what += f"write all of them in one way, {_ways_out(name)}"
                raise ColumnProblemError(what, path=chunk.where, row=chunk.row_number(row), column=name,
                                    options={"categorical": (name,)})  # fmt: skip


def _columns(columns: Sequence[Any], rows: int, dtype: Any) -> NDArray[Any]:
    return np.array(columns, dtype).T if columns else np.empty((rows, 0), dtype)


def _refuse_infinite(chunk: Chunk, names: Sequence[str], matrix: NDArray[np.float64]) -> None:
    if np.isinf(matrix).any():
        row, column = np.argwhere(np.isinf(matrix))[0]
        raise chunk.error(int(row), f"{names[column]} is infinite; a feature is finite, or missing", names[column])


def _refuse(chunk: Chunk, refused: Refused) -> None:
    """Raise the error of the first row that is refused, with the way out."""
    try:
        chunk.refuse(refused)
    except InputError as error:
        raise _explained(error) from error


def _explained(error: InputError) -> InputError:
    """Return the error of a column that holds no numbers, with the way out."""
    if error.column is None:
        return error
    problem = f"{error.problem}; {_ways_out(error.column)}"
    options = {"categorical": (error.column,)}
    return ColumnProblemError(problem, path=error.path, row=error.row, column=error.column, options=options)


def _ways_out(name: str) -> str:
    text, drop = (argument(field, (name,)) for field in ("categorical", "drop_columns"))
    return f"take the column as text with {text}, or leave it out with {drop}"
