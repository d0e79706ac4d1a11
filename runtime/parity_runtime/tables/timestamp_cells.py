"""What a cell is as a timestamp: seconds since 1970-01-01T00:00:00 UTC, rounded down; one without a zone is in UTC."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.tables.cell_values import CellValues, is_nothing

Seconds = NDArray[np.int64]

_DAY = 86400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _SECOND
LAST = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // _SECOND
"""With `FIRST`: the seconds of the last and the first timestamp that a model takes, of the years 1 to 9999."""

# How the digits of the common spellings stand: Y, m, d, H, M and S are fields, f is left out, s h n are the zone.
_DATE, _TIME = "YYYY-mm-dd", "YYYY-mm-ddTHH:MM:SS"
_ISO = (_DATE, "YYYY-mm-ddTHH:MM", _TIME, f"{_TIME}Z", f"{_TIME}shh:nn", f"{_TIME}.fff", f"{_TIME}.fffZ",
        f"{_TIME}.ffffff", f"{_TIME}.ffffffZ", f"{_TIME}.fffffffff", f"{_TIME}.fffshh:nn", f"{_TIME}.ffffffshh:nn",
        f"{_TIME}.fffffffffZ")  # fmt: skip
_ANY_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)? ?"
    r"(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
_FEW = 32  # cells, which Python reads sooner one by one
_DIRECTIVES = {"%Y": "YYYY", "%m": "mm", "%d": "dd", "%H": "HH", "%M": "MM", "%S": "SS"}
_FIELDS = "YmdHMSfshn"


def timestamp_texts(cells: Sequence[str], form: str | None, values: CellValues) -> tuple[Seconds, list[int]]:
    """Return cells of text as seconds, int64 ``[rows]``, and the rows whose cell is no date.

    Args:
        cells: as they stand in the table.
        form: as for ``datetime.strptime``; None for ISO 8601: a date, or a date and a time with ``T`` or a space
            between, fractions, and a zone ``Z`` or ``+hh:mm``.
        values: which cells are missing: they are `MISSING_TIMESTAMP`, as those that are no date.
    """
    words = values.tokens | {""}
    stripped = [cell.strip() for cell in cells]
    seconds = np.full(len(stripped), MISSING_TIMESTAMP, np.int64)
    waiting = np.array([cell not in words for cell in stripped], np.bool_)
    lengths = np.where(waiting, np.fromiter(map(len, stripped), np.int64, len(stripped)), -1)
    templates = _ISO if form is None else _template(form)
    for template in templates if len(cells) > _FEW else ():
        rows = np.flatnonzero(lengths == len(template))
        if len(rows):
            found, fits = _by_template([stripped[row] for row in rows.tolist()], template)
            seconds[rows[fits]] = found[fits]
            waiting[rows[fits]], lengths[rows[fits]] = False, -1
    rest = np.flatnonzero(waiting).tolist()
    known = {cell: _second(cell, form) for cell in {stripped[row] for row in rest}}
    for row in rest:
        seconds[row] = known[stripped[row]]
    return seconds, [row for row in rest if known[stripped[row]] == MISSING_TIMESTAMP]


def timestamp_values(cells: Sequence[Any], form: str | None, values: CellValues) -> tuple[Seconds, list[int]]:
    """Return cells of any type as seconds, and the rows that are no date: text, ``date``, ``datetime``, datetime64."""
    kinds = {*map(type, cells)}
    if kinds <= {str}:
        return timestamp_texts(cells, form, values)
    texts = ["" if not isinstance(cell, str) else cell for cell in cells]
    seconds, odd = timestamp_texts(texts, form, values)
    for row, cell in enumerate(cells):
        if not isinstance(cell, str):
            seconds[row], is_date = _moment(cell)
            odd += [] if is_date else [row]
    return seconds, sorted(odd)


def timestamp_array(array: NDArray[np.datetime64]) -> tuple[Seconds, list[int]]:
    """Return numpy's datetime64 of any unit as seconds, NaT as missing, and the rows outside the years 1 to 9999."""
    in_seconds = array.astype("datetime64[s]")
    coarse = in_seconds.astype(array.dtype)  # years beyond int64 seconds would wrap around
    seconds: Seconds = in_seconds.astype(np.int64)
    lost = np.abs((coarse - array).astype(np.int64)) >= _UNITS.get(np.datetime_data(array.dtype)[0], 1)
    return within_years(np.where(np.isnat(array), MISSING_TIMESTAMP, seconds), lost & ~np.isnat(array))


_UNITS = {"ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}


def within_years(seconds: Seconds, lost: NDArray[np.bool_] | bool = False) -> tuple[Seconds, list[int]]:
    """Return seconds, missing where they lie outside the years 1 to 9999, and the rows that do."""
    odd = (((seconds < FIRST) | (seconds > LAST)) & (seconds != MISSING_TIMESTAMP)) | lost
    return np.where(odd, MISSING_TIMESTAMP, seconds), np.flatnonzero(odd).tolist()


def no_date(name: str, cell: str, form: str | None) -> str:
    """Return what is said of a cell that is no date."""
    if form is None:
        way_out = "write it as 2024-12-31 or 2024-12-31T23:59:59Z"
        return f"{name} is {cell}, not a date of the years 1 to 9999 in ISO 8601; {way_out}"
    example = datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC).strftime(form)
    return f"{name} is {cell}, not a date in the format {form!r} of the training data; write it as {example}"


def _by_template(cells: list[str], template: str) -> tuple[Seconds, NDArray[np.bool_]]:
    """Return the seconds of cells as long as the template, and which of them are written so and are a date."""
    width = len(template)
    codes = np.array(cells, f"U{width}").view(np.uint32).reshape(len(cells), width)
    digits = codes.astype(np.int64) - ord("0")
    fits = np.ones(len(cells), np.bool_)
    for place, letter in enumerate(template):
        column = codes[:, place]
        if letter in _FIELDS and letter != "s":
            fits &= (digits[:, place] >= 0) & (digits[:, place] <= 9)
        else:
            fits &= np.isin(column, [ord(one) for one in {"T": "T ", "s": "+-"}.get(letter, letter)])

    def field(letter: str) -> Seconds:
        number = np.zeros(len(cells), np.int64)
        for place, found in enumerate(template):
            if found == letter:
                number = number * 10 + digits[:, place]
        return number

    year, month, day, hour, minute, second, zone_hour, zone_minute = map(field, "YmdHMShn")
    fits &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    fits &= (zone_hour < 24) & (zone_minute < 60)
    months = np.where(fits, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(fits, day - 1, 0)
    fits &= days.astype("datetime64[M]") == months
    seconds = days.astype(np.int64) * _DAY + hour * 3600 + minute * 60 + second
    if "s" in template:
        behind = codes[:, template.index("s")] == ord("-")
        seconds -= np.where(behind, -1, 1) * (zone_hour * 3600 + zone_minute * 60)
    return seconds, fits & (seconds >= FIRST) & (seconds <= LAST)


@cache
def _template(form: str) -> tuple[str, ...]:
    """Return how a format's digits stand; nothing where its fields are not all digits of fixed width."""
    pieces = re.split(r"(%.)", form)
    if not {"%Y", "%m", "%d"} <= {*pieces}:
        return ()
    fields = [piece for piece in pieces if piece in _DIRECTIVES]
    between = {*"".join(piece for piece in pieces if piece not in _DIRECTIVES)}
    # strptime takes any white space for a space; what else it knows begins with a percent sign
    if len(set(fields)) < len(fields) or between & {*_FIELDS, *"T% "}:
        return ()
    return ("".join(_DIRECTIVES.get(piece, piece) for piece in pieces),)


def _second(cell: str, form: str | None) -> int:
    """Return the second of one cell, `MISSING_TIMESTAMP` where it is no date."""
    moment = _iso(cell) if form is None else _formatted(cell, form)
    if moment is None:
        return MISSING_TIMESTAMP
    second = _floored(moment)
    return second if FIRST <= second <= LAST else MISSING_TIMESTAMP


def _iso(cell: str) -> datetime | None:
    found = _ANY_ISO.fullmatch(cell)
    if found is None or (found[4] is None and (found[7] or found[8])):  # a date alone has no zone
        return None
    try:
        moment = datetime(*(int(part or 0) for part in found.groups()[:6]), tzinfo=UTC)  # type: ignore[misc,arg-type]
        zone = timedelta(hours=_zone(found[9], 23), minutes=_zone(found[10], 59))
        return moment + zone if found[8] == "-" else moment - zone
    except (ValueError, OverflowError):
        return None


def _zone(digits: str | None, most: int) -> int:
    number = int(digits or 0)
    if number > most:
        raise ValueError(digits)
    return number


def _formatted(cell: str, form: str) -> datetime | None:
    try:
        moment = datetime.strptime(cell, form)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _floored(moment: datetime) -> int:
    try:
        return (moment - _EPOCH) // _SECOND
    except OverflowError:
        return MISSING_TIMESTAMP


def _moment(cell: Any) -> tuple[int, bool]:
    """Return the second of a cell that is no text, and whether it is a date or missing."""
    if is_nothing(cell):
        return MISSING_TIMESTAMP, True
    if isinstance(cell, np.datetime64):
        seconds, odd = timestamp_array(np.array([cell]))
        return int(seconds[0]), not odd
    if isinstance(cell, datetime):
        second = _floored(cell if cell.tzinfo else cell.replace(tzinfo=UTC))
    elif isinstance(cell, date):
        second = (cell.toordinal() - _EPOCH.toordinal()) * _DAY
    else:
        return MISSING_TIMESTAMP, False
    return (second, True) if FIRST <= second <= LAST else (MISSING_TIMESTAMP, False)
