"""Files that are complete or absent, also after kill -9 or a full disk."""

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from parity_runtime.errors import InputError
from parity_runtime.files.locks import hold, is_at, release, take
from parity_runtime.files.paths import resolved

_LONGEST_NAME = 255  # bytes, of nearly every file system
_TRIES = 100


@contextlib.contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file that appears under ``path`` only when the block ends without an error.

    A file beside the target, ``.NAME.partial``, is written, fsynced and renamed over it; then the folder is fsynced.
    What a killed process left there is removed. A symbolic link is followed; a pipe or a device is written to as it is.

    Args:
        path: the file.
        durable: bring it to the disk before it has its name. Without this it is whole after a kill, and after a loss of
            power it may be anything: for what the next job can make anew.

    Raises:
        InputError: the folder does not exist, the disk is full, or another process is writing the same file.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with explained(path), path.open("wb") as stream:
            yield stream
        return
    path = resolved(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder")
    with explained(path):
        partial = beside(path, ".", ".partial")
        descriptor = _new_file(partial, path)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            # Until here nobody else can read what is not finished.
            os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
            partial.replace(path)
            if durable:
                fsync_folder(path.parent)
        except BaseException:
            if is_at(partial, descriptor):
                partial.unlink()
            raise
        finally:
            release(descriptor)


def write_file(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, complete or not at all."""
    with atomic_write(path) as file:
        file.write(data)


def _new_file(partial: Path, path: Path) -> int:
    """Make and lock a file that nobody else writes; a link or a file that stands there is never written through."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):  # its process has just renamed it
            _clear_leftover(partial, path)
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        # Another process may have taken it for a leftover before it was locked.
        if hold(descriptor) is not False and is_at(partial, descriptor):
            return descriptor
        release(descriptor)
        time.sleep(0.01)
    raise InputError(f"cannot write {path}: other processes are writing it all the time; stop them")


def _clear_leftover(partial: Path, path: Path) -> None:
    if partial.is_symlink():  # nothing of ours; the link goes, not what it leads to
        partial.unlink()
        return
    descriptor = take(partial, f"writing {path}", flags=os.O_RDWR)
    try:
        partial.unlink()
    finally:
        release(descriptor)


def beside(path: Path, before: str, after: str) -> Path:
    """Return a name in the folder of ``path`` for what belongs to it: its own name with something before and after.

    A name that would be too long for a file system keeps its beginning, and a digest in place of the rest.
    """
    name = f"{before}{path.name}{after}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
        room = _LONGEST_NAME - len(os.fsencode(f"{before}~{digest}{after}"))
        start = os.fsencode(path.name)[:room].decode(errors="ignore")
        name = f"{before}{start}~{digest}{after}"
    return path.with_name(name)


def fsync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
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
def explained(path: Path) -> Iterator[None]:
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
        found = os.fsdecode(error.filename)
        where = "" if found == str(path) else f" ({found})"
        raise InputError(f"cannot write {path}{where}: {error.strerror}") from error
