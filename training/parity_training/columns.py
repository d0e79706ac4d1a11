"""The columns of a file as arrays, read in chunks so that the text is never in memory as a whole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.tables.chunk import Chunk, listed
from parity_runtime.tables.reading import TableFile

_CHUNK_ROWS = 4096
_GROWTH = 1.125  # of the array that rows are gathered in
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_MOST_TEXTS = 1000  # distinct targets; a column with more is no list of classes

# A column whose float32 values step by more than this part of its deviation loses what it tells rows apart by.
COARSEST_STEP = 1e-3


@dataclass
class Target:
    """The column that is to be predicted, read both ways.

    Attributes:
        numbers: float64 ``[rows]``; None as soon as one cell is no number.
        texts: every distinct cell with its code; None when there are more than any list of classes has.
        codes: the code of each row.
        not_a_number: where the first cell stands that is no number.
    """

    numbers: list[NDArray[np.float64]] | None = field(default_factory=list)
    texts: dict[str, int] | None = field(default_factory=dict)
    codes: list[NDArray[np.int32]] = field(default_factory=list)
    not_a_number: str = ""

    def add(self, cells: Sequence[str], known: NDArray[np.bool_], chunk: Chunk, name: str) -> None:
        """Take a chunk's cells, those that are ``known``."""
        coded = next((cell for cell in cells if _LEADING_ZERO.match(cell)), None)
        if coded is not None:  # 007 is a code, not a number
            self.numbers, self.not_a_number = None, f"{name} holds {coded!r}, which is no number"
        if self.numbers is not None:
            try:
                self.numbers.append(chunk.numbers([name])[known, 0])
            except InputError as error:
                self.numbers, self.not_a_number = None, str(error)
        if self.texts is not None:
            kept = (cell for cell, is_known in zip(cells, known, strict=True) if is_known)
            codes = [self.texts.setdefault(cell, len(self.texts)) for cell in kept]
            self.codes.append(np.array(codes, np.int32))
            if len(self.texts) > _MOST_TEXTS:
                self.texts = None


@dataclass(frozen=True)
class Columns:
    """A file's features and its target.

    Attributes:
        where: the file.
        features: names, in the order of the matrix.
        data: float32 ``[rows, features]``; NaN where a cell is missing.
        target: the target's cells.
        without_target: how many rows were left out because their target is missing.
    """

    where: str
    features: tuple[str, ...]
    data: NDArray[np.float32]
    target: Target
    without_target: int


def read_columns(path: str, target: str, features: Sequence[str] = (), dropped: Sequence[str] = ()) -> Columns:
    """Read a table: CSV, or Parquet, Arrow and Feather with the [tables] extra.

    Args:
        path: the file; ``-`` reads CSV from stdin.
        target: the column to predict. Rows where it is missing are left out.
        features: the columns to predict from, in this order; all others than target and dropped by default.
        dropped: columns to leave out.

    Raises:
        InputError: a column is missing, named twice, not numeric, infinite, empty, or beyond float32; no rows.
    """
    reader = _Reader(path, target, tuple(features), tuple(dropped))
    for chunk in TableFile.named(path).chunks(_CHUNK_ROWS):
        reader.take(chunk)
    return reader.finish()


class _Reader:
    def __init__(self, path: str, target: str, features: tuple[str, ...], dropped: tuple[str, ...]) -> None:
        self.path, self.target, self.features, self.dropped = path, target, features, dropped
        self.names: tuple[str, ...] = ()
        self.data = np.empty((0, 0), np.float32)
        self.rows = 0
        self.targets = Target()
        self.without_target = 0
        self.spread = _Spread()

    def take(self, chunk: Chunk) -> None:
        self.names = self.names or self._choose(chunk.columns)
        cells = [cell.strip() for cell in chunk.column(self.target)]
        known = np.array([bool(cell) and cell.lower() != "nan" for cell in cells], bool)
        self.targets.add(cells, known, chunk, self.target)
        self.without_target += len(cells) - int(known.sum())
        matrix = self._numbers(chunk)
        _refuse_infinite(chunk, self.names, matrix)
        self.spread.add(matrix[known])
        self._append(matrix[known])

    def _append(self, matrix: NDArray[np.float64]) -> None:
        """Grow the array in place: two copies of a large table at once would be the peak of a whole training."""
        if not len(matrix):
            return
        end = self.rows + len(matrix)
        if end > len(self.data):
            self.data.resize((max(end, int(_GROWTH * len(self.data))), matrix.shape[1]), refcheck=False)
        with np.errstate(over="ignore"):  # `_Spread.check` names the column
            self.data[self.rows : end] = matrix
        self.rows = end

    def finish(self) -> Columns:
        if not self.rows:
            left_out = f" ({self.without_target} have no {self.target})" if self.without_target else ""
            raise InputError(f"{self.path} has no rows to train on{left_out}")
        self.spread.check(self.path, self.names)
        self.data.resize((self.rows, len(self.names)), refcheck=False)
        return Columns(self.path, self.names, self.data, self.targets, self.without_target)

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
        left_out = {self.target, *self.dropped}
        names = self.features or tuple(name for name in columns if name not in left_out)
        if not names or set(names) & set(self.dropped):
            raise InputError(f"{self.path} leaves no column to predict from, or drops one that is a feature")
        return names

    def _numbers(self, chunk: Chunk) -> NDArray[np.float64]:
        matrix, refused = chunk.read(self.names)
        for name in self.names if refused else ():
            try:
                chunk.numbers([name])
            except InputError as error:
                raise InputError(
                    f"{error}; a feature holds numbers: leave the column out with --drop-columns {name}, or encode it"
                ) from error
        return matrix


class _Spread:
    """Extremes and moments of columns, chunk by chunk (Chan, Golub and LeVeque, 1979)."""

    def __init__(self) -> None:
        self.count: NDArray[np.float64] | float = 0.0
        self.mean: NDArray[np.float64] | float = 0.0
        self.squares: NDArray[np.float64] | float = 0.0
        self.largest: NDArray[np.float64] | float = 0.0

    def add(self, matrix: NDArray[np.float64]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # `check` names the column
            self._add(matrix)

    def _add(self, matrix: NDArray[np.float64]) -> None:
        known = ~np.isnan(matrix)
        count = known.sum(axis=0)
        filled = np.where(known, matrix, 0.0)
        mean = filled.sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(known, matrix - mean, 0.0) ** 2).sum(axis=0)
        total = self.count + count
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * self.count * count / np.maximum(total, 1)
        self.mean = self.mean + apart * count / np.maximum(total, 1)
        self.count = total
        self.largest = np.maximum(self.largest, np.abs(filled).max(axis=0, initial=0.0))

    def check(self, where: str, names: Sequence[str]) -> None:
        """Refuse columns without a single number, and those that float32 cannot tell apart."""
        count, largest = np.asarray(self.count), np.asarray(self.largest)
        deviation = np.sqrt(np.asarray(self.squares) / np.maximum(count, 1))
        with np.errstate(over="ignore"):
            step = np.spacing(largest.astype(np.float32)).astype(np.float64)
        for index, name in enumerate(names):
            if not count[index]:
                raise InputError(f"{where}: the column {name!r} is empty; leave it out with --drop-columns {name}")
            if not np.isfinite(step[index]) or step[index] > COARSEST_STEP * deviation[index] > 0:
                raise InputError(
                    f"{where}: the column {name!r} reaches {largest[index]:.6g}, where float32 steps by "
                    f"{step[index]:.3g}, with a deviation of {deviation[index]:.3g}; subtract an offset from it first"
                )


def _refuse_infinite(chunk: Chunk, names: Sequence[str], matrix: NDArray[np.float64]) -> None:
    if np.isinf(matrix).any():
        row, column = np.argwhere(np.isinf(matrix))[0]
        raise InputError(f"{chunk.place(int(row))}: {names[column]} is infinite; a feature is finite, or missing")
