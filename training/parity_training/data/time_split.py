"""Rows that were one after the other: what came last is held out, as it will be when predictions are made."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument, either
from parity_training.data.split import Rows, Split, refuse_fractions


def time_split(times: NDArray[np.floating], validation: float, test: float) -> Split:
    """Split rows in time: first those that are trained on, then those that validate, then those held out.

    Rows of one time are in one part, so that the parts have their shares as near as that allows.

    Args:
        times: when each row was, ``[rows]``.
        validation: fraction of the rows.
        test: fraction of the rows.

    Raises:
        InputError: a fraction is out of range, or there are fewer times than parts.
    """
    refuse_fractions(validation, test)
    order = np.argsort(times, kind="stable")
    starts = np.flatnonzero(np.diff(times[order], prepend=-np.inf))  # where a time begins
    parts = 1 + (validation > 0) + (test > 0)
    if len(starts) < parts:
        way_out = either("validation=0, test=0", "--validation 0 --test 0")
        raise InputError(
            f"{argument('time')} has {len(starts)} different times, too few for {parts} parts that follow one another; "
            f"name another column, leave it out, or give {way_out}"
        )
    rows = len(times)
    bounds = np.append(starts, rows)
    first = _nearest(bounds, rows * (1 - test), 1 + (validation > 0), len(starts) - 1) if test else len(starts)
    begin = _nearest(bounds, rows * (1 - test - validation), 1, first - 1) if validation else first
    cut = bounds[begin], bounds[first]
    train, validating, held_out = (np.sort(part) for part in np.split(order, cut))
    return Split(train, validating, held_out)


def _nearest(bounds: NDArray[np.int64], wanted: float, low: int, high: int) -> int:
    """Return the place of the bound that is nearest to a number of rows, between two places."""
    return low + int(np.argmin(np.abs(bounds[low : high + 1] - wanted)))


def time_folds(times: NDArray[np.floating], count: int) -> Iterator[tuple[Rows, Rows]]:
    """Give the rows of each fold, and those before it in time: each fold is predicted from its past alone.

    Of ``count + 1`` blocks of about as many rows the first is in no fold.

    Args:
        times: when each row was, ``[rows]``.
        count: of the folds.

    Raises:
        InputError: there are too few times.
    """
    values, rows = np.unique(times, return_counts=True)
    if len(values) < count + 1:
        raise InputError(
            f"{argument('time')} has {len(values)} different times, too few for {argument('folds', count)}, each "
            "after those that are trained on; give fewer folds"
        )
    before = np.cumsum(rows) - rows
    wanted = np.arange(count + 1) * len(times) / (count + 1)
    first = np.searchsorted(before, wanted)  # the first time of each block
    first = np.maximum.accumulate(np.maximum(first, np.arange(count + 1)))
    for place in range(count + 1):  # each block has a time of its own
        first[place] = min(max(first[place], first[place - 1] + 1 if place else 0), len(values) - (count + 1 - place))
    ends = [*values[first[1:]], np.inf]
    for start, end in pairwise(ends):
        yield np.flatnonzero((times >= start) & (times < end)), np.flatnonzero(times < start)
