"""The true values of a table's rows: the classes or the numbers of its target columns."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.inference.truth_classes import truth_classes
from parity_runtime.tables.chunk import Chunk, shown


def known_numbers(table: Chunk, targets: Sequence[str]) -> NDArray[np.float64]:
    """Return the numbers of every row, float64 ``[rows, targets]``.

    Raises:
        InputError: names the first row that has none that a float32 could be near.
    """
    numbers = table.numbers(list(targets))
    unknown = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if unknown.any():
        row, place = np.argwhere(unknown)[0].tolist()
        target = targets[place]
        raise table.error(row, f"{target} is {shown(table.cell(row, target))}, not a number to compare", target)
    return numbers


def missing_targets(contract: ModelContract, table: Chunk, targets: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows lack a truth, bool ``[rows]``; a class of the model is one, whatever it is called.

    Args:
        contract: of a classifier, or of a regression.
        table: the rows.
        targets: the columns of the true values, of a classifier one; a row lacks its truth where one is missing.

    Raises:
        InputError: there is no such column, or a row is none.
    """
    if not contract.is_classifier:
        lacking: NDArray[np.bool_] = np.any(np.isnan(table.numbers(list(targets))), axis=1)
        return lacking
    target = targets[0]
    missing = table.missing(target)
    if not isinstance(contract.classes[0], int):
        names = set(contract.classes)
        return missing & np.array([cell.strip() not in names for cell in table.column(target)], np.bool_)
    words = (table.values.is_missing(cell, in_numbers=True) for cell in table.column(target))
    return missing | np.fromiter(words, np.bool_, len(table))


def class_indices(contract: ModelContract, table: Chunk, target: str) -> NDArray[np.int64]:
    """Return the class index of every row, int64 ``[rows]``; of the classes false and true in any case.

    Raises:
        InputError: names the first row whose cell is no class of the model.
    """
    index = {str(label): position for position, label in enumerate(contract.classes)}
    integers = all(isinstance(label, int) for label in contract.classes)
    cells = [_integer_text(cell.strip()) if integers else cell.strip() for cell in table.column(target)]
    truths = truth_classes(contract.classes)
    if truths:
        cells = [truths.get(cell.lower(), cell) for cell in cells]
    for row, cell in enumerate(cells):
        if cell not in index:
            what = f"is {shown(cell)}, not a class of" if cell else "is missing; it takes a class,"
            raise table.error(row, f"{target} {what} {', '.join(index)}", target)
    return np.array([index[cell] for cell in cells], np.int64)


def _integer_text(cell: str) -> str:
    """Return an integer written with a decimal point (``1.0``) without it; anything else as it is."""
    whole, point, fraction = cell.partition(".")
    return whole if point and not fraction.strip("0") else cell
