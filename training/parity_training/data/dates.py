"""Dates in text: which format reads all of a column, and whether its times name their zone."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.printable import shown
from parity_runtime.tables.cell_values import PLAIN
from parity_runtime.tables.timestamp_cells import timestamp_texts

_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%b %d %Y", "%b %d, %Y", "%d %b %Y", "%d-%b-%Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_WHOLE_MONTHS = ("%B %d %Y", "%B %d, %Y", "%d %B %Y")
FORMATS, LONG_FORMATS = (
    tuple(f"{date}{time}" for date in dates for time in _TIMES) for dates in (_DATES, _WHOLE_MONTHS)
)
"""What is tried where a column of text holds no ISO 8601, as for `datetime.strptime`; those with a month's whole name
after the others, since May is both."""

_TRIED_FIRST = 50  # cells, by which most of the formats fall away


def check_format(form: str) -> None:
    """Refuse a format that `datetime.strptime` does not know, or that leaves the date open.

    Raises:
        InputError: shows it.
    """
    what = f"{argument('datetime')}: {shown(form)} is not a date format"
    moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        found = datetime.strptime(moment.strftime(form), form)
    except (ValueError, re.error) as error:
        raise InputError(f"{what}, such as %d/%m/%Y: {error}") from error
    if found.date() != moment.date():
        raise InputError(f"{what}: it lacks the year, the month or the day")


def fitting_formats(texts: Sequence[str]) -> list[str]:
    """Return those of `FORMATS` that read every text; where there are none, those of `LONG_FORMATS`."""
    few = texts[:_TRIED_FIRST]
    if not all(any(character.isdigit() for character in text) for text in few):
        return []
    found = ([form for form in forms if not odd_dates(few, form) and not odd_dates(texts, form)]
             for forms in (FORMATS, LONG_FORMATS))  # fmt: skip
    return next((forms for forms in found if forms), [])


def odd_dates(texts: Sequence[str], form: str | None = None) -> list[int]:
    """Return the places of the texts that are no date in a format; None is ISO 8601."""
    return timestamp_texts(texts, form, PLAIN)[1]


def names_zone(text: str) -> bool:
    """Whether a date and time in ISO 8601 names its zone, which stands behind the minutes."""
    behind = text.strip()[16:]
    return behind[-1:] in ("Z", "z") or "+" in behind or "-" in behind
