"""Tables in parts: the files of a folder, of a glob, or several that were named."""

import glob
import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.files.paths import resolved
from parity_runtime.printable import counted
from parity_runtime.tables.chunk import listed
from parity_runtime.tables.table_file import FORMATS, plain_name, table_format

MOST_PARTS = 100_000
"""What one job takes; the list of them is a file that is read whole."""

_PASSED_OVER = (".", "_")  # what a folder's readers leave out: Spark's and Hadoop's own files begin so
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


def in_parts(tables: Sequence[str]) -> bool:
    """Whether these name a table in parts: a folder, a glob, or several files."""
    return len(tables) > 1 or (len(tables) == 1 and (_is_glob(tables[0]) or Path(tables[0]).is_dir()))


def table_parts(tables: Sequence[str], format_name: str | None = None) -> list[TablePart]:
    """Return the files of folders and globs, and those that are named themselves, sorted by their names.

    In folders, and in those below them, hidden files and names that begin with ``_`` are left out.

    Args:
        tables: folders, globs (``**`` is any number of folders), and files.
        format_name: of all files; None for what their suffixes say.

    Raises:
        InputError: there is no table, a name says no format, they have several formats, or two have one name.
    """
    found = [place for table in tables for place in _places(table)]
    if not found:
        raise _nothing(tables)
    if len(found) > MOST_PARTS:
        raise InputError(f"{listed(tables)} holds {len(found)} files; one job takes {MOST_PARTS}: give some at a time")
    _refuse_formats(found, format_name)
    found.sort()
    _refuse_doubled(found)
    return [TablePart(number, name, path, _size(path)) for number, (name, path) in enumerate(found, 1)]


def _is_glob(table: str) -> bool:
    return glob.has_magic(table) and not os.path.lexists(table)


def holds(table: str, place: Path) -> bool:
    """Whether the files of a folder, which need not be there yet, are parts of what a name stands for."""
    if not in_parts([table]):
        return False
    base = table if Path(table).is_dir() else _before_magic(table)
    below, target = resolved(Path(base)), resolved(place)
    if below not in (target, *target.parents):
        return False
    inner = target.relative_to(below)
    if any(part.startswith(_PASSED_OVER) for part in inner.parts):
        return False
    pattern = os.path.relpath(table, base)
    return Path(table).is_dir() or "**" in table or any(one.match(pattern) for one in (inner, *inner.parents))


def _places(table: str) -> list[tuple[str, str]]:
    """Return the name and the path of each file that a folder, a glob or a file's own name stands for."""
    if Path(table).is_dir():
        return list(_inside(table, "", ()))
    if table == "-":
        raise InputError("stdin is one table, and a part of many is a file; give its name")
    if not _is_glob(table):
        if Path(table).name.startswith(_PASSED_OVER):
            raise InputError(
                f"{table}: readers of a folder pass over names that begin with . or _, and its answers would have such "
                "a name; rename it"
            )
        return [(Path(table).name, table)]
    base = _before_magic(table)
    matches = sorted(set(glob.glob(table, recursive=True)))  # noqa: PTH207 -- pathlib's has no absolute patterns
    if not matches:
        raise InputError(f"no file matches {shlex.quote(table)}")
    places: dict[str, tuple[str, str]] = {}
    for match in matches:
        name = PurePosixPath(os.path.relpath(match, base)).as_posix()
        if any(part.startswith(_PASSED_OVER) for part in PurePosixPath(name).parts if part != "."):
            continue
        if Path(match).is_dir():
            places |= {path: (inner, path) for inner, path in _inside(match, "" if name == "." else f"{name}/", ())}
        else:
            places[str(Path(match))] = (name, str(Path(match)))
    return list(places.values())


def _before_magic(pattern: str) -> str:
    """Return the folder in front of a glob's first part that is a pattern."""
    parts = Path(pattern).parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    return str(Path(*parts[:first])) if first else "."


def _inside(folder: str, before: str, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the files below a folder, those that links lead to as well."""
    here = os.path.realpath(folder)
    if here in above:
        raise InputError(f"{folder} is a link to a folder that it lies in; remove it")
    try:
        names = sorted(path.name for path in Path(folder).iterdir())
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error
    for name in names:
        path = os.path.join(folder, name)  # noqa: PTH118 -- as it was spelled: ./t.csv is not t.csv in a message
        if name.startswith(_PASSED_OVER):
            continue
        if Path(path).is_dir():
            yield from _inside(path, f"{before}{name}/", (*above, here))
        else:
            yield before + name, path


def _size(path: str) -> int:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InputError(f"cannot read the table {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"cannot read the table {path}: it is no regular file, and a part may be read twice")
    return found.st_size


def _refuse_formats(places: list[tuple[str, str]], format_name: str | None) -> None:
    """Refuse files of several formats, and those of which nobody says the format."""
    if format_name is not None:
        return
    first: dict[str, str] = {}
    for _, path in places:
        first.setdefault(table_format(path, _UNKNOWN), path)
    unknown = first.pop(_UNKNOWN, None)
    if unknown is not None:
        raise InputError(
            f"{unknown}: its name says no format ({', '.join(FORMATS)}, of text also .gz); say it with "
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
    path = Path(next(iter(first.values())))
    return f", such as {shlex.quote(str(path.parent / f'*{path.suffix}'))}"


def _refuse_doubled(places: list[tuple[str, str]]) -> None:
    """Refuse files whose answers would have one name, or a name that no file of answers can have."""
    taken: dict[str, str] = {}
    for name, path in places:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{path}: its name is not UTF-8; rename it") from error
        answers = answers_name(name)
        if answers in taken:
            raise InputError(
                f"{taken[answers]} and {path} would have their answers in one file, {answers}; rename one of them, or "
                "give the folder that both lie in, whose own folders keep their names"
            )
        taken[answers] = path
    for answers, path in taken.items():
        folder = next((str(above) for above in PurePosixPath(answers).parents if str(above) in taken), None)
        if folder is not None:
            raise InputError(
                f"{taken[folder]} and {path}: the answers of one would be a folder of the other's; rename one"
            )


def answers_name(name: str) -> str:
    """Return the name of a part's answers: its own, without .gz, as answers are not compressed."""
    return plain_name(name)


def _nothing(tables: Sequence[str]) -> InputError:
    return InputError(
        f"there is no table in {listed(tables)} ({', '.join(FORMATS)}, of text also .gz; names that begin with . or _ "
        "are left out)"
    )


def told(parts: Sequence[TablePart]) -> str:
    """Return what a message calls a table in parts: its first file, and how many more there are."""
    more = len(parts) - 1
    return parts[0].path if not more else f"{parts[0].path} and {counted(more, 'more file')}"
