"""JSON as Parity writes and reads it: the same value gives the same bytes, and bad bytes give one sentence."""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from parity_runtime.errors import FormatError, InputError
from parity_runtime.files.open_file import read_regular
from parity_runtime.printable import shown

FORMAT = "parity/2"
"""The format that this version writes; a reader refuses a larger number."""

MAX_BYTES = 64 * 2**20
"""The largest JSON file that is read: test vectors take some 4 MB."""

# A parsed value takes up to 64 bytes and a place in its container, whatever it takes in the file.
_MOST_CONTAINERS = 2**20  # objects and lists; the contract of a table has one for each feature
_MOST_VALUES = 2**22


def dump_json(value: Any) -> bytes:
    """Return ``value`` as UTF-8 JSON: keys in the order given, no NaN or infinity, a newline at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def dump_table(value: dict[str, Any]) -> bytes:
    """Return an object as `dump_json` does, but what lies in its members' members on one line: tables of rows."""
    members = [f"  {_line(key)}: {_member(item)}" for key, item in value.items()]
    return ("{\n" + ",\n".join(members) + "\n}\n").encode()


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """Parse ``data`` as one JSON object.

    Args:
        data: UTF-8 bytes.
        where: the file's name, for the error.

    Raises:
        FormatError: not UTF-8, not JSON, not an object, or too large.
    """
    check_size(len(data), where)
    if data.count(b"[") + data.count(b"{") > _MOST_CONTAINERS or data.count(b",") > _MOST_VALUES:
        raise FormatError(f"{where} holds more than {_MOST_VALUES} values; such a file has about 100,000 at most")
    try:
        text = data.decode()  # json alone would take UTF-16 as well
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(f"{where} holds a JSON {type(value).__name__}, not an object")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        InputError: it cannot be read, or is no regular file.
        FormatError: as `parse_json`.
    """
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return parse_json(data, str(path))


def check_size(size: int, where: str) -> None:
    """Refuse a JSON file of more bytes than any has."""
    if size > MAX_BYTES:
        raise FormatError(
            f"{where} has more than {MAX_BYTES} bytes, and no such file is that large; is it the right one?"
        )


def check_format(value: dict[str, Any], where: str) -> int:
    """Return the number of an object's ``format``; refuse one that is missing, unknown, or newer than is read here."""
    found = value.get("format")
    match = re.fullmatch(r"parity/([1-9][0-9]{0,5})", found) if isinstance(found, str) else None
    if match is None:
        raise FormatError(
            f'{where} does not say "format": "{FORMAT}" (found {shown(found)}); it was not written by Parity'
        )
    if int(match[1]) > int(FORMAT.removeprefix("parity/")):
        raise FormatError(
            f"{where} has the format {found}, and this version of Parity reads up to {FORMAT}; install a newer one"
        )
    return int(match[1])


def finite_number(value: Any, what: str) -> float:
    """Return a JSON number as a float.

    Raises:
        FormatError: it is no number, or larger than any float.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    raise FormatError(f"{what} is {shown(value)}, not a finite number")


def _member(value: Any) -> str:
    """Return a list or an object with each of its items on a line; anything else as it is."""
    match value:
        case [_, *_]:
            return "[\n" + ",\n".join(f"    {_line(item)}" for item in value) + "\n  ]"
        case dict() if value:
            return "{\n" + ",\n".join(f"    {_line(key)}: {_line(item)}" for key, item in value.items()) + "\n  }"
    return _line(value)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a key that stands in it twice readers would take one or the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the key {shown(repeated)} twice")
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)
