"""Numbers as evaluation.json keeps them: finite, and no more digits than mean something."""

import math
from collections.abc import Iterable
from typing import Any

_DIGITS = 6  # significant ones: rows in thousands say no more
_DIGITS_OF_CELLS = 9  # what float32 holds: 1000012 and 1000038 are two values of a column


def rounded(value: Any, digits: int = _DIGITS) -> float | None:
    """Return a number of 6 significant digits, or so many; None where it is not finite."""
    number = float(value)
    return float(f"{number:.{digits}g}") if math.isfinite(number) else None


def rounded_all(values: Iterable[Any]) -> list[float | None]:
    """Return each of some numbers `rounded`."""
    return [rounded(value) for value in values]


def cell(value: Any) -> float | None:
    """Return a number in the unit of a column, which may lie far from 0, with 9 significant digits."""
    return rounded(value, _DIGITS_OF_CELLS)


def cells(values: Iterable[Any]) -> list[float | None]:
    """Return each of some numbers as a `cell`."""
    return [cell(value) for value in values]


def points(*columns: Iterable[Any]) -> list[list[float | None]]:
    """Return the rows of some columns of one length, each number `rounded`."""
    return [rounded_all(row) for row in zip(*columns, strict=True)]
