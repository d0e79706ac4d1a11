"""A folder that ``parity deploy`` writes, and replaces only where nothing of anybody else's would be lost."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from parity_runtime.errors import InputError
from parity_runtime.files.json_file import FORMAT, dump_json, read_json
from parity_runtime.files.staged_folder import refuse_existing, staged_folder
from parity_runtime.printable import shown

RECORD = "deployment.json"
"""What was written: the target, and the sha256 of every other file by its path."""

Target = Literal["triton", "kserve", "docker"]


def header(target: Target) -> str:
    """Return the first line of a configuration, a comment in every language that it is written in.

    >>> print(header("triton"), end="")
    # Written by parity deploy triton
    """
    return f"# Written by parity deploy {target}\n"


def check_folder(folder: Path, target: Target, *, replace: bool) -> None:
    """Raise `InputError` where `written_folder` would: before anything is computed for it."""
    refuse_existing(folder, replace=replace, check=lambda found: _refuse_lost_files(found, target))


@contextlib.contextmanager
def written_folder(folder: Path, target: Target, *, replace: bool) -> Iterator[Path]:
    """Give a folder to fill, which takes its name when it is whole.

    Args:
        folder: where it will stand.
        target: whose command writes it.
        replace: replace one that stands there, if it was written by the same command and is as it was.

    Raises:
        InputError: it exists and may not be replaced.
    """
    with staged_folder(folder, replace=replace, check=lambda found: _refuse_lost_files(found, target)) as staging:
        yield staging
        files = {name: _digest(path) for name, path in _files(staging)}
        (staging / RECORD).write_bytes(dump_json({"format": FORMAT, "target": target, "files": files}))


def _refuse_lost_files(folder: Path, target: Target) -> None:
    record = read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    written = record.get("files")
    if record.get("target") != target or not isinstance(written, dict):
        raise InputError(
            f"{folder} is not empty and was not written by parity deploy {target}; it is not replaced, "
            "choose another name"
        )
    for name, path in _files(folder):
        if path.is_symlink() or name not in written or written[name] != _digest(path):
            raise InputError(
                f"{folder} holds {shown(name)[1:-1]}, which parity deploy {target} did not write or which was changed, "
                "and which would be lost; move it away first"
            )


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return every file but the record, with its path in the folder, sorted."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return sorted(
        (name, path) for name, path in found.items() if name != RECORD and (path.is_symlink() or not path.is_dir())
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
