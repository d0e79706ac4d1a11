"""Records of fixed size in a file without a name: it is gone when the process ends, however it ends."""

import errno
import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError


class RecordFile:
    """An array on a disk that grows at its end and is read in pieces.

    >>> import numpy as np
    >>> from parity_training.data.record_file import RecordFile
    >>> file = RecordFile(np.dtype([("data", "<f4", (2,)), ("target", "<i8")]))
    >>> file.append(np.zeros(3, file.dtype))
    >>> len(file), file.read(1, 3)["data"].shape
    (3, (2, 2))

    Args:
        dtype: of a record.
        folder: where the file lies; None for the system's folder of temporary files (``TMPDIR``).
    """

    def __init__(self, dtype: np.dtype[Any], folder: Path | None = None) -> None:
        self.dtype, self._folder, self._rows = dtype, folder or Path(tempfile.gettempdir()), 0
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 -- see the next line
            self._finalizer = weakref.finalize(self, self._file.close)
        except OSError as error:
            raise InputError(f"rows cannot be kept in {self._folder}: {error.strerror}") from error

    def __len__(self) -> int:
        return self._rows

    def append(self, records: NDArray[Any]) -> None:
        """Write records behind the others.

        Raises:
            InputError: the disk is full.
        """
        view = np.ascontiguousarray(records).view(np.uint8).data if len(records) else memoryview(b"")
        try:
            while len(view):
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._explained(error) from error
        self._rows += len(records)

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Return the records from ``first`` to the one before ``last``, ``[records]``; fewer at the end."""
        found = np.empty(max(min(last, self._rows) - first, 0), self.dtype)
        self.read_into(found, first)
        return found

    def read_into(self, records: NDArray[Any], first: int) -> None:
        """Fill an array with the records from ``first`` on."""
        view = records.view(np.uint8).data if len(records) else memoryview(b"")
        place = first * self.dtype.itemsize
        while len(view):
            taken = os.preadv(self._file.fileno(), [view], place)
            if not taken:
                raise OSError(errno.EIO, "rows that were kept cannot be read again", str(self._folder))
            view, place = view[taken:], place + taken

    def close(self) -> None:
        """Give the disk's space back."""
        self._finalizer()

    def _explained(self, error: OSError) -> InputError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            written = self._rows * self.dtype.itemsize / 1e9
            return InputError(
                f"the disk of {self._folder} is full: {written:.1f} GB of rows were written; set TMPDIR to a folder "
                "with more room"
            )
        return InputError(f"rows cannot be kept in {self._folder}: {error.strerror}")
