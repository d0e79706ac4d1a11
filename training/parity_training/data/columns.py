"""The columns of a file as arrays, read in chunks so that the text is never in memory as a whole."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, takewhile
from typing import Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.tables.chunk import Chunk, listed
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_runtime.tables.table_file import TableFile
from parity_training.data.float32_precision import ColumnSpread
from parity_training.data.non_numeric_column import odd_column
from parity_training.data.option_hint import option_hint
from parity_training.data.target_column import Target

_CHUNK_ROWS = 4096
_GROWTH = 1.125  # of the array that rows are gathered in
_INDEX_LEVEL = re.compile(r"__index_level_\d+__")  # what pandas writes an unnamed index as into Parquet
_SAVED_INDEX = re.compile(r"Unnamed: \d+(?:\.\d+)*")  # what pandas calls an index in CSV that it reads and saves again


@dataclass(frozen=True)
class Columns:
    """A file's features and its target.

    Attributes:
        where: the file.
        features: names, in the order of the matrix.
        data: float32 ``[rows, features]``; NaN where a cell is missing.
        target: the target's cells.
        without_target: how many rows were left out because their target is missing.
        index: the columns that were left out as an index; an unnamed one is empty.
        words: the words for a missing cell that were met in the features.
    """

    where: str
    features: tuple[str, ...]
    data: NDArray[np.float32]
    target: Target
    without_target: int
    index: tuple[str, ...] = ()
    words: Counter[str] = field(default_factory=Counter)

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return these rows without the others, which have no target."""
        target = replace(self.target, codes=[np.concatenate(self.target.codes)[rows]] if self.target.codes else [])
        without = self.without_target + int((~rows).sum())
        return replace(self, data=self.data[rows], target=target, without_target=without)


def read_columns(file: TableFile, target: str, features: Sequence[str] = (), dropped: Sequence[str] = ()) -> Columns:
    """Read a table: CSV or JSON Lines, or Parquet, Arrow and Feather with the [tables] extra.

    Args:
        file: the table.
        target: the column to predict. Rows where it is missing are left out.
        features: the columns to predict from, in this order; all others than target and dropped by default.
        dropped: columns to leave out.

    Raises:
        InputError: a column is missing, named twice, not numeric, infinite, empty, or beyond float32; no rows.
    """
    reader = _Reader(file.name, target, tuple(features), tuple(dropped))
    chunks = file.chunks(_CHUNK_ROWS)
    for chunk in chunks:
        reader.take(chunk, chunks)
    return reader.finish()


def index_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are an index by their names: the first without one, and what pandas calls an index.

    pandas calls any column ``Unnamed: N`` that has no name; such a column is an index at the front alone.
    """
    front = list(takewhile(lambda column: _is_saved_index(*column), enumerate(columns)))
    return tuple(name for place, name in enumerate(columns) if place < len(front) or _INDEX_LEVEL.fullmatch(name))


def _is_saved_index(place: int, name: str) -> bool:
    return (not place and not name) or bool(_SAVED_INDEX.fullmatch(name))


class _Reader:
    def __init__(self, path: str, target: str, features: tuple[str, ...], dropped: tuple[str, ...]) -> None:
        self.path, self.target, self.features, self.dropped = path, target, features, dropped
        self.names: tuple[str, ...] = ()
        self.index: tuple[str, ...] = ()
        self.data = np.empty((0, 0), np.float32)
        self.rows = 0
        self.targets = Target(target, path)
        self.without_target = 0
        self.words: Counter[str] = Counter()

    def take(self, chunk: Chunk, rest: Iterator[Chunk]) -> None:
        """Take a chunk; the ``rest`` is only read where a column of this one is refused."""
        if not self.names:
            self.names = self._choose(chunk.columns)
            self.spread = ColumnSpread(len(self.names))
        _refuse_unnamed(chunk)
        cells = [cell.strip() for cell in chunk.column(self.target)]
        missing = chunk.missing(self.target)
        if missing.any():
            self.targets.words.update(cells[row] for row in np.flatnonzero(missing) if cells[row])
            self.without_target += int(missing.sum())
            cells = [cell for cell, is_missing in zip(cells, missing, strict=True) if not is_missing]
            chunk = chunk.keep(~missing)
        self.targets.add(cells, chunk)
        matrix = self._numbers(chunk, rest)
        self._count_words(chunk, matrix)
        _refuse_infinite(chunk, self.names, matrix)
        self.spread.add(matrix)
        self._append(matrix)

    def _count_words(self, chunk: Chunk, matrix: NDArray[np.float64]) -> None:
        missing = np.isnan(matrix)
        for place in np.flatnonzero(missing.any(axis=0)):
            cells = chunk.column(self.names[place])
            words = (cells[row].strip() for row in np.flatnonzero(missing[:, place]))
            self.words.update(word for word in words if word in chunk.values.tokens)

    def _append(self, matrix: NDArray[np.float64]) -> None:
        """Grow the array in place: two copies of a large table at once would be the peak of a whole training."""
        if not len(matrix):
            return
        end = self.rows + len(matrix)
        if end > len(self.data):
            self.data.resize((max(end, int(_GROWTH * len(self.data))), matrix.shape[1]), refcheck=False)
        with np.errstate(over="ignore"):  # `ColumnSpread.check` names the column
            self.data[self.rows : end] = matrix
        self.rows = end

    def finish(self) -> Columns:
        if not self.rows:
            left_out = f" ({self.without_target} have no {self.target})" if self.without_target else ""
            raise InputError(f"{self.path} has no rows to train on{left_out}")
        self.spread.check(self.path, self.names)
        self.data.resize((self.rows, len(self.names)), refcheck=False)
        return Columns(self.path, self.names, self.data, self.targets, self.without_target, self.index, self.words)

    def _choose(self, columns: list[str]) -> tuple[str, ...]:
        for name in (self.target, *self.features, *self.dropped):
            if name not in columns:
                raise InputError(f"{self.path} has no column {name!r}; it has {listed(columns)}")
        if self.target in self.dropped:
            raise InputError(f"{self.target!r} is the target and cannot be dropped")
        if self.target in self.features:
            raise InputError(f"{self.target!r} is the target and cannot be a feature as well")
        doubled = {name for name in self.features if self.features.count(name) > 1}
        if doubled:
            raise InputError(f"the feature {min(doubled)!r} is named twice")
        index = () if self.features else index_columns(columns)
        self.index = tuple(name for name in index if name not in (self.target, *self.dropped))
        left_out = {"", self.target, *self.dropped, *self.index}
        names = self.features or tuple(name for name in columns if name not in left_out)
        named = [name for name in self.index if name]
        if not names and named:
            raise InputError(
                f"{self.path} leaves no column to predict from, as the rest counts as an index ({listed(named)}); "
                f"if it is none, take it with {option_hint('--features', named)}"
            )
        if not names or set(names) & set(self.dropped):
            raise InputError(f"{self.path} leaves no column to predict from, or drops one that is a feature")
        return names

    def _numbers(self, chunk: Chunk, rest: Iterator[Chunk]) -> NDArray[np.float64]:
        try:
            matrix, refused = chunk.read(self.names)
        except InputError as error:
            raise self._explained(error) from error
        for name in self.names if refused else ():
            try:
                chunk.numbers([name])
            except InputError as error:
                before = self.spread.known(self.names.index(name))
                found = odd_column(chain([chunk], rest), name, before, self.words)
                raise found or self._explained(error) from error
        return matrix

    def _explained(self, error: InputError) -> InputError:
        """Return the error of a column that holds no numbers, with the way out."""
        if error.column is None:
            return error
        drop = option_hint("--drop-columns", [error.column])
        problem = f"{error.problem}; a feature holds numbers: leave the column out with {drop}, or encode it"
        return InputError(problem, path=error.path, row=error.row, column=error.column)


def _refuse_unnamed(chunk: Chunk) -> None:
    """Refuse columns without a name that hold something; a spreadsheet may end its lines with empty cells."""
    unnamed = [place for place, name in enumerate(chunk.columns) if not name and place]
    if not unnamed or not isinstance(chunk, CsvChunk):
        return
    for row, cells in enumerate(chunk.cells):
        for place in unnamed:
            if place < len(cells) and cells[place].strip():
                raise chunk.error(row, f"column {place + 1} has no name; name it in the header, or take it out")


def _refuse_infinite(chunk: Chunk, names: Sequence[str], matrix: NDArray[np.float64]) -> None:
    if np.isinf(matrix).any():
        row, column = np.argwhere(np.isinf(matrix))[0]
        raise chunk.error(int(row), f"{names[column]} is infinite; a feature is finite, or missing", names[column])
