"""Numbers in another spelling: what the cells of a column are that are no plain numbers, and how to read them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from parity_runtime.arguments import Value, arguments
from parity_runtime.tables.cell_values import CellValues

_CODES = "USD EUR GBP JPY CHF CNY INR AUD CAD NZD SEK NOK DKK PLN CZK HUF BRL MXN ZAR kr zł Kč"
_CURRENCY = rf"(?:[A-Z]{{0,3}}[$€£¥₹₩₽₺₫₴₦₱₪฿¢]|{_CODES.replace(' ', '|')})"
_SPACES = " \u00a0\u202f"
_SPACE = f"[{_SPACES}]"
_AMOUNT = re.compile(
    rf"[+-]?{_SPACE}*(?P<before>{_CURRENCY})?{_SPACE}*[+-]?(?P<digits>[\d.,'](?:[\d.,' \u00a0\u202f]*[\d.,'])?)"
    rf"{_SPACE}*(?P<after>{_CURRENCY})?(?P<percent>%)?",
    re.ASCII,
)
_DECIMAL = re.compile(r"\d*\.?\d*", re.ASCII)
_EITHER = re.compile(r"[1-9]\d{0,2},\d{3}", re.ASCII)  # thousands, or a decimal comma with three digits behind it
_THOUSANDS = re.compile(r"\d{1,3}(?:(?P<between>[, \u00a0\u202f'])\d{3})(?:(?P=between)\d{3})*(?:\.\d*)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\d*,\d*|\d{1,3}(?P<groups>\.\d{3})+,\d*", re.ASCII)
_SPACED_DECIMAL_COMMA = re.compile(r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+,\d*", re.ASCII)
_POINT_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3}){2,}", re.ASCII)
_SWAP = str.maketrans(",.", ".,")

Options = Mapping[str, Value]
"""Arguments of `ReadOptions` by name, with their values."""


@dataclass(frozen=True)
class Pattern:
    """How the numbers of a column are spelled.

    Attributes:
        cells: those that are spelled so.
        what: what such a cell is.
        way_out: how to read it, in words.
        options: what reads it; None where that is one of two, or nothing does.
    """

    cells: tuple[str, ...]
    what: str
    way_out: str
    options: Options | None = None


@dataclass(frozen=True)
class _Amount:
    """A cell taken apart: its currency sign, whether it is a percentage, and the digits between."""

    currency: str
    percent: bool
    digits: str


def spelling(cells: Iterable[str], values: CellValues, *, has_decimals: bool = False) -> Pattern | None:
    """Return how numbers are spelled that ``values`` does not read; None where most of the cells are no numbers.

    Args:
        cells: those of one column that are neither numbers nor missing.
        values: how they were read.
        has_decimals: whether its other cells show the decimal sign that they were read with.
    """
    cells = list(cells)
    found = {cell: amount for cell in cells if (amount := _amount(cell.strip(), values)) is not None}
    if 2 * sum(cell in found for cell in cells) <= len(cells):
        return None
    amounts = list(found.values())
    options = _sign_options(amounts, values)
    what = "an amount of money" if amounts[0].currency else "a percentage" if amounts[0].percent else "a number"
    how, choices = _separators([amount.digits for amount in amounts], values.decimal, has_decimals=has_decimals)
    what = f"{what} {how}".strip()
    if how and not choices:
        return Pattern(tuple(found), what, "and other cells of the column contradict it: write them all in one way")
    if not options and not choices:
        return _plain_digits(tuple(found), values)
    named = [{**options, **_with_decimal(separator, values)} for separator in choices or [{}]]
    ways = [arguments(way) for way in named]
    if len(ways) == 1:
        return Pattern(tuple(found), what, _read_with(named[0]), named[0])
    digits = next(amount.digits for amount in amounts if _kind(_turned(amount.digits, values.decimal)) == "either")
    whole, fraction = (_turned(digits, values.decimal).replace(",", sign) for sign in ("", "."))
    way_out = f"read it with {ways[0]} if {digits} is {whole}, or with {ways[1]} if it is {fraction}"
    if values.decimal == ",":  # other cells show it, or the caller says so: another sign would refuse those
        way_out = f"read it with {ways[0]} if {digits} is {whole}; if it is {fraction}, write it with a decimal comma"
    return Pattern(tuple(found), what, way_out)


def reading_all(patterns: Iterable[Pattern]) -> str:
    """Return how to read several columns at once; nothing where they contradict each other, or one says it all."""
    together: dict[str, Value] = {}
    found = [pattern.options for pattern in patterns if pattern.options]
    for options in found:
        for name, value in options.items():
            if name == "currency" and isinstance(value, tuple):
                known = together.get(name)
                value = tuple(sorted({*value, *(known if isinstance(known, tuple) else ())}))  # noqa: PLW2901
            elif together.get(name, value) != value:
                return ""
            together[name] = value
    return _read_with(together) if len(found) > 1 else ""


def _read_with(options: Options) -> str:
    return f"read it with {arguments(options)}" + " (45% is then 0.45)" * ("percent" in options)


def _with_decimal(separator: Options, values: CellValues) -> Options:
    """Return the options of a separator with the decimal comma beside it, which may have been found in the file."""
    is_said = not separator or "decimal" in separator
    return separator if is_said or values.decimal == "." else {**separator, "decimal": values.decimal}


def _plain_digits(cells: tuple[str, ...], values: CellValues) -> Pattern | None:
    """Return why cells of digits are no numbers; None where no option reads them.

    They are text in a format that has numbers, or hold spaces that a plain number has not.
    """
    if all(_reads(values, cell) for cell in cells):
        return Pattern(cells, "a number", "write it as a number, not as text")
    spaced = replace(values, thousands=" ")
    cells = tuple(cell for cell in cells if not _reads(values, cell) and _reads(spaced, cell))
    if not cells:
        return None
    place = "behind its sign" if cells[0].isascii() else "that is not an ASCII space"
    options = {"thousands": " "}
    return Pattern(cells, f"a number with a space {place}", f"read it with {arguments(options)}", options)


def _reads(values: CellValues, cell: str) -> bool:
    try:
        values.number(cell)
    except ValueError:
        return False
    return True


def _sign_options(amounts: list[_Amount], values: CellValues) -> Options:
    found = {amount.currency for amount in amounts if amount.currency}
    options: dict[str, Value] = {"currency": tuple(sorted(found | set(values.currency)))} if found else {}
    return options | {"percent": True} if any(amount.percent for amount in amounts) else options


def decimal_comma(cells: Iterable[str]) -> bool:
    """Whether cells show that numbers have a decimal comma: some can be nothing else, and none has a point."""
    found = False
    for cell in cells:
        amount = _AMOUNT.fullmatch(cell)
        digits = amount["digits"] if amount and re.search(r"\d", cell) else ""
        kind, turned = _kind(digits), digits.translate(_SWAP)
        if kind == "," or (digits.count(".") == 1 and not kind and _kind(turned) != "either"):
            return False
        found = found or kind.endswith("decimal")
    return found


def _amount(cell: str, values: CellValues) -> _Amount | None:
    found = _AMOUNT.fullmatch(cell)
    if found is None or not re.search(r"\d", found["digits"]) or len(re.findall(r"[+-]", cell)) > 1:
        return None
    turned = _turned(found["digits"], values.decimal)
    if not _DECIMAL.fullmatch(turned) and not _kind(turned):
        return None
    return _Amount(found["before"] or found["after"] or "", bool(found["percent"]), found["digits"])


def _turned(digits: str, decimal: str) -> str:
    """Return digits as if they had been read with a decimal point."""
    return digits.translate(_SWAP) if decimal == "," else digits


def _kind(digits: str) -> str:
    """Return how digits are separated, other than by a decimal point: by what, or ``either``, or nothing."""
    if _EITHER.fullmatch(digits):
        return "either"
    found = _THOUSANDS.fullmatch(digits)
    if found and not digits.startswith("0"):
        return found["between"]
    if found := _DECIMAL_COMMA.fullmatch(digits):
        return "points and decimal" if found["groups"] else "decimal"
    if _SPACED_DECIMAL_COMMA.fullmatch(digits):
        return "spaces and decimal"
    return "points" if _POINT_GROUPS.fullmatch(digits) else ""


def _separators(digits: list[str], decimal: str, *, has_decimals: bool) -> tuple[str, list[Options]]:
    """Return how digits are separated, and the options that read them: one choice, or two where it may be either."""
    comma, point, name = (".", ",", "point") if decimal == "," else (",", ".", "comma")
    kinds = {_kind(_turned(text, decimal)) for text in digits} - {""}
    if not kinds:
        return "", []
    decimals, thousands, spaces = {"decimal": comma}, {"thousands": comma}, {"thousands": " "}
    if kinds == {"either"} and not has_decimals:
        return f"whose {name} may separate thousands or decimals", [thousands, decimals]
    grouped = "with separated thousands"
    rules: list[tuple[set[str], str, Options]] = [
        ({",", "either"}, grouped, thousands),
        ({"'"}, grouped, {"thousands": "'"}),
        ({*_SPACES}, grouped, spaces),
    ]
    if not has_decimals:
        fraction, points = f"with a decimal {name}", {"thousands": point}
        rules += [
            ({"points"}, grouped, {**decimals, **points}),
            ({"either", "decimal"}, fraction, decimals),
            ({"either", "decimal", "points", "points and decimal"}, fraction, {**decimals, **points}),
            ({"either", "decimal", *_SPACES, "spaces and decimal"}, fraction, {**decimals, **spaces}),
        ]
    fitting = next(((how, [options]) for known, how, options in rules if kinds <= known), None)
    return fitting or (f"with a {name}", [])
