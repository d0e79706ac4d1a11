"""What kind of cells a column holds, told from a table's first rows."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from parity_runtime.feature import ColumnKind
from parity_runtime.tables.cell_patterns import spelling
from parity_runtime.tables.cell_values import PLAIN, CellValues
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_training.data.dates import fitting_formats, odd_dates
from parity_training.data.native_kind import NativeKind, native_kind

HEAD_ROWS = 2**16
"""Rows from which the kind of a column is told; a later cell that contradicts it is an error that names its row."""

FEWEST_IDENTIFIERS = 20
"""So many different texts, or rows, have to be there before a column looks like an identifier."""

_IDENTIFIERS, _IDENTIFIERS_OF_HEAD = 0.5, 0.95
"""The share of a column's cells that are different from which on it looks like an identifier; where the table goes on
behind the first rows, in which many a useful column of a long table repeats little, the larger one counts."""

_MANY_ODD, _MANY_ODD_SHARE = 20, 0.1  # so many texts among numbers are no slips: the column is text
_SPELLED = 1000  # texts that show whether they are numbers in another spelling
_LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
_WORDS = frozenset({"true", "false"})

_NATIVE: dict[NativeKind, ColumnKind] = {
    "code": "code", "boolean": "boolean", "datetime": "datetime", "number": "numeric",
}  # fmt: skip

Why = Literal["index", "empty", "constant", "identifier", "row number", "ambiguous", "mixed dates", "unreadable"]


@dataclass(frozen=True)
class KindOf:
    """What a column turned out to be.

    Attributes:
        kind: of its cells; None where no feature can be made of it.
        form: of dates in text, as for `datetime.strptime`; None for ISO 8601.
        why: why it is left out, unless somebody asks for it; None where it is a feature.
        formats: of a column whose dates can be read in several ways: these.
        is_of_head: whether the table goes on behind the rows that were looked at.
        repeats: of an identifier whether some text stands in more than one row.
    """

    kind: ColumnKind | None
    form: str | None = None
    why: Why | None = None
    formats: tuple[str, ...] = ()
    is_of_head: bool = False
    repeats: bool = True


@dataclass
class ColumnSample:
    """The cells of a column's first rows, counted by what they can be read as; in any order, and in any parts.

    Attributes:
        numbers: cells that are numbers, without those of `zeros`.
        fractions: those of them that are no integers.
        zeros: numbers that begin with a zero: codes.
        words: cells that say true or false.
        texts: all others that are not missing.
        dashes: cells that are missing among numbers, and text elsewhere.
        native: what a format with types says of the column.
        is_head: whether the table goes on behind these rows.
    """

    numbers: int = 0
    fractions: int = 0
    zeros: Counter[str] = field(default_factory=Counter)
    words: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    dashes: Counter[str] = field(default_factory=Counter)
    native: set[NativeKind] = field(default_factory=set)
    values: CellValues = PLAIN
    is_head: bool = False

    def add(self, chunk: Chunk, name: str) -> None:
        """Take the cells of a chunk."""
        self.values = chunk.values
        native = native_kind(chunk, name)
        if native is not None:
            self.native.add(native)
        if native == "other" or (native == "number" and self._add_native_numbers(chunk, name)):
            return
        for cell, rows in Counter(chunk.column(name)).items():
            self._count(cell, rows)

    def _add_native_numbers(self, chunk: Chunk, name: str) -> bool:
        """Take cells that a format with types says are numbers; whether all of them are."""
        matrix, refused = chunk.read([name])
        if not refused:
            self.add_numbers(matrix[:, 0], chunk.values)
        return not refused

    def add_numbers(self, column: NDArray[np.float64], values: CellValues) -> None:
        """Take cells that are numbers, none of which begins with a zero; NaN is a missing one."""
        known = column[~np.isnan(column)]
        self.values = values
        self.numbers += len(known)
        self.fractions += int((known != np.floor(known)).sum())

    @property
    def is_numeric(self) -> bool:
        """Whether all cells that were taken are numbers, or missing."""
        return not (self.texts or self.words or self.zeros or self.dashes or self.native)

    def _count(self, cell: str, rows: int) -> None:
        values, stripped = self.values, cell.strip()
        if values.is_missing(cell):
            return
        if stripped in values.number_tokens:
            self.dashes[cell] += rows
        elif stripped.lower() in _WORDS:
            self.words += rows
        elif _LEADING_ZERO.fullmatch(stripped):
            self.zeros[cell] += rows
        else:
            self._count_number(cell, rows)

    def _count_number(self, cell: str, rows: int) -> None:
        try:
            number = self.values.number(cell)
        except ValueError:
            self.texts[cell] += rows
            return
        if number != number:  # noqa: PLR0124 -- NaN: missing by its value
            return
        self.numbers += rows
        self.fractions += rows * (number != number // 1)

    @property
    def known(self) -> int:
        """Cells that are not missing."""
        return self.numbers + self.words + self.zeros.total() + self.texts.total()


def kind_of(sample: ColumnSample) -> KindOf:
    """Return what a column is, judged by its first rows."""
    if "other" in sample.native:
        return KindOf(None, why="unreadable")
    if not sample.known:
        return KindOf("numeric", why="empty")
    for native, kind in _NATIVE.items():
        if native in sample.native:
            return KindOf(kind)
    if sample.words and not (sample.texts or sample.zeros):
        return KindOf("boolean" if sample.words >= sample.numbers else "numeric")
    if not (sample.texts or sample.words or sample.zeros):
        return KindOf("numeric")
    return _kind_of_text(sample)


def _kind_of_text(sample: ColumnSample) -> KindOf:
    dates = _dates(sample)
    if dates is not None:
        return dates
    if sample.zeros and not sample.fractions:  # no code has a decimal point
        return _category(sample.zeros + sample.texts, sample)
    odd = sample.texts.total() + sample.words
    if _are_slips(odd, len(sample.texts), sample.numbers + sample.zeros.total()):
        return KindOf("numeric")
    found = spelling(list(sample.texts)[:_SPELLED], sample.values, has_decimals=bool(sample.fractions))
    return KindOf("numeric") if found else _category(sample.texts, sample)


def _are_slips(odd: int, distinct: int, numbers: int) -> bool:
    """Whether some cells are no numbers in a column that is one of numbers otherwise."""
    return odd < numbers and not (distinct > _MANY_ODD and odd > _MANY_ODD_SHARE * (odd + numbers))


def _category(texts: Counter[str], sample: ColumnSample) -> KindOf:
    """Return a category, or an identifier where so many of the texts are different."""
    texts = texts + sample.dashes
    share = _IDENTIFIERS_OF_HEAD if sample.is_head else _IDENTIFIERS
    if len(texts) <= FEWEST_IDENTIFIERS or len(texts) <= share * texts.total():
        return KindOf("categorical")
    return KindOf("categorical", None, "identifier", (), sample.is_head, max(texts.values()) > 1)


def _dates(sample: ColumnSample) -> KindOf | None:
    """Return what a column of dates is; None where most of its cells are none."""
    known, texts = sample.known + sample.dashes.total(), sample.texts
    if 2 * texts.total() <= known:
        return None
    cells, rows = list(texts), list(texts.values())
    odd = odd_dates(cells)
    if 2 * (texts.total() - sum(rows[place] for place in odd)) > known:
        return KindOf("datetime")
    formats = fitting_formats(cells) if texts.total() == known else []
    if len(formats) == 1:
        return KindOf("datetime", formats[0])
    if formats:
        return KindOf("datetime", None, "ambiguous", tuple(formats))
    is_mixed = 0 < len(odd) < len(cells) and texts.total() == known
    others = fitting_formats([cells[place] for place in odd]) if is_mixed else []
    return KindOf("categorical", None, "mixed dates", tuple(others)) if others else None


def sample_columns(chunks: Iterable[Chunk], names: Sequence[str], *, is_head: bool = False) -> dict[str, ColumnSample]:
    """Count the cells of columns over some rows.

    Args:
        chunks: the rows.
        names: the columns.
        is_head: whether the table goes on behind these rows.

    Raises:
        InputError: a row has more or fewer cells than the header.
    """
    samples = {name: ColumnSample(is_head=is_head) for name in names}
    for chunk in chunks:
        numeric = [name for name, sample in samples.items() if sample.is_numeric]
        matrix = _plain_matrix(chunk, numeric)
        for place, name in enumerate(numeric if matrix is not None else ()):
            samples[name].add_numbers(matrix[:, place], chunk.values)  # type: ignore[index]
        for name, sample in samples.items():
            if matrix is None or name not in numeric:
                sample.add(chunk, name)
    return samples


def _plain_matrix(chunk: Chunk, names: Sequence[str]) -> NDArray[np.float64] | None:
    """Return columns of CSV as numbers, None where some cell may be none, or begin with a zero.

    A library's reader takes a fraction of the time that counting cells takes.
    """
    if not isinstance(chunk, CsvChunk) or chunk.quoted or not names:
        return None
    between = re.escape(chunk.header.delimiter.encode())
    if re.search(rb"(?:^|[ \n]|" + between + rb")[+-]?0[0-9]", chunk.block):
        return None
    matrix, refused = chunk.read(names)
    return None if refused else matrix


def is_integer_column(sample: ColumnSample) -> bool:
    """Whether a column holds integers, and nothing that begins with a zero."""
    return bool(sample.numbers) and not (sample.fractions or sample.zeros or sample.texts or sample.words)


def is_truth_column(sample: ColumnSample) -> bool:
    """Whether a column holds truth values, and nothing else."""
    return sample.native == {"boolean"} or bool(sample.words and not (sample.texts or sample.zeros or sample.numbers))


def is_doubtful(sample: ColumnSample, found: KindOf) -> bool:
    """Whether some of the first rows may not be read as their column's kind."""
    if found.kind == "datetime":
        return "datetime" not in sample.native
    if found.kind == "boolean":
        return bool(sample.texts or sample.zeros or sample.numbers)
    is_text = bool(sample.texts or sample.words or sample.native - {"number", "code"})
    return found.kind == "numeric" and is_text and sample.known > 0
