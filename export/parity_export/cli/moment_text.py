"""A moment as a person reads it: ISO 8601, in UTC."""

import numpy as np

from parity_runtime.feature import MISSING_TIMESTAMP

_DAY = 86_400


def moment_text(seconds: float) -> str:
    """Return seconds since 1970, UTC, in ISO 8601: the date alone at midnight; nothing for a missing moment.

    >>> from parity_export.cli.moment_text import moment_text
    >>> moment_text(-1), moment_text(86_400), moment_text(-(2**63))
    ('1969-12-31T23:59:59Z', '1970-01-02', '')
    """
    whole = int(seconds)
    if whole == MISSING_TIMESTAMP:
        return ""
    days, second = divmod(whole, _DAY)
    date = str(np.datetime64(days, "D"))
    clock = f"{second // 3_600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return date if second == 0 else f"{date}T{clock}Z"
