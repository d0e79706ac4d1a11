"""The large tensors of one graph, which are handed to onnxruntime beside it."""

import contextlib
import hashlib
import mmap
import os
import weakref
from collections.abc import Iterator, Mapping
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
_MOST_THREADS = 4  # more of them wait for memory, not for a core

Bytes = NDArray[np.uint8]


class Weights:
    """The large tensors of one graph. It pickles, with the tensors in it.

    >>> import numpy as np
    >>> with Weights.in_memory({"w": np.ones(3)}).arrays() as arrays:
    ...     float(arrays["w"].sum())
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

    @contextlib.contextmanager
    def arrays(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Give the tensors by name, read-only where they lie in a file; use them within the block alone.

        Raises:
            DigestError: the file does not hold what was packaged, or changes before the block ends.
        """
        if self._file is None:
            yield dict(self._arrays)
            return
        with self._file.mapped(tensor.name for tensor in self._tensors) as data:
            yield {one.name: data[one.name].view(DTYPES[one.dtype]).reshape(one.dims) for one in self._tensors}

    def __getstate__(self) -> dict[str, Any]:
        with self.arrays() as arrays:
            copies = self._arrays if self._file is None else {name: array.copy() for name, array in arrays.items()}
        return {"_arrays": copies, "_file": None, "_tensors": ()}

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
        found = os.fstat(self._descriptor).st_size
        if found != size:
            raise DigestError(f"{named} has {found} bytes, and {size} were packaged; copy the package again")

    @contextlib.contextmanager
    def mapped(self, names: Iterator[str]) -> Iterator[dict[str, Bytes]]:
        """Give the bytes of tensors by name, uint8 ``[length]``, checked; their memory goes with the last of them.

        Raises:
            DigestError: a digest differs, bytes between tensors are not zero, or the file changes within the block.
        """
        before = self._state()
        whole = np.frombuffer(mmap.mmap(self._descriptor, self._size, access=mmap.ACCESS_READ), np.uint8)
        data = {name: whole[self._entries[name].offset : self._entries[name].end] for name in names}
        self._check_gaps(whole)
        self._check_digests(data)
        yield data
        if self._state() != before:
            raise DigestError(f"{self._named} was changed while it was read; copy the package again")

    def _state(self) -> tuple[int, int, int]:
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _check_gaps(self, whole: Bytes) -> None:
        placed = sorted(self._entries.values(), key=lambda entry: entry.offset)
        for before, entry in pairwise(placed):
            if whole[before.end : entry.offset].any():
                raise DigestError(
                    f"{self._named} holds something else than zeros before byte {entry.offset}; copy the package again"
                )

    def _check_digests(self, data: Mapping[str, Bytes]) -> None:
        threads = min(_MOST_THREADS, os.cpu_count() or 1, len(data))
        largest_first = sorted(data, key=lambda name: -len(data[name]))
        digests: dict[str, str] = {}
        if threads > 1 and sum(map(len, data.values())) >= _IN_THREADS:
            with ThreadPoolExecutor(threads) as pool:
                digests = dict(zip(largest_first, pool.map(_digest, map(data.get, largest_first)), strict=True))
        for name in data:
            if (digests.get(name) or _digest(data[name])) != self._entries[name].sha256:
                raise DigestError(
                    f"{self._named}: the tensor {shown(name)} is not the one that was packaged (its sha256 differs); "
                    "copy the package again"
                )


def _digest(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()
