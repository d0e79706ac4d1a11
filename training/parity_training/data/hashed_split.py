"""Which part a row belongs to, by its number and a seed alone: no list of all rows is kept."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_training.data.problem import PARTS
from parity_training.data.split import refuse_fractions

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class HashedSplit:
    """Each row is held out, or validates, with a probability of its own: large tables have their shares that way.

    >>> from parity_training.data.hashed_split import HashedSplit
    >>> import numpy as np
    >>> split = HashedSplit(validation=0.1, test=0.1, seed=7)
    >>> np.bincount(split.part_of(np.arange(1, 10_001))).tolist()
    [7957, 1008, 1035]

    Attributes:
        validation: fraction of the rows.
        test: fraction of the rows.
        seed: makes the same split every time.

    Raises:
        InputError: a fraction is out of range.
    """

    validation: float
    test: float
    seed: int

    def __post_init__(self) -> None:
        refuse_fractions(self.validation, self.test)

    def part_of(self, rows: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the part of each row by its number, int8 ``[rows]``: a place in `PARTS`."""
        drawn = _uniform(rows, self.seed)
        found = np.full(len(rows), PARTS.index("train"), np.int8)
        found[drawn < self.validation + self.test] = PARTS.index("validation")
        found[drawn < self.test] = PARTS.index("test")
        return found


def _uniform(rows: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Return a number of [0, 1) for each row: the output function of SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        mixed = _mix(np.array([seed], np.uint64) + _GOLDEN)
        state = _mix(rows.astype(np.uint64) * _GOLDEN + mixed)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
