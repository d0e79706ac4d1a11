"""What a cell of text means: a number, or nothing. The one place that knows the words for a missing cell."""

import re
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

MISSING_TOKENS = ("NA", "#N/A", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>")
"""Cells that are missing, as an empty one is, unless ``missing_values`` names others."""

MISSING_IN_NUMBERS = ("-", "?", ".")
"""Cells that are missing as well where a column otherwise holds numbers; elsewhere they are text."""

_SPACES = " \u00a0\u202f"  # a space separates thousands in three widths


@dataclass(frozen=True)
class CellValues:
    """How the cells of a table are to be understood.

    Attributes:
        missing_values: the cells that are missing beside the empty one, in columns of text and of numbers alike; None
            for `MISSING_TOKENS`. In columns of numbers `MISSING_IN_NUMBERS` are missing in any case. One that is a
            number (``-999``) is missing by its value.
        decimal: the decimal sign of numbers in text, ``.`` or ``,``.
        thousands: what separates groups of three digits in them; empty for nothing.
        currency: signs or codes that may stand before or behind them, and are left out.
        percent: whether ``45%`` is the number 0.45.
    """

    missing_values: tuple[str, ...] | None = None
    decimal: str = "."
    thousands: str = ""
    currency: tuple[str, ...] = ()
    percent: bool = False

    @cached_property
    def tokens(self) -> frozenset[str]:
        """The cells of a column of text that are missing, beside the empty one."""
        return frozenset(MISSING_TOKENS if self.missing_values is None else self.missing_values)

    @cached_property
    def number_tokens(self) -> frozenset[str]:
        """The cells of a column of numbers that are missing, beside the empty one."""
        return self.tokens | frozenset(MISSING_IN_NUMBERS)

    @cached_property
    def missing_numbers(self) -> tuple[float, ...]:
        """The numbers that stand for a missing cell."""
        found = []
        for token in self.tokens:
            try:
                found.append(plain_number(token))
            except ValueError:
                continue
        return tuple(found)

    @property
    def is_plain(self) -> bool:
        """Whether numbers are digits with a decimal sign, and nothing else."""
        return not (self.thousands or self.currency or self.percent)

    def is_missing(self, cell: str, *, in_numbers: bool = False) -> bool:
        """Whether a cell is missing; white space around it does not count."""
        stripped = cell.strip()
        return not stripped or stripped in (self.number_tokens if in_numbers else self.tokens)

    def number(self, cell: str) -> float:
        """Read a number; a missing cell is NaN.

        Raises:
            ValueError: the cell is neither.
        """
        if self._like_python and "_" not in cell and cell.isascii():  # `plain_number`, without the price of a call
            try:
                value = float(cell)
            except ValueError:
                return self._missing(cell)
            return value if value == value else self._missing(cell)  # noqa: PLR0124 -- NaN is a word as well
        try:
            value = plain_number(cell) if self._is_pointed else self._spelled(cell.strip())
        except ValueError:
            return self._missing(cell)
        return float("nan") if value in self.missing_numbers else value

    def _missing(self, cell: str) -> float:
        if self.is_missing(cell, in_numbers=True):
            return float("nan")
        raise ValueError(cell)

    @cached_property
    def _is_pointed(self) -> bool:
        return self.is_plain and self.decimal == "."

    @cached_property
    def _like_python(self) -> bool:
        return self._is_pointed and not self.missing_numbers

    @cached_property
    def _number_in_text(self) -> re.Pattern[str]:
        """The whole of a number's cell; its groups are sign, digits, fraction, exponent and a percent sign."""
        space = rf"[\s{_SPACES}]*"
        signs = "|".join(map(re.escape, sorted(self.currency, key=len, reverse=True))) or "(?!)"
        between = f"[{_SPACES}]" if self.thousands in tuple(_SPACES) else re.escape(self.thousands)
        grouped = rf"\d{{1,3}}(?:{between}\d{{3}})+|" if self.thousands else ""
        return re.compile(
            rf"(?P<sign>[+-]?){space}(?:{signs})?{space}(?P<sign2>[+-]?)(?P<digits>{grouped}\d*)"
            rf"(?P<fraction>(?:{re.escape(self.decimal)}\d*)?)(?P<exponent>(?:[eE][+-]?\d+)?)"
            rf"{space}(?:{signs})?(?P<percent>{'%?' if self.percent else ''})",
            re.ASCII,
        )

    def _spelled(self, cell: str) -> float:
        found = self._number_in_text.fullmatch(cell)
        if found is None or (found["sign"] and found["sign2"]):
            raise ValueError(cell)
        digits = re.sub(r"\D", "", found["digits"])
        fraction = found["fraction"].replace(self.decimal, ".")
        shift = -2 if found["percent"] else 0  # in the exponent: a division would round a second time
        exponent = int(found["exponent"][1:] or 0) + shift
        return float(f"{found['sign']}{found['sign2']}{digits}{fraction}e{exponent}")


@cache
def cell_values(missing_values: tuple[str, ...] | None) -> CellValues:
    """Return what cells mean in rows from Python, which are typed: the missing ones alone are words."""
    return CellValues(missing_values)


PLAIN = CellValues()
"""Decimal points, and the missing cells that hold unless one says otherwise."""


def plain_number(cell: str) -> float:
    """Read a decimal number. Python alone would take 1_000, other scripts' digits and several words as well.

    Raises:
        ValueError: the text is no number, but for an infinity.
    """
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)
    value = float(cell)
    if value != value:  # noqa: PLR0124 -- NaN: a word for a missing cell, if it is one of them
        raise ValueError(cell)
    return value


def is_nothing(value: Any) -> bool:
    """Whether a typed cell is missing: None, NaN (a Decimal's too), and pandas' own NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, float | np.floating | np.datetime64):
        return bool(value != value)  # noqa: PLR0124 -- NaN and NaT
    return is_decimal(value) and bool(value.is_nan())


def is_decimal(value: Any) -> bool:
    """Whether a value is a ``decimal.Decimal``; whoever has one has imported its module, which takes a while."""
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


def missing_cell(name: str) -> str:
    """Return what is said of a missing cell that a model does not fill."""
    return f"{name} is missing, and this model takes no missing cell there: fill it in, or leave the row out"


def left_out_rows(count: int, target: str) -> str:
    """Return what is said of rows that have no truth."""
    rows, are = ("row has", "is") if count == 1 else ("rows have", "are")
    return f"{count} {rows} no {target} and {are} left out"
