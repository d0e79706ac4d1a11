"""weights.bin: the large tensors of a package's graphs, one after another, each at a multiple of 4096 bytes."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.package.entries import WEIGHTS, FileEntry, TensorEntry, next_offset

__all__ = ["DTYPES", "SMALLEST", "WEIGHTS", "WeightsWriter", "may_lie_outside"]

SMALLEST = 4096
"""Bytes of a tensor from which on it may lie in weights.bin; a smaller one stays in the graph."""

DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    4: np.dtype("<u2"),
    5: np.dtype("<i2"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
    12: np.dtype("<u4"),
    13: np.dtype("<u8"),
}
"""By ``TensorProto.data_type``: what may lie in weights.bin. Text, and types that numpy has not, stay in the graph."""

_SHAPES = frozenset((np.dtype("<i4"), np.dtype("<i8")))  # of shapes, axes, splits

_BLOCK = 2**20  # bytes that are hashed twice and written while the cache holds them


def may_lie_outside(dtype: np.dtype[Any], dims: Sequence[int]) -> bool:
    """Whether a tensor may be handed to onnxruntime beside its graph.

    One row of integers may be the shape that another tensor gets, or the sizes of its parts: onnxruntime reads such a
    tensor before it is handed any.

    >>> may_lie_outside(np.dtype("f4"), [32, 32]), may_lie_outside(np.dtype("i8"), [600])
    (True, False)
    """
    large = math.prod(dims) * dtype.itemsize >= SMALLEST
    return large and dtype in DTYPES.values() and not (len(dims) == 1 and dtype in _SHAPES)


class WeightsWriter:
    """Writes weights.bin tensor by tensor, and hashes what it writes.

    >>> import tempfile, numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> with WeightsWriter(folder / WEIGHTS) as writer:
    ...     places = [writer.add(name, np.ones(1025, np.float32)) for name in ("w", "v")]
    ...     entry, tensors = writer.close()
    >>> places, entry.size, tensors["v"].offset
    ([(0, 4100), (8192, 4100)], 12292, 8192)

    Args:
        path: of the file, which must not exist.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._sha256 = hashlib.sha256()
        self._end = 0
        self._tensors: dict[str, TensorEntry] = {}

    def add(self, name: str, array: NDArray[Any]) -> tuple[int, int]:
        """Write a tensor's bytes, little-endian and row by row; return its offset and its length in bytes.

        Args:
            name: of the tensor, not used before.
            array: of one of `DTYPES`, with one element at least.

        Raises:
            ValueError: the name was used before, or the array cannot lie in the file.
            OSError: the disk is full, or cannot be written.
        """
        little = array.dtype.newbyteorder("<")
        if name in self._tensors or not array.size or little not in DTYPES.values():
            raise ValueError(f"{name} ({array.dtype}{list(array.shape)}) cannot be written into {WEIGHTS}")
        offset = next_offset(self._end)
        self._write(memoryview(bytes(offset - self._end)))
        data = np.ascontiguousarray(array, little).reshape(-1).view(np.uint8).data
        sha256 = hashlib.sha256()
        for start in range(0, len(data), _BLOCK):
            block = data[start : start + _BLOCK]
            sha256.update(block)
            self._write(block)
        self._tensors[name] = TensorEntry(offset, len(data), sha256.hexdigest())
        return offset, len(data)

    def close(self) -> tuple[FileEntry, dict[str, TensorEntry]]:
        """Close the file; return what the manifest says of it and of its tensors, by name.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        self._file.close()
        return FileEntry(self._sha256.hexdigest(), self._end), dict(self._tensors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, data: memoryview) -> None:
        self._file.write(data)
        self._sha256.update(data)
        self._end += len(data)
