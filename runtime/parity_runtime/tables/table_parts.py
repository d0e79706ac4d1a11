"""Tables in parts: the files of a folder, of a glob, or several that were named."""

import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.tables.chunk import listed
from parity_runtime.tables.find_tables import places
from parity_runtime.tables.read_options import FORMATS, plain_name, table_format

MOST_PARTS = 100_000
"""What one job takes; the list of them is a file that is read whole."""

_UNKNOWN = "?"


@dataclass(frozen=True)
class TablePart:
    """One file of a table in parts.

    Attributes:
        number: its place among the parts, from 1, in the order of the names.
        name: below the folder or the glob that it was found by, with slashes.
        path: of the file, as errors name it.
        size: bytes.
    """

    number: int
    name: str
    path: str
    size: int


def table_parts(tables: Sequence[str], format_name: str | None = None) -> list[TablePart]:
    """Return the files of folders and globs, and those that are named themselves, sorted by their names.

    In folders, and in those below them, hidden files and names that begin with ``_`` are left out.

    Args:
        tables: folders, globs (``**`` is any number of folders), and files.
        format_name: of all files; None for what their suffixes say.

    Raises:
        InputError: there is no table, a name says no format, they have several formats, or two have one name.
    """
    found = [place for table in tables for place in places(table)]
    if not found:
        raise _nothing(tables)
    if len(found) > MOST_PARTS:
        raise InputError(f"{listed(tables)} holds {len(found)} files; one job takes {MOST_PARTS}: give some at a time")
    _refuse_formats(found, format_name)
    found.sort()
    _refuse_doubled(found)
    return [TablePart(number, name, path, _size(path)) for number, (name, path) in enumerate(found, 1)]


def _size(path: str) -> int:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InputError(f"cannot read the table {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"cannot read the table {path}: it is not a regular file, and a part may be read twice")
    return found.st_size


def _refuse_formats(found: list[tuple[str, str]], format_name: str | None) -> None:
    """Refuse files of several formats, and those of which nobody says the format."""
    if format_name is not None:
        return
    first: dict[str, str] = {}
    for _, path in found:
        first.setdefault(table_format(path, _UNKNOWN), path)
    unknown = first.pop(_UNKNOWN, None)
    if unknown is not None:
        raise InputError(
            f"{unknown}: its name does not tell its format ({', '.join(FORMATS)}, of text also .gz); say it with "
            f"{argument('format', 'jsonl' if '.json' in unknown else 'csv')}, or leave the file out with a glob"
            f"{_glob_for(first)}"
        )
    if len(first) > 1:
        told = ", ".join(f"{kind} ({path})" for kind, path in list(first.items())[:3])
        raise InputError(f"the tables have several formats: {told}; give one of them alone{_glob_for(first)}")


def _glob_for(first: dict[str, str]) -> str:
    """Return a glob that takes the files of the first format alone."""
    if not first:
        return ""
    path = next(iter(first.values()))
    plain = plain_name(path)
    suffix = Path(plain).suffix + path[len(plain) :]
    return f", such as {shlex.quote(str(Path(path).parent / f'*{suffix}'))}"


def _refuse_doubled(found: list[tuple[str, str]]) -> None:
    """Refuse files whose answers would have one name, or a name that no file of answers can have."""
    taken: dict[str, str] = {}
    for name, path in found:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{path}: its name is not UTF-8; rename it") from error
        answers = answers_name(name)
        if answers in taken:
            raise InputError(
                f"{taken[answers]} and {path} would have their predictions in one file, {answers}; rename one of them, "
                "or give the folder that both lie in, whose own folders keep their names"
            )
        taken[answers] = path
    for answers, path in taken.items():
        folder = next((str(above) for above in PurePosixPath(answers).parents if str(above) in taken), None)
        if folder is not None:
            raise InputError(
                f"{taken[folder]} and {path}: the predictions of one would be a folder of the other's; rename one"
            )


def answers_name(name: str) -> str:
    """Return the name of a part's answers: its own, without .gz, as answers are not compressed."""
    return plain_name(name)


def _nothing(tables: Sequence[str]) -> InputError:
    return InputError(
        f"there is no table in {listed(tables)} ({', '.join(FORMATS)}, of text also .gz; names that begin with . or _ "
        "are left out)"
    )
