"""How the rows of a table come into parts: by chance and class, by group, in time, or as files say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.printable import counted, shown
from parity_training.data.group_split import group_folds, group_split
from parity_training.data.problem import PARTS
from parity_training.data.split import Rows, Split, stratified_folds, stratified_split
from parity_training.data.table_settings import TableSettings
from parity_training.data.time_split import time_folds, time_split


@dataclass(frozen=True)
class SplitRule:
    """What decides which rows are trained on, validate, and are held out.

    >>> import numpy as np
    >>> SplitRule(np.array([0, 0, 0, 1, 1, 1])).split(validation=0, test=0.34, seed=7)
    Split(4 train, 0 validation, 2 test)

    Attributes:
        classes: the class of each row, integers ``[rows]``; all the same of a regression.
        groups: which rows belong together, ``[rows]``; None where each stands for itself.
        times: when each row was, ``[rows]``; None where that does not matter.
        parts: of each row the part that a file of its own gives it, a place in `PARTS`, ``[rows]``; 0 where it is to be
            decided. None where there are no such files.
    """

    classes: NDArray[np.integer]
    groups: NDArray[np.floating] | None = None
    times: NDArray[np.floating] | None = None
    parts: NDArray[np.integer] | None = None

    def split(self, validation: float, test: float, seed: int) -> Split:
        """Return the parts.

        Args:
            validation: fraction of the rows that are to be decided, unless a file has those that validate.
            test: fraction of them, unless a file has those that are held out.
            seed: makes the same split every time.

        Raises:
            InputError: a fraction is out of range, or there are too few rows, groups or times for the parts.
        """
        if self.parts is None:
            return self._drawn(validation, test, seed)
        given = {part: np.flatnonzero(self.parts == place) for place, part in enumerate(PARTS)}
        drawn = self._only(given["train"])._drawn(
            0 if len(given["validation"]) else validation, 0 if len(given["test"]) else test, seed
        )
        found = drawn.of(given["train"])
        return replace(found, **{part: given[part] for part in PARTS[1:] if len(given[part])})

    def folds(self, count: int, validation: float, seed: int) -> Iterator[Split]:
        """Give a split for each fold, whose rows are held out once; in time, after those that are trained on.

        Rows that a file holds out are in no fold; rows of a file that validate do so in each.

        Args:
            count: folds, 2 or more.
            validation: fraction of the other rows that validate.
            seed: makes the same folds every time.

        Raises:
            InputError: there are too few rows, groups or times.
        """
        own = np.arange(len(self.classes)) if self.parts is None else np.flatnonzero(self.parts == 0)
        rule = self._only(own)
        given = np.flatnonzero(() if self.parts is None else self.parts == PARTS.index("validation"))
        for held_out, others in rule._folds(count, seed):
            share = 0 if len(given) else validation
            try:
                drawn = rule._only(others)._drawn(share, 0, seed)
            except InputError as error:
                raise InputError(f"of the rows beside a fold of {argument('folds', count)}, {error}") from error
            found = drawn.of(own[others])
            fold = replace(found, test=own[held_out])
            yield replace(fold, validation=given) if len(given) else fold

    def groups_of_parts(self) -> list[NDArray[np.floating]]:
        """Return which groups have rows in the table itself, and in the files whose rows are of another part."""
        if self.groups is None or self.parts is None:
            return [np.empty(0)] * len(PARTS)
        return [np.unique(self.groups[self.parts == place]) for place in range(len(PARTS))]

    def _only(self, rows: Rows) -> "SplitRule":
        """Return the rule of some rows."""
        return SplitRule(
            self.classes[rows],
            None if self.groups is None else self.groups[rows],
            None if self.times is None else self.times[rows],
        )

    def _drawn(self, validation: float, test: float, seed: int) -> Split:
        if self.groups is not None:
            return group_split(self.groups, self.classes, validation, test, seed)
        if self.times is not None:
            return time_split(self.times, validation, test)
        return stratified_split(self.classes, validation, test, seed)

    def _folds(self, count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
        """Give the rows of each fold, and those that are trained on or validate."""
        if self.groups is not None:
            return group_folds(self.groups, count, seed)
        if self.times is not None:
            return time_folds(self.times, count)
        return stratified_folds(self.classes, count, seed)


def refuse_empty_files(rule: SplitRule, settings: TableSettings) -> None:
    """Refuse a file that was named for a part and has no row for it.

    Raises:
        InputError: names the file.
    """
    for part, name in (("validation", settings.validation_file), ("test", settings.test_file)):
        if name is not None and (rule.parts is None or not (rule.parts == PARTS.index(part)).any()):
            raise no_row_for(part, settings)


def refuse_shared_groups(groups: Sequence[NDArray[np.floating]], settings: TableSettings) -> None:
    """Refuse a file with rows of a group that has rows elsewhere: they were to stay together.

    Args:
        groups: those that have rows in the table itself, in the file that validates and in the one that is held out.
        settings: what was said of the table.

    Raises:
        InputError: names the file and its column, and how many groups they are.
    """
    table, validation, test = groups
    elsewhere = {"validation": np.concatenate([table, test]), "test": table}
    for part, own in (("validation", validation), ("test", test)):
        shared, every = len(np.intersect1d(own, elsewhere[part])), len(np.unique(own))
        if shared:
            raise InputError(
                f"{getattr(settings, f'{part}_file')}: {shared} of its {counted(every, 'group')} by {settings.group} "
                f"{'has' if shared == 1 else 'have'} rows in another part as well; take them out, or leave out "
                + argument("group")
            )


def no_row_for(part: str, settings: TableSettings) -> InputError:
    """Return the error of a file that has no row for its part."""
    name = getattr(settings, f"{part}_file")
    return InputError(f"{name} has no row with a target; leave out {argument(f'{part}_file')}, or give another")


def refuse_unseen_classes(
    classes: Sequence[str | int], train_rows: NDArray[np.integer], settings: TableSettings
) -> None:
    """Refuse classes that stand in a file whose rows validate or are held out, and in no row that is trained on.

    Args:
        classes: of the target.
        train_rows: how many training rows each has.
        settings: what was said of the table.

    Raises:
        InputError: names the first such class.
    """
    names = [name for name in (settings.validation_file, settings.test_file) if name is not None]
    if not names or len(train_rows) == 0 or bool((train_rows > 0).all()):
        return
    unseen = classes[int(np.argmin(train_rows))]
    raise InputError(
        f"{' or '.join(names)} holds {shown(str(unseen))}, and no row that is trained on is of this class of "
        f"{settings.targets[0]}: it could never be predicted; correct the file, or take its rows out"
    )
