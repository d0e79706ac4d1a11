"""Columns of one table have one length."""

from collections.abc import Mapping, Sized

from parity_runtime.errors import InputError
from parity_runtime.printable import counted, shown


def check_lengths(columns: Mapping[str, Sized]) -> None:
    """Refuse columns that differ in length.

    >>> check_lengths({"x1": [0.5, 0.5], "x2": [1.0]})
    Traceback (most recent call last):
    ...
    parity_runtime.errors.InputError: the columns differ in length: 'x1' has 2 rows, 'x2' has 1

    Args:
        columns: by their names.

    Raises:
        InputError: names the first column, and the first that is longer or shorter.
    """
    if len(set(map(len, columns.values()))) <= 1:
        return
    (first, wanted), *others = ((name, len(column)) for name, column in columns.items())
    name, length = next((name, length) for name, length in others if length != wanted)
    raise InputError(
        f"the columns differ in length: {shown(first)} has {counted(wanted, 'row')}, {shown(name)} has {length}"
    )
