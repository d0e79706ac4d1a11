"""Dates and times in text, as seconds since 1970 in UTC."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from parity_runtime import InputError
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.printable import shown

_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?"
    r" ?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%b %d %Y", "%b %d, %Y", "%d %b %Y", "%d-%b-%Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
FORMATS = tuple(f"{date}{time}" for date in _DATES for time in _TIMES)
"""What is tried where a column of text holds no ISO 8601, as for `datetime.strptime`."""

_EPOCH, _SECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)
_TRIED_FIRST = 50  # cells, by which most of the formats fall away
_ZONED = ("%z", "%Z")

Seconds = tuple[int, bool]
"""Seconds since 1970 in UTC, rounded down, and whether the text named a zone."""


def iso_seconds(text: str) -> Seconds:
    """Read an ISO 8601 date, or date and time; without a zone it is UTC, and fractions are rounded down.

    Raises:
        ValueError: the text is none.
    """
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(f"{found['date']}T{found['time'] or '00:00'}{found['zone'] or 'Z'}")
    return (moment - _EPOCH) // _SECOND, found["zone"] is not None


def reader(form: str | None) -> Callable[[str], Seconds]:
    """Return what reads a text in a format of `datetime.strptime`; None is ISO 8601."""
    if form is None:
        return iso_seconds
    zoned = any(zone in form for zone in _ZONED)

    def read(text: str) -> Seconds:
        moment = datetime.strptime(text, form)  # noqa: DTZ007 -- without a zone it is UTC
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _SECOND, zoned

    return read


def check_format(form: str) -> None:
    """Refuse a format that `datetime.strptime` does not know, or that leaves the date open.

    Raises:
        InputError: shows it.
    """
    moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        found = datetime.strptime(moment.strftime(form), form)  # noqa: DTZ007
    except (ValueError, re.error) as error:
        raise InputError(f"--datetime: {shown(form)} is no format of a date, such as %d/%m/%Y: {error}") from error
    if found.date() != moment.date():
        raise InputError(f"--datetime: {shown(form)} is no format of a date: it leaves year, month or day open")


def fitting_formats(texts: Sequence[str]) -> list[str]:
    """Return those of `FORMATS` that read every text."""
    few = list(islice(texts, _TRIED_FIRST))
    if not all(any(character.isdigit() for character in text) for text in few):
        return []
    return [form for form in FORMATS if _reads_all(form, few) and _reads_all(form, texts)]


def _reads_all(form: str, texts: Iterable[str]) -> bool:
    return all(is_date(text, form) for text in texts)


def is_date(text: str, form: str | None = None) -> bool:
    """Whether a text is a date in a format; None is ISO 8601."""
    try:
        reader(form)(text)
    except (ValueError, OverflowError):
        return False
    return True


class DateCells(dict[str, int]):
    """The seconds of each cell that a column holds: read once, however often it stands there.

    Args:
        form: as for `datetime.strptime`; None for ISO 8601.
        is_missing: whether a cell is a missing one.

    Attributes:
        zoned: a cell that names its zone; None until one has been met.
        zoneless: one that does not.
    """

    def __init__(self, form: str | None, is_missing: Callable[[str], bool]) -> None:
        super().__init__()
        self._read, self._is_missing = reader(form), is_missing
        self.zoned: str | None = None
        self.zoneless: str | None = None

    def __missing__(self, cell: str) -> int:
        if self._is_missing(cell):
            seconds = MISSING_TIMESTAMP
        else:
            seconds, zoned = self._read(cell.strip())
            if zoned:
                self.zoned = self.zoned or cell
            else:
                self.zoneless = self.zoneless or cell
        self[cell] = seconds
        return seconds
