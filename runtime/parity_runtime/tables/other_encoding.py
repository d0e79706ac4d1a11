"""Text files that are not UTF-8: how to convert them."""

import shlex
from pathlib import PurePath

from parity_runtime.errors import InputError

WINDOWS, UTF_16 = "WINDOWS-1252", "UTF-16"
"""What spreadsheets write besides UTF-8, as iconv calls it."""


def not_utf8(where: str, line: int) -> InputError:
    """Return the error of a file with other bytes in a line."""
    return InputError(f"{where}, line {line}: not UTF-8; convert it, as from {WINDOWS}: {to_utf8(where, WINDOWS)}")


def not_text(where: str, what: str) -> InputError:
    """Return the error of a file that begins as UTF-16 does, or holds zero bytes."""
    return InputError(f"{where} is {what}; convert it: {to_utf8(where, UTF_16)}")


def to_utf8(where: str, encoding: str) -> str:
    """Return the command that writes a file beside another one, in UTF-8.

    >>> from parity_runtime.tables.other_encoding import WINDOWS, to_utf8
    >>> to_utf8("old table.csv", WINDOWS)
    "iconv -f WINDOWS-1252 -t UTF-8 'old table.csv' > 'old table-utf8.csv'"

    Args:
        where: the file, maybe compressed; ``stdin`` gets the command that belongs before a pipe.
        encoding: of the file.
    """
    convert = f"iconv -f {encoding} -t UTF-8"
    if where == "stdin":
        return convert
    old = PurePath(where)
    plain = old.with_suffix("") if old.suffix == ".gz" else old
    new = shlex.quote(str(plain.with_name(f"{plain.stem}-utf8{plain.suffix}")))
    if plain != old:
        return f"gunzip -c {shlex.quote(where)} | {convert} > {new}"
    return f"{convert} {shlex.quote(where)} > {new}"
