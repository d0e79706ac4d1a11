"""Rows that belong together, such as those of a patient, come into one part as a whole."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument, either
from parity_training.data.problem import PARTS
from parity_training.data.split import Rows, Split, refuse_fractions

_TRIES = 20
"""Orders of the groups that are tried where a part stays empty, because a class has all of its rows there."""


def group_split(
    groups: NDArray[np.floating], classes: NDArray[np.integer], validation: float, test: float, seed: int
) -> Split:
    """Split rows so that no group is in two parts; the parts have about their shares, as far as whole groups allow.

    A class that would have no training row takes its groups there: what is never trained on cannot be told.

    Args:
        groups: which rows belong together, ``[rows]``.
        classes: the class of each row, ``[rows]``; all the same where there are none.
        validation: fraction of the rows.
        test: fraction of the rows.
        seed: makes the same split every time.

    Raises:
        InputError: a fraction is out of range, there are fewer groups than parts, or groups are all of their class.
    """
    refuse_fractions(validation, test)
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    parts = 1 + (validation > 0) + (test > 0)
    if len(sizes) < parts:
        way_out = either("validation=0, test=0", "--validation 0 --test 0")
        made = f"{len(sizes)} groups" if len(sizes) > 1 else "one group of all rows"
        raise InputError(
            f"{argument('group')} makes {made}, too few for {parts} parts; name another column, leave it out, or give "
            f"{way_out}"
        )
    random, wanted = np.random.default_rng(seed), (validation, test)
    for _ in range(_TRIES):
        part = _drawn(random.permutation(len(sizes)), sizes, (validation * len(groups), test * len(groups)))
        missing = np.setdiff1d(classes, classes[part[member] == 0])
        part[np.unique(member[np.isin(classes, missing)])] = 0
        rows = [np.flatnonzero(part[member] == place) for place in range(3)]
        empty = [
            name for name, share, found in zip(PARTS[1:], wanted, rows[1:], strict=True) if share and not len(found)
        ]
        if not empty:
            return Split(*rows)
    way_out = either(f"{empty[0]}=0", f"--{empty[0]} 0")
    raise InputError(
        f"{argument('group')} leaves no rows for the part {empty[0]}: all rows of some class would be in it, which "
        f"could not be learned; name another column, leave it out, or give {way_out}"
    )


def _drawn(order: NDArray[np.int64], sizes: NDArray[np.int64], rows: tuple[float, float]) -> NDArray[np.int64]:
    """Return the part of each group, a place in `PARTS`: in an order those held out, then those that validate."""
    part = np.zeros(len(sizes), np.int64)
    for place in (2, 1):
        free = order[part[order] == 0]
        part[_nearest(free, sizes, rows[place - 1], spare=1 + (place == 2 and rows[0] > 0))] = place
    return part


def _nearest(order: NDArray[np.int64], sizes: NDArray[np.int64], rows: float, spare: int) -> list[int]:
    """Return groups, those that fit in an order, whose rows are about as many as those wanted; one at least.

    A group that is larger than a part stays out of it, as long as there are others.
    """
    if rows <= 0:
        return []
    chosen: list[int] = []
    left_out: list[int] = []
    missing, most = rows, len(order) - spare
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        if size > missing or len(chosen) == most:
            left_out.append(group)
        else:
            chosen.append(group)
            missing -= size
    if left_out and len(chosen) < most:
        nearest = min(left_out, key=lambda group: abs(sizes[group] - missing))
        if not chosen or abs(sizes[nearest] - missing) < missing:
            chosen.append(nearest)
    return chosen


def group_folds(groups: NDArray[np.floating], count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Give the rows of each fold, and all others; no group is in two folds, which have about as many rows.

    Args:
        groups: which rows belong together, ``[rows]``.
        count: of the folds.
        seed: makes the same folds every time.

    Raises:
        InputError: there are fewer groups than folds.
    """
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < count:
        folds = argument("folds", count)
        raise InputError(f"{argument('group')} makes {len(sizes)} groups, too few for {folds}; give fewer folds")
    order = np.random.default_rng(seed).permutation(len(sizes))
    fold, rows = np.zeros(len(sizes), np.int64), np.zeros(count, np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")]:  # the largest first, each to the smallest fold
        fold[group] = np.argmin(rows)
        rows[fold[group]] += sizes[group]
    for number in range(count):
        yield np.flatnonzero(fold[member] == number), np.flatnonzero(fold[member] != number)
