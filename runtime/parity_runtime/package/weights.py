"""The large tensors of one graph, which are handed to onnxruntime beside it."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

from numpy.typing import NDArray


class Weights:
    """The large tensors of one graph. It pickles, with the tensors in it.

    >>> import numpy as np
    >>> with Weights.in_memory({"w": np.ones(3)}).arrays() as arrays:
    ...     arrays["w"].sum()
    np.float64(3.0)
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = dict(arrays)

    @classmethod
    def in_memory(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return tensors that are held as they are, by name."""
        return cls(arrays)

    @contextlib.contextmanager
    def arrays(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Give the tensors by name, their digests checked; their memory may be gone when the block ends."""
        yield dict(self._arrays)
