"""Which rows are trained on, which decide when to stop, and which are held out: seeded, and by class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument, either

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

    def of(self, rows: Rows) -> "Split":
        """Return the split of some rows by their numbers, where this one numbers them from 0."""
        return Split(rows[self.train], rows[self.validation], rows[self.test])

    def __repr__(self) -> str:
        return f"Split({len(self.train)} train, {len(self.validation)} validation, {len(self.test)} test)"


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
    refuse_fractions(validation, test)
    random = np.random.default_rng(seed)
    order = random.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]  # groups one after the other, shuffled within
    predict_test_rows = _systematic(len(order), test, random.random())
    validating = np.zeros(len(order), bool)
    validating[~predict_test_rows] = _systematic(
        int((~predict_test_rows).sum()), validation / (1 - test), random.random()
    )
    trained = np.isin(group[order], group[order][~predict_test_rows & ~validating])
    predict_test_rows, validating = (
        predict_test_rows & trained,
        validating & trained,
    )  # what is never trained on cannot be told
    parts = [np.sort(order[chosen]) for chosen in (~predict_test_rows & ~validating, validating, predict_test_rows)]
    if not len(parts[0]):
        raise none_to_train_on(len(group))
    return Split(*parts)


def stratified_folds(group: NDArray[np.integer], count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Give the rows of each fold, and all others; every class has its share of each fold, as near as whole rows allow.

    The only row of a class is in no fold: it is trained on by all.

    Args:
        group: the class of each row, ``[rows]``; all the same where there are none.
        count: of the folds.
        seed: makes the same folds every time.

    Raises:
        InputError: there are fewer rows than folds.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]  # classes one after the other, shuffled within
    _, place, rows = np.unique(group, return_inverse=True, return_counts=True)
    order = order[rows[place][order] > 1]
    if len(order) < count:
        raise InputError(f"{len(order)} rows are too few for {argument('folds', count)}; give fewer folds")
    fold = np.full(len(group), -1)
    fold[order] = np.arange(len(order)) % count
    for number in range(count):
        yield np.flatnonzero(fold == number), np.flatnonzero(fold != number)


def refuse_fractions(validation: float, test: float) -> None:
    """Refuse fractions that are none, or leave nothing to train on.

    Raises:
        InputError: says so.
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise InputError(f"validation {validation:g} and test {test:g} must be at least 0 and less than 1 together")


def none_to_train_on(rows: int) -> InputError:
    """Return the error of a table of which no row is left to train on."""
    way_out = either("validation=0, test=0", "--validation 0 --test 0")
    return InputError(f"{rows} rows leave none to train on; give more rows, or {way_out}")


def _systematic(count: int, fraction: float, start: float) -> NDArray[np.bool_]:
    """Choose every ``1 / fraction``-th of some rows, from a random start: each stretch of them has its share."""
    chosen: NDArray[np.bool_] = np.diff(np.floor(np.arange(count + 1) * fraction + start + 1e-9)) > 0
    return chosen
