"""A batch of which some row is refused, taken apart: which rows these are, and the rest of it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inference.checked_arrays import Arrays, column_names
from parity_runtime.inference.column_lengths import check_lengths

_TEXT = ("str", "large_str", "<u", "=u")
"""How the types of text begin: of numpy, pandas (``str``, ``string``), polars (``String``), pyarrow."""

Faults = dict[int, InputError]
"""The errors of rows of a batch, by their place in it, from 0."""


def without_faulty_rows(
    answer: Callable[[Any], Arrays], batch: Any, rows: int, error: InputError
) -> tuple[Arrays, Faults, NDArray[np.bool_]]:
    """Return the answers to a batch without the rows that are refused.

    What a check refuses is left out, and the rest is answered again, until nothing is refused: a check says all of its
    rows at once (`InputError.of_each_row`), so that there are as many turns as checks that refuse some.

    Args:
        answer: raises `InputError` for rows that it refuses.
        batch: rows, as `rows_at` takes them.
        rows: how many there are.
        error: what ``answer`` raised for all of them.

    Returns:
        What ``answer`` returns for the others; the errors of those that were refused; which were not, bool ``[rows]``.

    Raises:
        InputError: one that is no row's fault, as of a column that is missing: it would be any row's.
    """
    faults, left = Faults(), np.arange(rows)
    while True:
        if error.row is None:
            raise error
        found = Faults()
        for fault in error.of_each_row():
            found.setdefault(fault.row - 1, fault)  # type: ignore[operator] # each has its row
        faults |= {int(left[place]): fault for place, fault in found.items()}
        left = np.delete(left, list(found))
        try:
            outputs = answer(rows_at(batch, left))
        except InputError as other:
            error = other
            continue
        accepted = np.zeros(rows, np.bool_)
        accepted[left] = True
        return outputs, dict(sorted(faults.items())), accepted


def taken_names(contract: ModelContract) -> set[str]:
    """Return the names of the columns and inputs that a model takes."""
    return {spec.name for spec in contract.inputs} | {feature.name for feature in contract.features}


def taken_columns(batch: Any, taken: Collection[str]) -> Any:
    """Return a mapping without the columns that a model does not take, which need not be columns."""
    if not isinstance(batch, Mapping):
        return batch
    return {name: column for name, column in batch.items() if str(name).strip() in taken}


def row_count(batch: Any, taken: Collection[str]) -> int:
    """Return the rows of a batch; 0 where it has none, which answering it says.

    Args:
        batch: as in `rows_at`.
        taken: the names of the columns and inputs that count.
    """
    if isinstance(batch, Mapping):
        batch = next(iter(taken_columns(batch, taken).values()), ())
    try:
        return len(batch)
    except TypeError:
        return 0


def rows_at(batch: Any, places: NDArray[np.intp]) -> Any:
    """Return some rows of a batch, in its own type.

    Args:
        batch: rows: an array, a list, a data frame (pandas, polars, pyarrow), or a mapping of columns or inputs, each
            of one of these types, or a column of such a frame.
        places: of the rows, from 0.

    Raises:
        InputError: columns differ in length.
    """
    if isinstance(batch, Mapping):
        check_lengths(batch)
        return {name: rows_at(column, places) for name, column in batch.items()}
    if isinstance(batch, list | tuple):
        return [batch[place] for place in places.tolist()]
    if hasattr(batch, "iloc"):  # pandas counts by labels else
        return batch.iloc[places]
    return batch.take(places) if type(batch).__module__.startswith("pyarrow") else batch[places]


def refuse_text_columns(contract: ModelContract, batch: Any, error: InputError) -> None:
    """Refuse a batch in which a column of numbers holds text: that is the column's fault, and no row's.

    Args:
        contract: of the model.
        batch: as in `rows_at`.
        error: of one of its rows.

    Raises:
        InputError: the column that the error names has a type of text.
    """
    numbers = {feature.name for feature in contract.features if feature.kind == "numeric"}
    if error.column in numbers:
        column = batch[error.column] if error.column in (column_names(batch) or ()) else batch
        found = str(getattr(column, "dtype", getattr(column, "type", "")))
        if found.lower().startswith(_TEXT):
            problem = f"{error.column} holds {found}, not numbers; convert the column, or give it as objects"
            raise InputError(problem, column=error.column) from error
