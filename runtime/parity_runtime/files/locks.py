"""Locks on files and folders: the system releases them when their process ends, however it ends.

They are advisory (flock on the file or folder itself, so that nothing is left behind), and hold between all processes
of Parity on one machine.
"""

import contextlib
import errno
import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from parity_runtime.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

_UNSUPPORTED = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # NFS takes no lock on folders
_PAUSE = 0.02  # seconds between two tries
_SHOWN = 150  # characters of a command line
_held: set[int] = set()


class NoLocksError(InputError):
    """The file system cannot say whether another process works on a file or folder."""


@contextlib.contextmanager
def held(path: Path, doing: str, *, shared: bool = False, seconds: float = 0.0, needed: bool = False) -> Iterator[None]:
    """Hold the lock of what stands at ``path`` while the block runs.

    Args:
        path: a file or a folder.
        doing: what a process that holds it does, for the message: ``writing runs/x``.
        shared: others may hold it in the same way.
        seconds: how long another process is waited for.
        needed: a file system without locks is an error; without this the block runs there all the same.

    Raises:
        InputError: another process holds it.
        OSError: nothing is there, or it cannot be opened.
    """
    try:
        descriptor = take(path, doing, shared=shared, seconds=seconds)
    except NoLocksError:
        if needed:
            raise
        yield
        return
    try:
        yield
    finally:
        release(descriptor)


def take(path: Path, doing: str, *, flags: int = os.O_RDONLY, shared: bool = False, seconds: float = 0.0) -> int:
    """Lock what stands at ``path`` and return its descriptor, for `release`.

    Raises:
        InputError: another process holds it; the message names that process.
        NoLocksError: the file system has no locks.
        OSError: nothing is there, it is a link, or it cannot be opened.
    """
    give_up = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            taken = hold(descriptor, shared=shared)
            if taken and is_at(path, descriptor):
                return descriptor
            if taken is None or (not taken and time.monotonic() >= give_up):
                _refuse(path, doing, descriptor, supported=taken is not None)
        except BaseException:
            release(descriptor)
            raise
        release(descriptor)
        if not taken:
            time.sleep(_PAUSE)


def _refuse(path: Path, doing: str, descriptor: int, *, supported: bool) -> NoReturn:
    if supported:
        raise InputError(f"{_holder(descriptor)} is {doing}; wait for it, or stop it")
    raise NoLocksError(
        f"{path} is there: a process is {doing}, or was killed while it did, and this file system has no locks to tell "
        f"which; if there is none, remove it: rm -r {shlex.quote(str(path))}"
    )


def hold(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file or folder if no other process holds it; None where the file system has no locks."""
    _held.add(descriptor)
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def release(descriptor: int) -> None:
    """Give a lock back and close its descriptor; not in a forked child, whose parent still holds it."""
    if descriptor in _held:
        _held.discard(descriptor)
        with contextlib.suppress(OSError, AttributeError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child between fork and exec has a copy of the descriptor
        os.close(descriptor)


def is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file or folder still stands at ``path``: it may have been renamed or removed meanwhile."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _forget() -> None:
    """Close what a forked child inherited: it would keep the locks of a parent that was killed."""
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _holder(descriptor: int) -> str:
    """Return who holds the lock of an open file or folder, as far as the system says."""
    number = _holder_number(os.fstat(descriptor))
    if number is None:
        return "another process"
    if number == os.getpid():
        return "this process itself"
    command = ""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        command = "".join(char if char.isprintable() else " " for char in " ".join(words))
    shown = command if len(command) <= _SHOWN else f"{command[:_SHOWN]}..."
    return f"another process (PID {number}{f': {shown}' if shown else ''})"


def _holder_number(found: os.stat_result) -> int | None:
    """Return the process of a lock in /proc/locks: 1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF."""
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5] == place and int(words[4]) > 0:
                return int(words[4])
    return None
