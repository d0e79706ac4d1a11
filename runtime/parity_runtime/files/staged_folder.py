"""Folders that take their name in one step when they are whole: at any moment the old one stands there, or the new."""

import contextlib
import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.files.atomic_write import beside, explained, fsync_folder
from parity_runtime.files.locks import NoLocksError, held, is_at, release, take

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h; both names exist before and after, so no moment has neither.
_PATIENCE = 30.0  # seconds for a process that reads the folder that is to be replaced

Check = Callable[[Path], None]


@contextlib.contextmanager
def staged_folder(target: Path, *, replace: bool = False, check: Check = lambda _: None) -> Iterator[Path]:
    """Give a folder to fill; it takes the name ``target`` in one step when the block ends without an error.

    It is filled as ``.NAME.partial`` beside the target, locked; what a killed process left there is removed.

    Args:
        target: where the folder will stand. Its parents are made.
        replace: exchange an existing target for the staged folder; the old one is removed afterwards.
        check: raises `InputError` if an existing target must not be removed; asked before the block and after it.

    Raises:
        InputError: the target exists and ``replace`` is false, another process is writing it, or the disk is full.
    """
    refuse_existing(target, replace=replace, check=check)
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = beside(target, ".", ".partial")
        with owned_folder(staging, f"writing {target}") as still_there:
            try:
                recover(target)
                refuse_existing(target, replace=replace, check=check)
                empty(staging)
                yield staging
                publish(staging, target, replace=replace, check=check)
            except BaseException:
                if still_there():
                    remove(staging)
                raise


@contextlib.contextmanager
def owned_folder(folder: Path, doing: str) -> Iterator[Callable[[], bool]]:
    """Make a folder where none is, lock it, and give a function that says whether it still has its name.

    Raises:
        InputError: another process holds it, or may hold it where the file system has no locks.
    """
    descriptor, made = None, False
    while descriptor is None:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            made = True
        try:
            descriptor = take(folder, doing, flags=os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # its process has just given it its name, or removed it
            continue
        except NoLocksError:
            if not made:  # to have made it is the lock
                raise
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield lambda: is_at(folder, descriptor)
    finally:
        release(descriptor)


def publish(staging: Path, target: Path, *, replace: bool, check: Check) -> None:
    """Give a filled folder, whose lock is held, its name in one step; the folder that had the name is removed.

    A folder is removed under the name that the next command clears: a kill may leave a part of it.

    Raises:
        InputError: the target exists and may not be replaced, or another process does not finish reading it.
    """
    _fsync_tree(staging)
    refuse_existing(target, replace=replace, check=check)
    if not target.exists():
        staging.rename(target)
        fsync_folder(target.parent)
        return
    # Readers hold the old folder's lock, and so does this process while it is removed under the staging name.
    with held(target, f"reading {target}", seconds=_PATIENCE):
        old = target.stat()
        try:
            exchange(staging, target)
            fsync_folder(target.parent)
        finally:
            if _is_folder(staging, old):  # also where a signal came in the midst
                throw_away(staging, target)


def _is_folder(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), found)
    except FileNotFoundError:
        return False


def refuse_existing(target: Path, *, replace: bool, check: Check = lambda _: None) -> None:
    """Raise `InputError` if ``target`` exists, unless it is a folder that may be replaced."""
    if target.name in ("", ".."):
        raise InputError(f"{target} is not a name for a folder to make; write the name out")
    if target.is_symlink():
        raise InputError(f"{target} is a link; give the name of the folder itself")
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} exists and is not a folder; choose another name")
    blocking = next((parent for parent in target.parents if parent.exists() and not parent.is_dir()), None)
    if blocking is not None:
        raise InputError(f"{target} cannot be made: {blocking} is a file")
    if target.exists() and any(target.iterdir()):
        check(target)  # first: nobody is told of a way out that ends here
    if target.exists() and not replace:
        raise InputError(
            f"{target} exists; choose another name, or let it be replaced with "
            + argument("replace", True, option="--force")
        )


def exchange(first: Path, second: Path) -> None:
    """Exchange the names of two files or folders of one kind, in one step where the system can."""
    sys.audit("parity.exchange", str(first), str(second))
    if not _rename_exchange(first, second):
        # A system without an atomic exchange: for the moment between the renames the second name is free;
        # the next run of the command that was killed then puts the old one back.
        aside = beside(second, ".", ".old")
        second.rename(aside)
        first.rename(second)
        aside.rename(first)
    sys.audit("parity.exchanged", str(first), str(second))


def recover(target: Path) -> None:
    """Put back what a process that was killed within `exchange` had set aside; the staging folder's lock is held."""
    aside = beside(target, ".", ".old")
    if aside.is_dir():
        if target.exists():
            remove(aside)
        else:
            aside.rename(target)


def _rename_exchange(first: Path, second: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    names = os.fsencode(first), os.fsencode(second)
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(second))


def throw_away(folder: Path, target: Path) -> None:
    """Remove a folder, whose lock is held, that ``target`` no longer needs: out of sight at once, then file by file."""
    aside = beside(target, ".", ".partial")
    with contextlib.suppress(OSError):
        folder.rename(aside)
        folder = aside
    remove(folder)


def clear_leftover(target: Path) -> None:
    """Remove what a killed process was writing, or removing, for ``target``.

    Raises:
        InputError: that process lives.
    """
    leftover = beside(target, ".", ".partial")
    with contextlib.suppress(FileNotFoundError), held(leftover, f"writing {target}", needed=True):
        remove(leftover)


def empty(folder: Path) -> None:
    """Remove what stands in a folder."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def remove(folder: Path) -> None:
    """Remove a folder as far as that is possible, also when a signal comes meanwhile."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _fsync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            fsync_folder(path)
    fsync_folder(folder)
