"""Errors of Parity out of the text that an engine makes of what a worker raised."""

import re

from parity_runtime import errors
from parity_runtime.errors import InputError, ParityError

_OURS = re.compile(r"^parity_runtime\.errors\.(\w+): (.+)$", re.MULTILINE)
_PLACE = re.compile(r"(partition \d+), row (\d+): (.+)")


def told_error(text: str) -> ParityError | None:
    """Return the last error of Parity in a traceback, which others came of; None where there is none."""
    found = _OURS.findall(text)
    if not found:
        return None
    name, said = found[-1]
    kind = getattr(errors, name, ParityError)
    if kind is InputError and (place := _PLACE.fullmatch(said)):
        return InputError(place[3], path=place[1], row=int(place[2]))
    remade: ParityError = kind(said)
    return remade
