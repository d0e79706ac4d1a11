"""Files and folders that are complete or absent, also after kill -9 or a full disk."""

import contextlib
import ctypes
import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from parity_runtime.errors import InputError
from parity_runtime.paths import resolved

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h; both names exist before and after, so no moment has neither.


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under ``path`` only when the block ends without an error.

    A temporary file beside the target is written, fsynced and renamed over it; then the folder is fsynced. A
    symbolic link is followed; a pipe or a device is written to as it is.

    Raises:
        InputError: the folder does not exist, or the disk is full.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with _explained(path), path.open("wb") as stream:
            yield stream
        return
    path = resolved(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder")
    with _explained(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # mkstemp's 0600 would hide it from other users.
            os.chmod(name, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())  # noqa: PTH101
            os.replace(name, path)  # noqa: PTH105
            _fsync_folder(path.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_file(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, complete or not at all."""
    with atomic_write(path) as file:
        file.write(data)


@contextlib.contextmanager
def staged_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a folder to fill; it takes the name ``target`` in one step when the block ends without an error.

    Args:
        target: where the folder will stand. Its parents are made.
        replace: exchange an existing target for the staged folder; the old one is removed afterwards.

    Raises:
        InputError: the target exists and ``replace`` is false, or the disk is full.
    """
    refuse_existing(target, replace=replace)
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            staging.chmod(0o777 & ~_umask())
            yield staging
            _fsync_tree(staging)
            _exchange(staging, target, replace=replace)
            _fsync_folder(target.parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def refuse_existing(target: Path, *, replace: bool) -> None:
    """Raise `InputError` if ``target`` exists, unless it is a folder that may be replaced."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"{target} exists and is not a folder; choose another name")
    blocking = next((parent for parent in target.parents if parent.exists() and not parent.is_dir()), None)
    if blocking is not None:
        raise InputError(f"{target} cannot be made: {blocking} is a file")
    if target.exists() and not replace:
        raise InputError(f"{target} exists; choose another name, or replace it with --force")


def _exchange(staging: Path, target: Path, *, replace: bool) -> None:
    if not replace or not target.exists():
        staging.rename(target)
    elif not _rename_exchange(staging, target):
        # A system without an atomic exchange: for the moment between the renames the target has no name,
        # and the old folder survives beside it.
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
        target.rename(aside / "old")
        staging.rename(target)
        shutil.rmtree(aside)


def _rename_exchange(first: Path, second: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _fsync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _fsync_folder(path)
    _fsync_folder(folder)


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an operating system's error into one sentence that names the target and the way out."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(
                f"the disk is full (or a limit is reached): no room to write {path}; nothing was changed there"
            ) from error
        if error.filename is None:
            raise
        raise InputError(f"cannot write {path}: {error.strerror}") from error
