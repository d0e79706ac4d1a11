"""JSON as Parity writes and reads it: the same value gives the same bytes, and bad bytes give one sentence."""

import json
import re
import sys
from typing import Any

from parity_runtime.errors import FormatError

FORMAT = "parity/1"
"""The format that this version writes; a reader refuses a larger number."""

_MAX_BYTES = 256 * 2**20  # Conformance vectors of an image model take a few megabytes; 256 MiB is no honest file.


def dump_json(value: Any) -> bytes:
    """Return ``value`` as UTF-8 JSON: keys in the order given, no NaN or infinity, a newline at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """Parse ``data`` as one JSON object.

    Args:
        data: UTF-8 bytes.
        where: the file's name, for the error.

    Raises:
        FormatError: not UTF-8, not JSON, not an object, or too large.
    """
    if len(data) > _MAX_BYTES:
        raise FormatError(f"{where} has {len(data)} bytes; such a file is never larger than {_MAX_BYTES}")
    try:
        value = json.loads(data.decode(), parse_constant=_refuse_constant)  # json alone would take UTF-16 as well
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(f"{where} holds a JSON {type(value).__name__}, not an object")
    return value


def check_format(value: dict[str, Any], where: str) -> None:
    """Refuse an object whose ``format`` is missing, unknown, or newer than this version reads."""
    found = value.get("format")
    match = re.fullmatch(r"parity/([1-9][0-9]{0,5})", found) if isinstance(found, str) else None
    if match is None:
        raise FormatError(f'{where} does not say "format": "{FORMAT}" (found {found!r}); it was not written by Parity')
    if int(match[1]) > int(FORMAT.removeprefix("parity/")):
        raise FormatError(
            f"{where} has the format {found}, and this version of Parity reads up to {FORMAT}; install a newer one"
        )


def finite_number(value: Any, what: str) -> float:
    """Return a JSON number as a float.

    Raises:
        FormatError: it is no number, or larger than any float.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    raise FormatError(f"{what} is {str(value)[:40]}, not a finite number")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")
