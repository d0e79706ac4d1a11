"""Files that somebody else wrote: regular ones, of a size that is known before memory is taken; tables may be pipes."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


def read_regular(path: Path, limit: int) -> bytes:
    """Return a file's bytes; of one that is larger than ``limit``, no more than shows that it is.

    Raises:
        OSError: it cannot be read, or is no regular file (a pipe would be waited for, a device never ends).
    """
    with open_regular(path) as file:
        return file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises:
        OSError: it cannot be read, or is no regular file (a pipe would be waited for, a device never ends).
    """
    return open(open_descriptor(path), "rb")


def open_descriptor(path: Path) -> int:
    """Open a file for reading; the caller closes its descriptor.

    Raises:
        OSError: as `open_regular`.
    """
    flags = ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
    # Without O_NONBLOCK the opening of a pipe waits for a writer.
    descriptor = os.open(path, sum((getattr(os, flag, 0) for flag in flags), os.O_RDONLY))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is not a regular file")
    return descriptor


def open_stream(path: Path) -> BinaryIO:
    """Open a file, a pipe or a terminal for reading.

    Raises:
        OSError: it cannot be read, or is a device, which never ends.
    """
    file = path.open("rb")
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not file.isatty()):
        file.close()
        raise OSError(0, "it is a device")
    return file
