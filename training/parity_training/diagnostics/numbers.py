"""Numbers as evaluation.json keeps them: finite, and no more digits than mean something."""

import math
from collections.abc import Iterable
from typing import Any

_DIGITS = 6  # significant ones: rows in thousands say no more


def rounded(value: Any) -> float | None:
    """Return a number of 6 significant digits; None where it is not finite."""
    number = float(value)
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None


def rounded_all(values: Iterable[Any]) -> list[float | None]:
    """Return each of some numbers `rounded`."""
    return [rounded(value) for value in values]


def points(*columns: Iterable[Any]) -> list[list[float | None]]:
    """Return the rows of some columns of one length, each number `rounded`."""
    return [rounded_all(row) for row in zip(*columns, strict=True)]
