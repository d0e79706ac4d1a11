"""The columns of a file as arrays, read in chunks so that the text is never in memory as a whole."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.feature import ColumnKind
from parity_runtime.tables.cell_patterns import Options
from parity_runtime.tables.chunk import Chunk, listed
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_runtime.tables.table_file import TableFile
from parity_training.data.choose_columns import ChosenColumns, ColumnChoice, LeftOut, candidates, decide, said_of
from parity_training.data.column_kinds import HEAD_ROWS, KindOf, Why, is_doubtful, sample_columns
from parity_training.data.column_problem import ColumnProblemError, TableProblemsError
from parity_training.data.growing_rows import GrowingRows
from parity_training.data.read_cells import CellReader
from parity_training.data.target_column import Target
from parity_training.data.value_range import ValueRange

_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Columns:
    """A file's features and its target.

    Attributes:
        where: the file.
        kinds: of each feature, in the features' order.
        data: float32 ``[rows, numbers + dates]``: numbers and booleans in order, then the year of each date; NaN where
            a cell is missing.
        codes: int32 ``[rows, texts]``: a number for each cell of a category, into ``texts``.
        texts: of each column of ``codes`` the categories by their number; the first is a missing cell.
        seconds: int64 ``[rows, dates]``, since 1970 in UTC.
        target: the target's cells.
        without_target: how many rows were left out because their target is missing.
        left_out: the columns that are no features, but for those that somebody said.
        words: the words for a missing cell that were met in the features.
        row_numbers: the number of each row in the file, from 1, int64 ``[rows]``; None where none was left out.
    """

    where: str
    kinds: dict[str, KindOf]
    data: NDArray[np.float32]
    codes: NDArray[np.int32]
    texts: tuple[Sequence[str], ...]
    seconds: NDArray[np.int64]
    target: Target
    without_target: int
    left_out: tuple[LeftOut, ...] = ()
    words: Counter[str] = field(default_factory=Counter)
    row_numbers: NDArray[np.int64] | None = None

    def of(self, *kinds: ColumnKind) -> list[str]:
        """Return the names of the features of some kinds, in order."""
        return [name for name, found in self.kinds.items() if found.kind in kinds]

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return these rows without the others, which have no target."""
        target = replace(self.target, codes=[np.concatenate(self.target.codes)[rows]] if self.target.codes else [])
        without = self.without_target + int((~rows).sum())
        kept = {name: getattr(self, name)[rows] for name in ("data", "codes", "seconds")}
        numbers = np.flatnonzero(rows) + 1 if self.row_numbers is None else self.row_numbers[rows]
        return replace(self, **kept, row_numbers=numbers, target=target, without_target=without)


def read_columns(file: TableFile, choice: ColumnChoice, given: Options | None = None) -> Columns:
    """Read a table: CSV or JSON Lines, or Parquet, Arrow and Feather with the [tables] extra.

    Args:
        file: the table.
        choice: its target, whose missing cells leave their rows out, and what somebody says of its features.
        given: options that somebody gave, which an option in a message goes on from.

    Raises:
        InputError: a column is missing, named twice, cannot be read, or is beyond float32; no rows.
    """
    chunks = file.chunks(_CHUNK_ROWS)
    head: list[Chunk] = []
    for chunk in chunks:
        head.append(chunk)
        if sum(map(len, head)) >= HEAD_ROWS:
            break
    reader = _Reader(file.name, choice, head)
    reader.refuse_problems(head, chunks, given or {})
    for chunk in chain(_emptied(head), chunks):
        reader.take(chunk, chunks)
    return reader.finish()


def _emptied(head: list[Chunk]) -> Iterator[Chunk]:
    """Give chunks, each of which can be freed when the next one is asked for."""
    while head:
        yield head.pop(0)


class _Reader:
    def __init__(self, path: str, choice: ColumnChoice, head: Sequence[Chunk]) -> None:
        self.path, self.choice, columns = path, choice, head[0].columns
        names, index = candidates(path, columns, choice)
        self.samples = sample_columns(map(self._rows_with_target, head), names)
        self.chosen: ChosenColumns = decide(path, names, self.samples, choice, columns)
        self.wanted = choice.wanted(columns)
        self.left_out = [*index, *self.chosen.left_out]
        if sum(map(len, head)):
            self._refuse_none(self.chosen.kinds)
        self.numbers = self.chosen.of("numeric", "boolean")
        self.texts, self.dates = self.chosen.of("categorical", "code"), self.chosen.of("datetime")
        self.cells = CellReader(self.chosen)
        self.data = GrowingRows(np.float32, len(self.numbers) + len(self.dates))
        self.codes, self.seconds = GrowingRows(np.int32, len(self.texts)), GrowingRows(np.int64, len(self.dates))
        self.left_out_rows: list[NDArray[np.int64]] = []
        self.range = ValueRange(len(self.numbers))
        self.targets = Target(choice.target, path)
        self.without_target = 0

    def refuse_problems(self, head: Sequence[Chunk], rest: Iterator[Chunk], given: Options) -> None:
        """Refuse columns whose first rows cannot be read, all of them at once."""
        doubtful = [name for name, found in self.chosen.kinds.items() if is_doubtful(self.samples[name], found)]
        more = rest if len(doubtful) == 1 else iter(())  # over all rows, where there is one column to speak of
        problems = [problem for name in doubtful if (problem := self._problem(name, head, more)) is not None]
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise TableProblemsError(problems, self.path, given)

    def _problem(self, name: str, head: Sequence[Chunk], more: Iterator[Chunk]) -> ColumnProblemError | None:
        cells = CellReader(self.chosen.only(name))
        for place, chunk in enumerate(head):
            try:
                rest = map(self._rows_with_target, chain(head[place + 1 :], more))
                cells.read(self._rows_with_target(chunk), rest)
            except ColumnProblemError as problem:
                return problem
        return None

    def _rows_with_target(self, chunk: Chunk) -> Chunk:
        """Return the rows that are learned from; their cells are forgotten with them.

        Those of all first rows would be larger than all numbers of a table.
        """
        fresh = chunk.keep(np.ones(len(chunk), np.bool_))
        missing = fresh.missing(self.choice.target)
        return fresh.keep(~missing) if missing.any() else fresh

    def take(self, chunk: Chunk, rest: Iterator[Chunk]) -> None:
        """Take a chunk; the ``rest`` is only read where a column of this one is refused."""
        _refuse_unnamed(chunk)
        cells, chunk = self._known(chunk)
        self.targets.add(cells, chunk)
        matrix, codes, seconds = self.cells.read(chunk, rest)
        numbers = _row_numbers(chunk)
        self.range.add(matrix[:, : len(self.numbers)], numbers)
        for rows, piece in ((self.data, matrix), (self.codes, codes), (self.seconds, seconds)):
            rows.append(piece)

    def _known(self, chunk: Chunk) -> tuple[list[str], Chunk]:
        """Return the rows that have a target, and its cells."""
        cells = [cell.strip() for cell in chunk.column(self.choice.target)]
        missing = chunk.missing(self.choice.target)
        if missing.any():
            self.targets.words.update(cells[row] for row in np.flatnonzero(missing) if cells[row])
            self.without_target += int(missing.sum())
            self.left_out_rows.append(_row_numbers(chunk)[missing])
            cells = [cell for cell, is_missing in zip(cells, missing, strict=True) if not is_missing]
            chunk = chunk.keep(~missing)
        return cells, chunk

    def finish(self) -> Columns:
        if not self.data.rows:
            left_out = f" ({self.without_target} have no {self.choice.target})" if self.without_target else ""
            raise InputError(f"{self.path} has no rows to train on{left_out}")
        seconds, codes = self.seconds.finish(), self.codes.finish()
        why = self._useless(codes, seconds)
        kinds = {name: found for name, found in self.chosen.kinds.items() if name not in why}
        self.left_out += [
            LeftOut(name, reason, said_of(name, replace(self.chosen.kinds[name], why=reason)))
            for name, reason in why.items()
        ]
        self._refuse_none(kinds)
        kept, texts, dates = (
            np.array([name not in why for name in names], np.bool_) for names in (self.numbers, self.texts, self.dates)
        )
        self.range.check(self.path, self.numbers, kept)
        return Columns(
            self.path,
            kinds,
            self.data.finish(np.concatenate([kept, dates])),
            codes if texts.all() else np.ascontiguousarray(codes[:, texts]),
            tuple(found for found, is_kept in zip(self.cells.texts, texts, strict=True) if is_kept),
            seconds if dates.all() else np.ascontiguousarray(seconds[:, dates]),
            self.targets,
            self.without_target,
            tuple(self.left_out),
            self.cells.words,
            self._kept_rows(),
        )

    def _kept_rows(self) -> NDArray[np.int64] | None:
        if not self.left_out_rows:
            return None
        without = np.concatenate(self.left_out_rows)
        return np.delete(np.arange(1, self.data.rows + len(without) + 1), without - 1)

    def _useless(self, codes: NDArray[np.int32], seconds: NDArray[np.int64]) -> dict[str, Why]:
        """Return the columns that all rows together show to tell nothing; not those that somebody asks for."""
        found: dict[str, Why] = {
            name: why for name, why in zip(self.numbers, self.range.useless(), strict=True) if why is not None
        }
        same = [len(column) and (column == column[0]).all() for column in (*codes.T, *seconds.T)]
        found |= {name: "constant" for name, is_same in zip([*self.texts, *self.dates], same, strict=True) if is_same}
        found = {name: found[name] for name in self.chosen.kinds if name in found and name not in self.wanted}
        if found.keys() == self.chosen.kinds.keys():  # where nothing else is there, a table may well be about its order
            found = {name: why for name, why in found.items() if why != "row number"}
        return found

    def _refuse_none(self, kinds: dict[str, KindOf]) -> None:
        if kinds:
            return
        names = [one.name for one in self.left_out if one.name and one.why not in ("unreadable", "empty", "ambiguous")]
        index = [one.name for one in self.left_out if one.why == "index" and one.name]
        if index and index == names:
            raise InputError(
                f"{self.path} leaves no column to predict from, as the rest counts as an index ({listed(index)}); "
                f"if it is none, take it with {argument('features', tuple(index))}"
            )
        why = f": {'; '.join(one.said for one in self.left_out)}" if self.left_out else ""
        raise InputError(f"{self.path} leaves no column to predict from{why}")


def _row_numbers(chunk: Chunk) -> NDArray[np.int64]:
    if chunk.row_numbers is not None:
        return chunk.row_numbers
    return np.arange(chunk.first_row, chunk.first_row + len(chunk))


def _refuse_unnamed(chunk: Chunk) -> None:
    """Refuse columns without a name that hold something; a spreadsheet may end its lines with empty cells."""
    unnamed = [place for place, name in enumerate(chunk.columns) if not name and place]
    if not unnamed or not isinstance(chunk, CsvChunk):
        return
    for row, cells in enumerate(chunk.cells):
        for place in unnamed:
            if place < len(cells) and cells[place].strip():
                raise chunk.error(row, f"column {place + 1} has no name; name it in the header, or take it out")
