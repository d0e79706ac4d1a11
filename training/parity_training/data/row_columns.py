"""Columns that say something of the rows themselves: how much they weigh, which belong together, when they were."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.tables.chunk import Chunk, shown
from parity_training.data.choose_columns import ChosenColumns, ColumnChoice
from parity_training.data.column_kinds import ColumnSample, KindOf, kind_of
from parity_training.data.problem import PARTS
from parity_training.data.read_cells import CellReader

WEIGHT, GROUP, TIME, PART = "weight", "group", "time", "part"


@dataclass(frozen=True)
class RowColumns:
    """Which columns of `RawRows.of_row` hold what.

    Attributes:
        places: of each of ``weight``, ``group``, ``time`` and ``part`` that is there.
        num_targets: how many targets stand before them, beside the first.
    """

    places: Mapping[str, int]
    num_targets: int = 0

    @classmethod
    def of(cls, choice: ColumnChoice, *, in_parts: bool = False) -> "RowColumns":
        """Return the columns that a choice names.

        Args:
            choice: what somebody says of the columns.
            in_parts: whether files of their own hold the rows that validate, or are held out.
        """
        there = {WEIGHT: choice.weight, GROUP: choice.group, TIME: choice.time, PART: in_parts or None}
        names = [name for name, said in there.items() if said is not None]
        first = len(choice.more_targets)
        return cls({name: first + place for place, name in enumerate(names)}, first)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self.num_targets + len(self.places)

    def column(self, name: str, of_row: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return a column, float64 ``[rows]``; None where it is not there."""
        found: NDArray[np.float64] | None = of_row[:, self.places[name]] if name in self.places else None
        return found


class RowColumnReader:
    """Reads these columns, chunk after chunk.

    Args:
        where: the table.
        choice: what somebody says of its columns.
        columns: of the table.
        time: the first cells of the column of times, where there is one.
        parts: of each file that is one part of the rows, its place in `PARTS`.
    """

    def __init__(
        self,
        where: str,
        choice: ColumnChoice,
        columns: Sequence[str],
        time: ColumnSample | None,
        parts: Mapping[str, int],
    ) -> None:
        self._choice, self._parts = choice, parts
        self.layout = RowColumns.of(choice, in_parts=bool(parts))
        kinds = {
            name: KindOf("numeric") for name in (*choice.more_targets, *([choice.weight] if choice.weight else []))
        }
        if time is not None:
            self._time, form = choice.time_column(columns)
            kinds |= {self._time: _time_kind(where, self._time, form, time)}
        self._kinds = kinds
        self._cells = CellReader(ChosenColumns(kinds))

    def missing_targets(self, chunk: Chunk) -> NDArray[np.bool_]:
        """Return which rows lack one of the targets beside the first, bool ``[rows]``."""
        found = np.zeros(len(chunk), np.bool_)
        for name in self._choice.more_targets:
            cells = (chunk.values.is_missing(cell, in_numbers=True) for cell in chunk.column(name))
            found |= np.fromiter(cells, np.bool_, len(chunk))
        return found

    def read(self, chunk: Chunk) -> NDArray[np.float64]:
        """Return the columns, float64 ``[rows, columns]``; a group has the number that its name gives.

        Raises:
            InputError: a weight is negative, missing or beyond float32, or a time is missing or none.
        """
        matrix, _, seconds = self._cells.read(chunk, None)
        names = [name for name, found in self._kinds.items() if found.kind == "numeric"]
        numbers = dict(zip(names, matrix.T, strict=False))
        columns: list[NDArray[Any]] = [numbers[name] for name in self._choice.more_targets]
        if self._choice.weight:
            columns.append(_checked_weights(chunk, self._choice.weight, numbers[self._choice.weight]))
        if self._choice.group:
            columns.append(_group_codes(chunk, self._choice.group))
        if self._choice.time:
            is_date = self._kinds[self._time].kind == "datetime"
            columns.append(_checked_times(chunk, self._time, seconds[:, 0] if is_date else numbers[self._time]))
        if self._parts:
            columns.append(np.full(len(chunk), self._parts.get(chunk.where, PARTS.index("train"))))
        return np.stack(columns, axis=1).astype(np.float64) if columns else np.empty((len(chunk), 0))


def _group_codes(chunk: Chunk, name: str) -> NDArray[np.int64]:
    """Return a number of each row's group, below 2^48, which a double holds: no list of all names is kept."""
    cells = [cell.strip() for cell in chunk.column(name)]
    codes = {cell: _code(cell) for cell in {*cells}}
    return np.array([codes[cell] for cell in cells], np.int64)


def _code(text: str) -> int:
    """Return a number that two of ten million texts share with a chance of one in five; they stay together then."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=6).digest(), "big")


def _checked_weights(chunk: Chunk, name: str, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    most = float(np.finfo(np.float32).max)
    wrong = np.flatnonzero(~((weights >= 0) & (weights <= most)))
    if len(wrong):
        row = int(wrong[0])
        wanted = f"at most {most:.2g}" if weights[row] > most else "0 or more, and 0 leaves the row out of the loss"
        what = f"{name} is {shown(chunk.cell(row, name))}; a weight is {wanted}"
        raise chunk.error(row, what, name)
    return weights


def _checked_times(chunk: Chunk, name: str, times: NDArray[Any]) -> NDArray[Any]:
    missing = times == MISSING_TIMESTAMP if times.dtype == np.int64 else np.isnan(times)
    if missing.any():
        row = int(np.argmax(missing))
        what = f"{name} is missing, so that the row has no place in time; fill it in, or take the row out of the table"
        raise chunk.error(row, what, name)
    return times


def _time_kind(where: str, name: str, form: str | None, sample: ColumnSample) -> KindOf:
    """Return whether a column of times holds dates or numbers.

    Raises:
        InputError: neither.
    """
    found = KindOf("datetime", form) if form is not None else kind_of(sample)
    if found.formats:
        ways = " or ".join(argument("time", f"{name}={other}") for other in found.formats)
        raise InputError(f"{where}: {name} holds dates that can be read in more than one way: say {ways}", column=name)
    if found.kind not in ("datetime", "numeric"):
        way_out = argument("time", f"{name}=%d/%m/%Y")
        raise InputError(
            f"{where}: {name} holds neither numbers nor dates in ISO 8601; say how its dates are written, such as "
            f"{way_out}",
            column=name,
        )
    return KindOf(found.kind, found.form)
