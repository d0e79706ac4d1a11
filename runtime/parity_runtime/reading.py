"""Bytes of a file that somebody else wrote: a regular file, of a size that is known before memory is taken."""

import os
import stat
from pathlib import Path


def read_regular(path: Path, limit: int) -> bytes:
    """Return a file's bytes; of one that is larger than ``limit``, no more than shows that it is.

    Raises:
        OSError: it cannot be read, or is no regular file (a pipe would be waited for, a device never ends).
    """
    # Without O_NONBLOCK the opening of a pipe waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no regular file")
        return file.read(min(status.st_size, limit) + 1)
