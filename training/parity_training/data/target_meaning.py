"""What the target of a table is: classes or numbers, and the label of each row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.contract import Task
from parity_training.data.columns import Columns
from parity_training.data.number_summary import NumberSummary
from parity_training.data.raw_rows import RawRows
from parity_training.data.table_settings import TableSettings, TableTask
from parity_training.data.target_column import TRUTH
from parity_training.data.value_range import COARSEST_STEP

MOST_CLASSES = 20
"""A target of more distinct integers, or of fewer than two rows each, is a regression, unless the task is given."""


@dataclass(frozen=True)
class TargetMeaning:
    """What a target is.

    Attributes:
        task: binary, multiclass or regression.
        classes: the labels by index, text or integers; empty for a regression.
        values: of classes that are integers, in ascending order; None where they are texts.
        index: the class of each of the ``values``, or of each code of a text; -1 where it is none.
        more_targets: of a regression of several targets how many there are beside the first.
    """

    task: Task
    classes: tuple[str, ...] | tuple[int, ...] = ()
    values: NDArray[np.int64] | None = None
    index: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    more_targets: int = 0

    def labels(self, rows: RawRows) -> NDArray[Any]:
        """Return class indices, int64 ``[rows]``; of a regression float32 ``[rows]``, or ``[rows, targets]``."""
        if self.more_targets:
            columns = rows.numbers[:, None], rows.of_row[:, : self.more_targets]
            return np.concatenate(columns, axis=1).astype(np.float32)
        if not self.classes:
            return rows.numbers.astype(np.float32)
        found: NDArray[np.int64]
        if self.values is None:
            found = self.index[rows.labels]
        else:
            found = self.index[np.searchsorted(self.values, rows.numbers.astype(np.int64))]
        return found


def other_targets(pieces: Iterable[RawRows], columns: Columns) -> list[NumberSummary]:
    """Return what the numbers of the targets beside the first are, in one pass over the rows, if there are any."""
    found = [NumberSummary() for _ in range(columns.of_row.num_targets)]
    for rows in pieces if found else ():
        for place, one in enumerate(found):
            one.update(rows.of_row[:, place])
    return found


def target_meaning(
    columns: Columns, numbers: NumberSummary | None, settings: TableSettings, others: Sequence[NumberSummary] = ()
) -> TargetMeaning:
    """Decide what a target is.

    Args:
        columns: the table.
        numbers: what the target's numbers are, if it is a column of numbers; else None.
        settings: what was said of it.
        others: of several targets, what the numbers of those beside the first are.

    Raises:
        InputError: it can be neither; the sentence says why.
    """
    more = columns.of_row.num_targets
    if numbers is not None and (more or _is_regression(numbers, settings.task)):
        if settings.positive is not None:
            raise InputError(f"{argument('positive')} is for two classes; {settings.targets[0]} is a regression")
        for name, summary in zip(settings.targets, (numbers, *others), strict=True):
            _check_numbers(columns.where, name, summary)
        return TargetMeaning("regression", more_targets=more)
    if more:
        raise InputError(
            f"{columns.where}: {columns.target.name} holds classes, and several targets are numbers; train a model for "
            "each"
        )
    return _classes(columns, numbers, settings)


def refuse_no_classes(columns: Columns, settings: TableSettings) -> None:
    """Refuse a target that is no column of numbers and may be no list of classes, unless it is said to be one."""
    target = columns.target
    if settings.task != "classification":
        target.refuse_odd_numbers()
    if settings.task == "regression":
        target.refuse_text()
    if settings.missing_values is None:
        target.refuse_doubtful_words(columns.words)


def refuse_threshold(meaning: TargetMeaning, settings: TableSettings) -> None:
    """Refuse a threshold that was said of a target which is not of two classes."""
    if meaning.task != "binary" and settings.threshold != 0.5:
        raise InputError(
            f"{argument('threshold')} is for two classes; {settings.targets[0]} is a {meaning.task} target"
        )


def _is_regression(numbers: NumberSummary, task: TableTask | None) -> bool:
    """Whether numbers are to be predicted as such: given, or not integers, or too many for a list of classes."""
    if task is not None:
        return task == "regression"
    return numbers.num_distinct > min(MOST_CLASSES, numbers.rows / 2) or not numbers.whole


def _check_numbers(where: str, name: str, numbers: NumberSummary) -> None:
    """Refuse numbers that float32 does not hold, or cannot tell apart."""
    if not numbers.finite or numbers.largest > float(np.finfo(np.float32).max):
        raise InputError(f"{where}: {name} is infinite, or beyond float32, in some row")
    if numbers.num_distinct > 1 and numbers.rounding > COARSEST_STEP * numbers.deviation:
        raise InputError(
            f"{where}: float32 cannot tell the values of {name} apart (they differ by some "
            f"{numbers.deviation:.3g} around {numbers.mean:.6g}); subtract an offset, or change the unit"
        )


def _classes(columns: Columns, numbers: NumberSummary | None, settings: TableSettings) -> TargetMeaning:
    values = None
    if numbers is not None and numbers.whole and numbers.largest < 2**53 and numbers.distinct is not None:
        values = numbers.distinct.astype(np.int64)
        classes: list[Any] = values.tolist()
        index = np.arange(len(values))
    elif columns.target.texts is not None:
        names = columns.target.class_names(is_numeric=numbers is not None)
        classes = sorted({name for name in names if name is not None})
        place = {text: position for position, text in enumerate(classes)}
        index = np.array([-1 if name is None else place[name] for name in names], np.int64)
        if settings.task is None:
            columns.target.refuse_few_rows(classes, columns.num_rows)
    else:
        raise InputError(f"{columns.where}: {settings.targets[0]} has too many different values to be classes")
    if len(classes) < 2:
        raise InputError(
            f"{columns.where}: every {settings.targets[0]} is {classes[0]!r}; a classifier needs two classes or more"
        )
    if settings.positive is not None and _second(classes, settings.positive):
        classes, index = classes[::-1], np.where(index < 0, index, 1 - index)
    return TargetMeaning("binary" if len(classes) == 2 else "multiclass", tuple(classes), values, index)


def _second(classes: Sequence[Any], positive: str) -> bool:
    """Whether the two classes change places, so that the positive one is the second."""
    positive = positive.lower() if TRUTH.issuperset(classes) else positive
    if len(classes) != 2:
        raise InputError(f"{argument('positive')} is for two classes; there are {len(classes)}")
    if positive not in map(str, classes):
        raise InputError(f"{argument('positive')} {positive} is not a class; there are {classes[0]} and {classes[1]}")
    return str(classes[1]) != positive
