"""The large tensors of one graph, which are handed to onnxruntime beside it."""

import hashlib
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.available_cores import available_cores
from parity_runtime.errors import DigestError
from parity_runtime.files.open_file import open_descriptor
from parity_runtime.package.entries import TensorEntry
from parity_runtime.package.external_tensor import ExternalTensor
from parity_runtime.package.weights_file import DTYPES
from parity_runtime.printable import shown

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_IN_THREADS = 2**24  # bytes; fewer are hashed before threads have started
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
        with self.while_checked() as arrays:
            return arrays

    @contextmanager
    def while_checked(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Hand out the tensors by name, and compare their digests meanwhile.

        A session is made of a GB as fast as its digests are computed, so both go on side by side; it must not be used
        before the block is left. Integers, which may be the places of other elements, are compared beforehand.

        Raises:
            DigestError: the file does not hold what was packaged, whatever the block raised of it.
        """
        if self._file is None:
            yield dict(self._arrays)
            return
        data = self._file.read([tensor.name for tensor in self._tensors])
        floats = {one.name for one in self._tensors if DTYPES[one.dtype].kind == "f"}
        self._file.check({name: array for name, array in data.items() if name not in floats})
        with _pool(1) as pool:
            checked = pool.submit(self._file.check, {name: data[name] for name in floats})
            try:
                yield {one.name: data[one.name].view(DTYPES[one.dtype]).reshape(one.dims) for one in self._tensors}
            finally:
                checked.result()

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
        """Return the bytes of tensors by name, uint8 ``[length]``, to be used once `check` has compared them.

        They are copied. A mapping would show whatever somebody writes into the file after its digest was compared, and
        end the process where the file is cut short meanwhile.

        Raises:
            DigestError: the file ends too early, or bytes between tensors are not zero.
        """
        self._check_gaps()
        data = {name: np.empty(self._entries[name].length, np.uint8) for name in names}
        _each(data, lambda name, array: self._fill(array, self._entries[name].offset))
        return data

    def check(self, data: Mapping[str, Bytes]) -> None:
        """Compare what `read` returned with the manifest's digests.

        Raises:
            DigestError: a digest differs.
        """
        _each(data, self._check_tensor)

    def _check_gaps(self) -> None:
        placed = sorted(self._entries.values(), key=lambda entry: entry.offset)
        for before, entry in pairwise(placed):
            gap = np.empty(entry.offset - before.end, np.uint8)
            self._fill(gap, before.end)
            if gap.any():
                raise DigestError(
                    f"{self._named} holds something other than zeros before byte {entry.offset}; copy the package again"
                )

    def _check_tensor(self, name: str, data: Bytes) -> None:
        if hashlib.sha256(data.data).hexdigest() != self._entries[name].sha256:
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


def _each(data: Mapping[str, Bytes], do: Callable[[str, Bytes], None]) -> None:
    """Do something to each tensor, of many bytes in threads, the largest first."""
    largest_first = sorted(data, key=lambda name: -len(data[name]))
    threads = min(_MOST_THREADS, available_cores(), len(data))
    if threads > 1 and sum(map(len, data.values())) >= _IN_THREADS:
        with _pool(threads) as pool:
            list(pool.map(do, largest_first, map(data.get, largest_first)))
    else:
        for name, array in data.items():
            do(name, array)


def _pool(threads: int) -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- with its logging, for large weights alone

    return ThreadPoolExecutor(threads)
