"""Which rows are trained on, which decide when to stop, and which are held out: seeded, and by class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, ascending, int64.

    Attributes:
        train: rows that are trained on; preprocessing is fitted on them alone.
        validation: rows that decide when to stop and which weights are best.
        test: held out until the end.
    """

    train: Rows
    validation: Rows
    test: Rows


def stratified_split(group: NDArray[np.integer], validation: float, test: float, seed: int) -> Split:
    """Split rows so that every group has its share in each part, as near as whole rows allow.

    Args:
        group: the class of each row, ``[rows]``; all the same where there are none.
        validation: fraction of the rows.
        test: fraction of the rows.
        seed: makes the same split every time.

    Raises:
        InputError: a fraction is out of range, or nothing is left to train on.
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise InputError(f"validation {validation:g} and test {test:g} must be at least 0 and less than 1 together")
    order = np.random.default_rng(seed).permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]  # groups one after the other, shuffled within
    # The middle of each row's place within its group, as a fraction of the group: the first `test` of each is held out.
    _, first, counts = np.unique(group[order], return_index=True, return_counts=True)
    place = (np.arange(len(group)) - np.repeat(first, counts) + 0.5) / np.repeat(counts, counts)
    held_out = place < test
    validating = ~held_out & (place < test + validation)
    parts = [np.sort(order[chosen]) for chosen in (~held_out & ~validating, validating, held_out)]
    if not len(parts[0]):
        raise InputError(f"{len(group)} rows leave none to train on; give more rows, or --validation 0 --test 0")
    return Split(*parts)
