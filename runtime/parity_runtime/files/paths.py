"""Paths that somebody names: where they lead, and whether what is made there can be written."""

import contextlib
import os
from pathlib import Path

from parity_runtime.errors import InputError


def resolved(path: Path) -> Path:
    """Return where a path leads, every link followed; what does not exist yet is as it is named.

    Raises:
        InputError: its links lead to one another.
    """
    # Path.resolve raises RuntimeError at such links up to Python 3.12, and follows them in part from 3.13 on.
    found = Path(os.path.realpath(path))
    if found.is_symlink():
        raise InputError(f"{path} is a link to itself; remove it, or choose another name")
    return found


def refuse_unwritable(target: Path) -> None:
    """Refuse a file or folder that could not be made at ``target``; asked before the work, nothing is left behind.

    Raises:
        InputError: the folder that it would stand in, or the nearest one that exists, cannot be written, or a part of
            its name is too long.
    """
    import tempfile  # noqa: PLC0415 -- with what shutil unpacks and random needs, where a file is written alone

    folder = target.parent
    try:
        _check_name(target.name)
        while not os.path.lexists(folder) and folder != folder.parent:
            _check_name(folder.name)
            folder = folder.parent
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"cannot write {target}: {folder}: {error.strerror}") from error


def _check_name(name: str) -> None:
    """Raise the system's error for a name that no folder can have: one that is too long."""
    with contextlib.suppress(FileNotFoundError):
        os.lstat(name)
