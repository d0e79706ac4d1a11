"""The columns of a file as arrays, read in chunks so that the text is never in memory as a whole."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, compress, islice
from typing import Protocol

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
from parity_training.data.column_problem import TableProblemsError
from parity_training.data.column_stats import ColumnStats
from parity_training.data.find_problems import find_problems
from parity_training.data.leading_zeros import has_codes, refuse_codes
from parity_training.data.raw_rows import RawRows
from parity_training.data.read_cells import CellReader
from parity_training.data.row_columns import RowColumnReader, RowColumns
from parity_training.data.rows_of_file import row_numbers
from parity_training.data.table_in_parts import TableInParts
from parity_training.data.target_column import Target
from parity_training.data.value_range import ValueRange

_CHUNK_ROWS = 4096


class RowSink(Protocol):
    """Takes the rows of a table as they are read."""

    def __len__(self) -> int:
        """Return how many rows were taken."""
        ...

    def append(self, piece: RawRows) -> None:
        """Take rows, behind those that were taken before."""
        ...

    def finish(self, numbers: NDArray[np.bool_], texts: NDArray[np.bool_], dates: NDArray[np.bool_]) -> None:
        """Leave out the columns that are not kept; no more rows come."""
        ...


MakeSink = Callable[[int, int, int, int], RowSink]
"""Makes what takes the rows: for so many columns of numbers (booleans among them), of texts, of dates, and of what is
said of the rows themselves."""


@dataclass
class Columns:
    """A file's features and its target; the rows themselves stand elsewhere.

    Attributes:
        where: the file.
        kinds: of each feature, in the features' order.
        texts: of each column of categories those that were met, by their code; the first is a missing cell.
        target: what the target's cells are.
        num_rows: how many rows have a target.
        without_target: how many rows were left out because their target is missing.
        left_out: the columns that are no features, but for those that somebody said.
        words: the words for a missing cell that were met in the features.
        missing_elsewhere: the columns of numbers and booleans that have a missing cell in a row that was left out.
        of_row: the columns that say something of the rows themselves.
    """

    where: str
    kinds: dict[str, KindOf]
    texts: tuple[Sequence[str], ...]
    target: Target
    num_rows: int
    without_target: int
    left_out: tuple[LeftOut, ...] = ()
    words: Counter[str] = field(default_factory=Counter)
    missing_elsewhere: set[str] = field(default_factory=set)
    of_row: RowColumns = field(default_factory=lambda: RowColumns({}))

    def of(self, *kinds: ColumnKind) -> list[str]:
        """Return the names of the features of some kinds, in order."""
        return [name for name, found in self.kinds.items() if found.kind in kinds]

    def stats(self) -> ColumnStats:
        """Return what counts the cells of these columns; no row is counted yet."""
        numbers, dates = len(self.of("numeric", "boolean")), len(self.of("datetime"))
        return ColumnStats(numbers, list(map(len, self.texts)), dates)

    def leave_out(self, rows: RawRows) -> None:
        """Count rows as left out because their target, among numbers, is missing."""
        self.num_rows -= len(rows)
        self.without_target += len(rows)
        missing = np.isnan(rows.data).any(axis=0)
        names = self.of("numeric", "boolean")  # years are behind them
        self.missing_elsewhere |= {name for name, is_missing in zip(names, missing, strict=False) if is_missing}


def read_columns(
    file: TableFile,
    choice: ColumnChoice,
    make_sink: MakeSink,
    given: Options | None = None,
    most_texts: int | None = None,
) -> Columns:
    """Read a table: CSV or JSON Lines, or Parquet, Arrow and Feather with the [tables] extra.

    Args:
        file: the table.
        choice: its target, whose missing cells leave their rows out, and what somebody says of its features.
        make_sink: makes what takes the rows.
        given: options that somebody gave, which an option in a message goes on from.
        most_texts: bytes for the different texts of all columns of categories; None: all are told apart.

    Raises:
        InputError: a column is missing, named twice, cannot be read, or is beyond float32; no rows.
    """
    chunks = file.chunks(_CHUNK_ROWS)
    head: list[Chunk] = []
    for chunk in chunks:
        head.append(chunk)
        if sum(map(len, head)) >= HEAD_ROWS:
            break
    following = list(islice(chunks, 1))
    chunks = chain(following, chunks)
    reader = _Reader(file, choice, head, make_sink, goes_on=bool(following))
    reader.cells.bound(most_texts)
    reader.refuse_problems(head, chunks, given or {})
    for chunk in chain(_emptied(head), chunks):
        reader.take(chunk, chunks)
    return reader.finish()


def _emptied(head: list[Chunk]) -> Iterator[Chunk]:
    """Give chunks, each of which can be freed when the next one is asked for."""
    while head:
        yield head.pop(0)


class _Reader:
    def __init__(
        self, file: TableFile, choice: ColumnChoice, head: Sequence[Chunk], make_sink: MakeSink, *, goes_on: bool
    ) -> None:
        path, columns = file.name, head[0].columns
        self.path, self.choice = path, choice
        parts = file.part_of_file if isinstance(file, TableInParts) else {}
        names, index = candidates(path, columns, choice, head[0].hint)
        time = choice.of_rows(columns).get("time")
        sampled = names if time is None or time in names else [*names, time]
        self.samples = sample_columns(map(self._rows_with_target, head), sampled, is_head=goes_on)
        self.of_row = RowColumnReader(path, choice, columns, self.samples.get(time or ""), parts)
        self.chosen: ChosenColumns = decide(path, names, self.samples, choice, columns)
        self.wanted = choice.wanted(columns)
        self.left_out = [*index, *self.chosen.left_out]
        if sum(map(len, head)):
            self._refuse_none(self.chosen.kinds)
        self.numbers = self.chosen.of("numeric", "boolean")
        self.texts, self.dates = self.chosen.of("categorical", "code"), self.chosen.of("datetime")
        self.cells = CellReader(self.chosen)
        self.rows = make_sink(len(self.numbers), len(self.texts), len(self.dates), self.of_row.layout.width)
        self.same = _Same()
        self.range = ValueRange(len(self.numbers))
        self.targets = Target(choice.target, path)
        self.without_target, self.head_rows, self.taken = 0, sum(map(len, head)), 0
        self.integers = [
            name
            for name in self.chosen.of("numeric")
            if name not in choice.numeric and not self.samples[name].fractions
        ]
        self.missing_elsewhere: set[str] = set()

    def refuse_problems(self, head: Sequence[Chunk], rest: Iterator[Chunk], given: Options) -> None:
        """Refuse columns whose first rows cannot be read, all of them at once."""
        doubtful = [name for name, found in self.chosen.kinds.items() if is_doubtful(self.samples[name], found)]
        problems = find_problems(
            self.chosen, doubtful, map(self._rows_with_target, head), map(self._rows_with_target, rest)
        )
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise TableProblemsError(problems, self.path, given)

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
        target, labels = self.targets.add(cells, chunk)
        if self.taken >= self.head_rows:  # of those before it, each cell was looked at
            refuse_codes(chunk, self.integers)
        matrix, codes, seconds = self.cells.read(chunk, rest)
        self.taken += len(chunk)
        places = row_numbers(chunk)
        self.range.add(matrix[:, : len(self.numbers)], places)
        self.same.add(codes, seconds)
        self.rows.append(RawRows(matrix, codes, seconds, target, labels, places, self.of_row.read(chunk)))

    def _known(self, chunk: Chunk) -> tuple[list[str], Chunk]:
        """Return the rows that have a target, and its cells."""
        cells = [cell.strip() for cell in chunk.column(self.choice.target)]
        missing = chunk.missing(self.choice.target)
        self.targets.words.update(cells[row] for row in np.flatnonzero(missing) if cells[row])
        missing |= self.of_row.missing_targets(chunk)
        if missing.any():
            self.without_target += int(missing.sum())
            self._note_missing(chunk.keep(missing))
            cells = [cell for cell, is_missing in zip(cells, missing, strict=True) if not is_missing]
            chunk = chunk.keep(~missing)
        return cells, chunk

    def _note_missing(self, chunk: Chunk) -> None:
        """Note which columns of numbers have a missing cell in rows without a target: those can be predicted."""
        self.missing_elsewhere |= _columns_with_missing(chunk, self.chosen)

    def finish(self) -> Columns:
        if not len(self.rows):
            left_out = f" ({self.without_target} have no {self.choice.target})" if self.without_target else ""
            raise InputError(f"{self.path} has no rows to train on{left_out}")
        why = self._useless()
        kinds = {name: found for name, found in self.chosen.kinds.items() if name not in why}
        for name, met in zip(self.texts, self.cells.texts, strict=True):
            if name in kinds and kinds[name].kind == "code" and has_codes(met):  # behind the first rows
                kinds[name] = KindOf("categorical")
        self.left_out += [
            LeftOut(name, reason, said_of(name, replace(self.chosen.kinds[name], why=reason)))
            for name, reason in why.items()
        ]
        self._refuse_none(kinds)
        kept, texts, dates = (
            np.array([name not in why for name in names], np.bool_) for names in (self.numbers, self.texts, self.dates)
        )
        self.range.check(self.path, self.numbers, kept)
        self.rows.finish(kept, texts, dates)
        return Columns(
            self.path,
            kinds,
            tuple(compress(self.cells.texts, texts)),
            self.targets,
            len(self.rows),
            self.without_target,
            tuple(self.left_out),
            self.cells.words,
            self.missing_elsewhere,
            self.of_row.layout,
        )

    def _useless(self) -> dict[str, Why]:
        """Return the columns that all rows together show to tell nothing; not those that somebody asks for."""
        found: dict[str, Why] = {
            name: why for name, why in zip(self.numbers, self.range.useless(), strict=True) if why is not None
        }
        found |= dict.fromkeys(compress([*self.texts, *self.dates], self.same.columns), "constant")
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
                f"if it is not an index, keep it with {argument('features', tuple(index))}"
            )
        why = f": {'; '.join(one.said for one in self.left_out)}" if self.left_out else ""
        raise InputError(f"{self.path} leaves no column to predict from{why}")


class _Same:
    """Which columns of codes and seconds have had the same value in every row so far."""

    def __init__(self) -> None:
        self._first: NDArray[np.int64] | None = None
        self.columns: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def add(self, codes: NDArray[np.int32], seconds: NDArray[np.int64]) -> None:
        if not len(codes):
            return
        if self._first is None:
            self._first = np.concatenate([codes[0], seconds[0]])
            self.columns = np.ones(len(self._first), np.bool_)
        width = codes.shape[1]
        self.columns[:width] &= (codes == self._first[:width]).all(axis=0)
        self.columns[width:] &= (seconds == self._first[width:]).all(axis=0)


def _columns_with_missing(chunk: Chunk, chosen: ChosenColumns) -> set[str]:
    """Return the columns of numbers and booleans with a missing cell; a row that cannot be read is not refused here."""
    names, found = chosen.of("numeric"), set[str]()
    with suppress(InputError):
        matrix, refused = chunk.read(names) if names else (np.empty((len(chunk), 0)), {})
        matrix[list(refused)] = 0
        missing = np.logical_or.reduce(np.isnan(matrix), axis=0)
        found.update(compress(names, missing))
    for name in chosen.of("boolean"):
        with suppress(InputError):
            numbers, refused = chunk.booleans(name)
            numbers[list(refused)] = 0
            found |= {name} if np.isnan(numbers).any() else set()
    return found


def _refuse_unnamed(chunk: Chunk) -> None:
    """Refuse columns without a name that hold something; a spreadsheet may end its lines with empty cells."""
    unnamed = [place for place, name in enumerate(chunk.columns) if not name and place]
    if not unnamed or not isinstance(chunk, CsvChunk):
        return
    for row, cells in enumerate(chunk.cells):
        for place in unnamed:
            if place < len(cells) and cells[place].strip():
                raise chunk.error(row, f"column {place + 1} has no name; name it in the header, or take it out")
