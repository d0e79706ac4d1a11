"""Rows of a text file: their bytes, row by row or as one block."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.line_blocks import count_newlines, line_ends


class TextChunk(Chunk):
    """Some rows of a text file.

    Args:
        rows: their bytes, UTF-8, without line ends and none of them empty: of each row, or as one block with a newline
            between each.
    """

    def __init__(self, rows: bytes | list[bytes]) -> None:
        self._rows = rows
        self._length = len(rows) if isinstance(rows, list) else count_newlines(rows) + bool(rows)

    def __len__(self) -> int:
        return self._length

    @property
    def file_bytes(self) -> int:
        """The bytes of the rows in their file."""
        return len(self.block) + 1

    @cached_property
    def records(self) -> list[bytes]:
        """The bytes of each row."""
        if isinstance(self._rows, list):
            return self._rows
        return self._rows.split(b"\n") if self._rows else []

    @cached_property
    def block(self) -> bytes:
        """The rows' bytes, a newline between each."""
        return b"\n".join(self._rows) if isinstance(self._rows, list) else self._rows

    @property
    def ends(self) -> NDArray[np.integer]:
        """Where each row ends in the block, before the newline."""
        if isinstance(self._rows, list):  # newlines stand within quoted cells as well
            return np.cumsum([len(row) + 1 for row in self._rows]) - 1
        return np.append(line_ends(self._rows), len(self._rows))
