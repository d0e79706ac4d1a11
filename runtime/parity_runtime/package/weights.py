"""The large tensors of one graph, which are handed to onnxruntime beside it."""

import hashlib
import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import DigestError
from parity_runtime.files.open_file import open_descriptor
from parity_runtime.package.entries import TensorEntry
from parity_runtime.package.external_tensor import ExternalTensor
from parity_runtime.package.weights_file import DTYPES
from parity_runtime.printable import shown

_IN_THREADS = 2**24  # bytes; fewer are hashed before threads have started
_BLOCK = 2**20  # bytes that are copied and hashed while the cache holds them
_MOST_THREADS = 4  # more of them wait for memory, not for a core

Bytes = NDArray[np.uint8]


class Weights:
    """The large tensors of one graph. It pickles, with the tensors in it.

    >>> import numpy as np
    >>> float(Weights.in_memory({"w": np.ones(3)}).arrays()["w"].sum())
    3.0
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        file: "WeightsFile | None" = None,
        tensors: tuple[ExternalTensor, ...] = (),
    ) -> None:
        self._arrays, self._file, self._tensors = dict(arrays), file, tensors

    @classmethod
    def in_memory(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return tensors that are held as they are, by name."""
        return cls(arrays)

    @classmethod
    def in_file(cls, file: "WeightsFile", tensors: tuple[ExternalTensor, ...]) -> Self:
        """Return tensors that are read from a package's file each time they are asked for.

        Args:
            file: holds them.
            tensors: as the graph describes them; the file's entries agree.
        """
        return cls({}, file, tensors)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the tensors by name; what lies in a file is read anew, so that its memory goes with the arrays.

        Raises:
            DigestError: the file does not hold what was packaged.
        """
        if self._file is None:
            return dict(self._arrays)
        data = self._file.read([tensor.name for tensor in self._tensors])
        return {one.name: data[one.name].view(DTYPES[one.dtype]).reshape(one.dims) for one in self._tensors}

    def __getstate__(self) -> dict[str, Any]:
        return {"_arrays": self.arrays(), "_file": None, "_tensors": ()}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # nothing changes it


class WeightsFile:
    """A package's weights.bin, held open: it stays readable where the package is replaced meanwhile.

    Args:
        path: of the file.
        named: its path, as messages name it.
        size: that the manifest says, in bytes.
        entries: what the manifest says of its tensors, by name.

    Raises:
        DigestError: it cannot be read, or has another size.
    """

    def __init__(self, path: Path, named: Path, size: int, entries: Mapping[str, TensorEntry]) -> None:
        self._named, self._size, self._entries = named, size, entries
        try:
            self._descriptor = open_descriptor(path)
        except OSError as error:
            raise DigestError(f"{named} cannot be read: {error.strerror}; copy the whole package again") from error
        weakref.finalize(self, os.close, self._descriptor)
        self._lock = threading.Lock()
        found = os.fstat(self._descriptor).st_size
        if found != size:
            raise DigestError(f"{named} has {found} bytes, and {size} were packaged; copy the package again")

    def read(self, names: Iterable[str]) -> dict[str, Bytes]:
        """Return the bytes of tensors by name, uint8 ``[length]``, as they were packaged.

        They are copied and hashed piece by piece. A mapping would show whatever somebody writes into the file after its
        digest was compared, and end the process where the file is cut short meanwhile.

        Raises:
            DigestError: a digest differs, the file ends too early, or bytes between tensors are not zero.
        """
        self._check_gaps()
        data = {name: np.empty(self._entries[name].length, np.uint8) for name in names}
        largest_first = sorted(data, key=lambda name: -len(data[name]))
        threads = min(_MOST_THREADS, os.cpu_count() or 1, len(data))
        if threads > 1 and sum(map(len, data.values())) >= _IN_THREADS:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(self._read_tensor, largest_first, map(data.get, largest_first)))
        else:
            for name, array in data.items():
                self._read_tensor(name, array)
        return data

    def _check_gaps(self) -> None:
        placed = sorted(self._entries.values(), key=lambda entry: entry.offset)
        for before, entry in pairwise(placed):
            gap = np.empty(entry.offset - before.end, np.uint8)
            self._fill(gap, before.end)
            if gap.any():
                raise DigestError(
                    f"{self._named} holds something else than zeros before byte {entry.offset}; copy the package again"
                )

    def _read_tensor(self, name: str, data: Bytes) -> None:
        entry, sha256 = self._entries[name], hashlib.sha256()
        for start in range(0, len(data), _BLOCK):
            block = data[start : start + _BLOCK]
            self._fill(block, entry.offset + start)
            sha256.update(block.data)
        if sha256.hexdigest() != entry.sha256:
            raise DigestError(
                f"{self._named}: the tensor {shown(name)} is not the one that was packaged (its sha256 differs); "
                "copy the package again"
            )

    def _fill(self, data: Bytes, place: int) -> None:
        done = 0
        while done < len(data):
            count = self._read_at(data.data[done:], place + done)
            if count <= 0:
                raise DigestError(f"{self._named} was changed while it was read; copy the package again")
            done += count

    def _read_at(self, data: memoryview, place: int) -> int:
        """Read some bytes from a place; processes that share the descriptor disturb each other only without preadv."""
        if hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [data], place)
        with self._lock:  # on Windows, where no process is forked
            os.lseek(self._descriptor, place, os.SEEK_SET)
            found = os.read(self._descriptor, len(data))
        data[: len(found)] = found
        return len(found)
