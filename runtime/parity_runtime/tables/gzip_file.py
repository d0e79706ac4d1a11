"""Compressed files of text, decompressed as they are read."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from parity_runtime.errors import InputError, first_line

_BUFFER = 2**16  # bytes that are decompressed at once


@contextmanager
def decompressed(file: BinaryIO, where: str) -> Iterator[BinaryIO]:
    """Decompress a file as it is read, some thousand bytes at a time; close it at the end.

    Raises:
        InputError: within the block: it is no gzip file, cut off or damaged.
    """
    try:
        with file, gzip.GzipFile(fileobj=file) as plain, io.BufferedReader(plain, _BUFFER) as lines:
            yield lines
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        way_out = "the file is cut off or damaged, or not a gzip file: make it again"
        raise InputError(f"{where} cannot be decompressed ({first_line(error)}); {way_out}") from error
