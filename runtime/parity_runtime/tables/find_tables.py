"""The files that a folder, a glob or a name stands for, where a table is in parts."""

import glob
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from parity_runtime.errors import InputError
from parity_runtime.files.paths import resolved

_PASSED_OVER = (".", "_")  # what a folder's readers leave out: Spark's and Hadoop's own files begin so


def in_parts(tables: Sequence[str]) -> bool:
    """Whether these name a table in parts: a folder, a glob, or several files."""
    return len(tables) > 1 or (len(tables) == 1 and (_is_glob(tables[0]) or Path(tables[0]).is_dir()))


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


def places(table: str) -> list[tuple[str, str]]:
    """Return the name and the path of each file that a folder, a glob or a file's own name stands for."""
    if Path(table).is_dir():
        return list(_inside(table, "", ()))
    if table == "-":
        raise InputError("stdin cannot be one of several tables; give the name of a file")
    if not _is_glob(table):
        if Path(table).name.startswith(_PASSED_OVER):
            raise InputError(
                f"{table}: readers of a folder ignore names that begin with . or _, and its predictions would have "
                "such a name; rename it"
            )
        return [(Path(table).name, table)]
    base = _before_magic(table)
    matches = sorted(set(glob.glob(table, recursive=True)))  # noqa: PTH207 -- pathlib's has no absolute patterns
    if not matches:
        raise InputError(f"no file matches {shlex.quote(table)}")
    found: dict[str, tuple[str, str]] = {}
    for match in matches:
        name = PurePosixPath(os.path.relpath(match, base)).as_posix()
        if any(part.startswith(_PASSED_OVER) for part in PurePosixPath(name).parts if part != "."):
            continue
        if Path(match).is_dir():
            found |= {path: (inner, path) for inner, path in _inside(match, "" if name == "." else f"{name}/", ())}
        else:
            found[str(Path(match))] = (name, str(Path(match)))
    return list(found.values())


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
