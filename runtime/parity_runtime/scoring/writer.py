"""What every format of answers has in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Generic, TypeVar

from parity_runtime.errors import InputError
from parity_runtime.scoring.prediction_columns import PredictionColumn
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.tables.chunk import listed

Piece = TypeVar("Piece")

Text = bytes | memoryview
"""Some lines of a text file."""


@dataclass(frozen=True)
class Layout:
    """The columns that are written.

    Attributes:
        table: those of the table, in its order.
        predictions: those that are added, behind them.
    """

    table: list[str]
    predictions: list[str]

    @classmethod
    def choose(cls, table: Sequence[str], predictions: Sequence[str], chosen: Sequence[str]) -> "Layout":
        """Return the chosen columns of a table and of the answers; all of them where none is chosen.

        Raises:
            InputError: there is no such column.
        """
        for name in chosen:
            if name not in table and name not in predictions:
                raise InputError(f"there is no column {name!r} to write; there are {listed([*table, *predictions])}")
        return cls(
            [name for name in table if not chosen or name in chosen],
            [name for name in predictions if not chosen or name in chosen],
        )

    def chosen(self, predictions: Sequence[PredictionColumn]) -> list[PredictionColumn]:
        """Return the answers that are written."""
        return [answer for answer in predictions if answer.name in self.predictions]


class Writer(ABC, Generic[Piece]):
    """Writes answers in one format.

    Args:
        file: where to.
        layout: which columns.
    """

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self.file, self.layout = file, layout

    @abstractmethod
    def encode(self, scored: Scored) -> Piece:
        """Return rows as they will be written; any thread may call it."""

    def begin(self) -> None:
        """Write what stands at the start of the file."""

    @abstractmethod
    def write(self, piece: Piece) -> None:
        """Write encoded rows, in their order."""

    def close(self) -> None:
        """Write what stands at the end of the file."""
