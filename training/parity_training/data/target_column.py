"""The column that is to be predicted: numbers or classes, whichever its cells say."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.tables.cell_patterns import Pattern, spelling
from parity_runtime.tables.cell_values import PLAIN, CellValues
from parity_runtime.tables.chunk import Chunk, shown
from parity_runtime.tables.csv_chunk import CsvChunk

_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_MOST_TEXTS = 1000  # distinct targets; a column with more is no list of classes
_SHOWN = 5
TRUTH = frozenset({"true", "false"})
"""The classes of a target of truth values, whatever their spelling and the file's format."""
_MANY_CLASSES = 20  # from here on a class takes more rows than `_ROWS_A_CLASS`
_RARE = 0.1  # of the rarest class: a word for a missing cell that stands less often is no class
_ROWS_A_CLASS, _ROWS_OF_MANY = 2, 10  # of ten rows, one validates and one is held out


@dataclass
class Target:
    """The target's cells, read both ways; rows in which it is missing were left out before.

    Attributes:
        name: of the column.
        where: the file.
        may_be_numbers: False once the column is no column of numbers.
        texts: every distinct cell with its code; None when there are more than any list of classes has.
        counts: in how many rows each of them stands.
        odd: the cells that are no numbers, with their counts; of many different ones the first thousand.
        first_odd: the file and the row of each of them where it stands first.
        num_numbers: how many cells are numbers.
        num_odd: how many are not.
        words: the words for a missing cell that were met, with their counts.
        dashes: of the cells that are missing among numbers alone, and text elsewhere, their counts.
        values: how the cells are read.
        is_csv: whether the file's format has text alone, and numbers are read from it.
    """

    name: str
    where: str
    may_be_numbers: bool = True
    texts: dict[str, int] | None = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    first_odd: dict[str, tuple[str, int]] = field(default_factory=dict)
    num_numbers: int = 0
    num_odd: int = 0
    words: Counter[str] = field(default_factory=Counter)
    dashes: Counter[str] = field(default_factory=Counter)
    values: CellValues = PLAIN
    is_csv: bool = True

    def add(self, cells: Sequence[str], chunk: Chunk) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Take a chunk's cells, none of them missing.

        Returns:
            The cells as numbers, float64 ``[rows]``, NaN where one is none; and their codes, int32 ``[rows]``, -1 where
            there are too many.
        """
        self.values, self.is_csv = chunk.values, isinstance(chunk, CsvChunk)
        numbers = self._add_numbers(cells, chunk) if self.may_be_numbers else np.full(len(cells), np.nan)
        return numbers, np.full(len(cells), -1, np.int32) if self.texts is None else self._add_texts(cells, self.texts)

    def _add_texts(self, cells: Sequence[str], texts: dict[str, int]) -> NDArray[np.int32]:
        codes = np.array([texts.setdefault(cell, len(texts)) for cell in cells], np.int32)
        self.counts.update(dict(enumerate(np.bincount(codes, minlength=len(texts)).tolist())))
        if len(texts) > _MOST_TEXTS:
            self.texts = None
        return codes

    def _add_numbers(self, cells: Sequence[str], chunk: Chunk) -> NDArray[np.float64]:
        numbers, odd = self._read(cells, chunk)
        for row in odd:
            cell = _as_written(cells[row], row, chunk, self.name)
            if cell in self.odd or len(self.odd) < _MOST_TEXTS:
                self.odd[cell] += 1
                self.first_odd.setdefault(cell, (chunk.where, chunk.row_number(row)))
        self.num_odd += len(odd)
        self.num_numbers += int((~np.isnan(numbers)).sum())
        if self.num_odd > _MOST_TEXTS and not self.num_numbers:
            self.may_be_numbers = False  # text, beyond doubt
        return numbers

    def _read(self, cells: Sequence[str], chunk: Chunk) -> tuple[NDArray[np.float64], list[int]]:
        """Return the cells as numbers, and which are none: text, and codes such as 007."""
        try:
            matrix, refused = chunk.read([self.name])
            numbers, odd = matrix[:, 0], set(refused)
        except InputError:  # a column of another type
            numbers, odd = np.full(len(cells), np.nan), set(range(len(cells)))
        codes = {row for row, cell in enumerate(cells) if _LEADING_ZERO.match(cell)}
        numbers[list(codes)] = np.nan
        odd |= codes
        self.dashes.update(cells[row] for row in np.flatnonzero(np.isnan(numbers)).tolist() if row not in odd)
        return numbers, sorted(odd)

    @property
    def is_numeric(self) -> bool:
        """Whether it is a column of numbers, some of which may be missing."""
        return bool(self.may_be_numbers and not self.num_odd and self.num_numbers)

    def class_names(self, *, is_numeric: bool) -> list[str | None]:
        """Return the class of each code; None of a cell that is missing among numbers, whose rows are left out."""
        texts = list(self.texts or ())
        names = [text.lower() for text in texts] if self.is_truth else texts
        return [None if is_numeric and text in self.dashes else name for text, name in zip(texts, names, strict=True)]

    @property
    def is_truth(self) -> bool:
        """Whether all cells say true or false, in any case: however they are spelled, they are two classes."""
        return bool(self.texts) and {text.lower() for text in self.texts or ()} <= TRUTH

    def refuse_odd_numbers(self) -> None:
        """Refuse numbers in another spelling, and numbers among which some cells are none; text is none of either.

        Raises:
            InputError: shows the cells, and says how to read them.
        """
        codes = all(_LEADING_ZERO.match(cell) for cell in self.odd)
        found = None if codes else self._spelling()
        if found:
            cell = found.cells[0]
            what, way_out = found.what, found.way_out
            if not self.is_csv:  # the options that read another spelling are for CSV
                what = f"{what}, as text"
                way_out = f"write it as a number, or say {argument('task', 'classification')} if all are classes"
            raise self._error(cell, f"{self.name} is {shown(cell)}, {what}; {way_out}")
        if self.num_odd and self.num_numbers >= self.num_odd and not codes:
            some = ", ".join(f"{shown(cell)} ({self._place(cell)})" for cell in list(self.odd)[:_SHOWN])
            more = ", ..." if len(self.odd) > _SHOWN else ""
            missing = tuple(sorted({*self.words, *self.odd}))
            can_be_words = len(missing) <= _SHOWN and all(cell == cell.strip() for cell in missing)
            hint = f"give {argument('missing_values', missing)} if they are missing, " if can_be_words else ""
            raise InputError(
                f"{self.where}: {self.name} holds {self.num_numbers} numbers and {self.num_odd} cells that are none: "
                f"{some}{more}; correct them, {hint}or say {argument('task', 'classification')} if all are classes",
                column=self.name,
            )

    def _spelling(self) -> Pattern | None:
        """Return how the numbers among the odd cells are spelled; a code such as 007 is none, but counts as a cell."""
        found = spelling(self.odd.elements(), self.values)
        if found and any(_LEADING_ZERO.match(cell) for cell in found.cells):
            return spelling((cell for cell in self.odd.elements() if not _LEADING_ZERO.match(cell)), self.values)
        return found

    def refuse_text(self) -> None:
        """Raise `InputError` if some cell is no number."""
        for cell in self.odd:
            raise self._error(cell, f"{self.name} is {shown(cell)}, not a number: a regression predicts numbers")

    def refuse_doubtful_words(self, others: Counter[str]) -> None:
        """Refuse classes beside words that may mean a missing cell, or be a class.

        A word that is rare beside each of the classes is no class of its own: it is missing, and counted so.

        Args:
            others: the words that were met in the features.
        """
        rarest = min(self.counts.values(), default=0)
        if self.words and max(self.words.values()) > _RARE * rarest:
            met = ", ".join(
                f"{word} in {count} {'row' if count == 1 else 'rows'}" for word, count in self.words.most_common()
            )
            yes = argument("missing_values", tuple(sorted({*self.words, *others})))
            no = argument("missing_values", tuple(sorted({*others} - {*self.words})))
            raise InputError(
                f"{self.where}: {self.name} holds text, and {met}; say whether that is a missing cell or a class; "
                f"{yes} makes it missing, {no} a class",
                column=self.name,
            )

    def refuse_few_rows(self, classes: Sequence[object], rows: int) -> None:
        """Refuse so many texts that they are no list of classes, or one that a table of its size cannot teach."""
        many = len(classes) > _MANY_CLASSES
        if rows < (_ROWS_OF_MANY if many else _ROWS_A_CLASS) * len(classes):
            some = ", ".join([*(shown(str(name)) for name in classes[:_SHOWN]), *["..."] * (len(classes) > _SHOWN)])
            raise InputError(
                f"{self.where}: {self.name} is text of {len(classes)} kinds in {rows} rows ({some}), too few of "
                f"each to learn from; choose another {argument('target')}, or say "
                f"{argument('task', 'classification')} if they are classes",
                column=self.name,
            )

    def _error(self, cell: str, training_data: str) -> InputError:
        where, row = self.first_odd[cell]
        return InputError(training_data, path=where, row=row, column=self.name)

    def _place(self, cell: str) -> str:
        """Return where an odd cell stands: the row, and of a table in several files the file."""
        where, row = self.first_odd[cell]
        return f"row {row}" if where == self.where else f"{where}, row {row}"


def _as_written(cell: str, row: int, chunk: Chunk, name: str) -> str:
    """Return an odd cell with the spaces around it where it is they that are odd, as those that are no ASCII spaces."""
    if not isinstance(chunk, CsvChunk) or _LEADING_ZERO.match(cell) or not cell.isascii():
        return cell
    try:
        chunk.values.number(cell)
    except ValueError:
        return cell
    return chunk.cell(row, name).strip(" \t\r\n")
