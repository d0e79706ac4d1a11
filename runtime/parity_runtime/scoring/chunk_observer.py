"""What is made of the rows of a table beside their answers."""

from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.unknown_categories import UnknownCategories
from parity_runtime.tables.chunk import Chunk


class Tally(Protocol):
    """Counts of rows that were answered; those of pieces of a table merge in any order to those of the whole."""

    def empty(self) -> Self:
        """Return the counts of no row."""

    def update_chunk(self, chunk: Chunk, inputs: Arrays, unpredicted: NDArray[np.bool_], outputs: Arrays) -> None:
        """Take rows: the graph's inputs, which rows have no prediction, the graph's outputs."""

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken."""

    def to_json(self) -> dict[str, Any]:
        """Return the counts, to be kept in a file."""

    def merge_json(self, value: Any, where: str) -> None:
        """Take the rows of counts that were kept in a file.

        Raises:
            FormatError: they are none, or not of this model.
        """


class Observed(NamedTuple):
    """What is made of a chunk: what is to be said of its categories, and its counts where somebody wants them."""

    problem: str | None
    counts: Any


class ChunkObserver:
    """Looks at the categories of a table's first chunk, and counts the rows of all where that is wanted.

    Args:
        contract: of the model.
        tally: of what the counts are; None for none.
    """

    def __init__(self, contract: ModelContract, tally: Tally | None) -> None:
        self._unknown, self._tally = UnknownCategories(contract), tally

    def __call__(self, chunk: Chunk, inputs: Arrays, unpredicted: NDArray[np.bool_], outputs: Arrays) -> Observed:
        """Look at rows that were answered, in any thread."""
        problem = self._unknown.problem(inputs) if chunk.first_row == 1 else None
        counts = None if self._tally is None else self._tally.empty()
        if counts is not None:
            counts.update_chunk(chunk, inputs, unpredicted, outputs)
        return Observed(problem, counts)
