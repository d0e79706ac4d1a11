"""Where processes that an engine starts write what they say to nobody in particular."""

import contextlib
import os
from collections.abc import Iterator
from typing import IO


@contextlib.contextmanager
def stderr_into(log: IO[bytes]) -> Iterator[None]:
    """Have processes that start in the block write their stderr to a file for as long as they live."""
    try:
        before = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
