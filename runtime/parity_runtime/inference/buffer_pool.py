"""Small batches through memory that onnxruntime is bound to once, which halves the cost of asking for a row."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy import isfinite
from numpy.typing import NDArray

from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.ready_inputs import FEW
from parity_runtime.tensor_spec import TensorSpec

OutputNames = str | tuple[str, ...]
"""An output's name, or the names of several."""

Refused = Callable[[Arrays, Exception], Exception]
"""Makes what onnxruntime raised for inputs an error of ours."""

_MOST_BYTES = 2**16  # of an input or of one output; up to here copying is cheaper than handing over another array
_MOST_SPARE = 8  # buffers of one shape; more than that many threads at once make some anew
_MOST_SHAPES = 64  # a service that takes sequences of every length must not keep buffers for each


class _Together:
    """Several outputs' arrays, copied as one is."""

    def __init__(self, arrays: Iterable[NDArray[Any]]) -> None:
        self._arrays = tuple(arrays)

    def copy(self) -> list[NDArray[Any]]:
        return [array.copy() for array in self._arrays]


class Buffers:
    """One input and one output, or several, of fixed shapes, bound to a session; used by one thread at a time."""

    __slots__ = ("binding", "cells", "finite", "output", "rows")

    def __init__(self, session: Any, rows: tuple[str, NDArray[Any]], outputs: Arrays) -> None:
        self.rows = rows[1]
        self.output = _Together(outputs.values()) if len(outputs) > 1 else next(iter(outputs.values()))
        self.cells = self.rows.reshape(-1) if self.rows.size <= FEW else None
        self.finite = np.empty(self.rows.shape, bool)
        self.binding = session.io_binding()
        bind(self.binding.bind_input, *rows)
        for name, array in outputs.items():
            bind(self.binding.bind_output, name, array)


class BufferPool:
    """Bound buffers of one session, by outputs and shape; any number of threads may run at once."""

    def __init__(self, session: Any, source: TensorSpec, refused: Refused) -> None:
        self._run = session.run_with_iobinding
        self._session = session
        self._source = source
        self._refused = refused
        self._free: dict[tuple[OutputNames, tuple[int, ...]], deque[Buffers]] = {}

    def run_cached(self, names: OutputNames, rows: NDArray[Any]) -> Any:
        """Return an output for rows like those of an earlier `run`, or None where these must be looked at first.

        Args:
            names: an output's name; or several names, whose outputs come in a list.
            rows: of the input's dtype; None is returned for a shape without free buffers, and for NaN or infinity.
        """
        free = self._free.get((names, rows.shape))
        if not free:
            return None
        try:
            buffers = free.pop()  # whoever pops them owns them
        except IndexError:
            return None
        buffers.rows[...] = rows
        if buffers.cells is not None:
            total = sum(buffers.cells.tolist())
            finite = total - total == 0.0  # what is not finite has no difference of 0
        else:
            finite = 0 not in isfinite(buffers.rows, buffers.finite).tobytes()
        if finite:
            return self._copied(buffers, free)
        free.append(buffers)
        return None

    def comes_again(self, rows: NDArray[Any], outputs: Arrays) -> bool:
        """Whether rows of this shape came before; for the first time `run` would take several times as long.

        Never of large arrays, nor of ever other shapes.
        """
        key = _output_names(outputs), rows.shape
        if key in self._free:
            return True
        if len(self._free) < _MOST_SHAPES and max(array.nbytes for array in (rows, *outputs.values())) <= _MOST_BYTES:
            self._free.setdefault(key, deque(maxlen=_MOST_SPARE))  # of more that come back the oldest is let go
        return False

    def run(self, rows: NDArray[Any], outputs: Arrays) -> list[NDArray[Any]]:
        """Return outputs, and keep the buffers for the next run of this shape.

        Args:
            rows: checked, of the input's dtype and of a shape that `comes_again`.
            outputs: by the outputs' names arrays of their shapes and dtypes, which new buffers keep.
        """
        free = self._free[_output_names(outputs), rows.shape]
        try:
            buffers = free.pop()
        except IndexError:
            buffers = Buffers(self._session, (self._source.name, np.empty_like(rows)), outputs)
        buffers.rows[...] = rows
        output = self._copied(buffers, free)
        return output if len(outputs) > 1 else [output]

    def _copied(self, buffers: Buffers, free: deque[Buffers]) -> Any:
        try:
            self._run(buffers.binding)
        except Exception as error:  # onnxruntime's exceptions derive from Exception directly
            raise self._refused({self._source.name: buffers.rows}, error) from error
        output = buffers.output.copy()
        free.append(buffers)
        return output


def _output_names(outputs: Arrays) -> OutputNames:
    return next(iter(outputs)) if len(outputs) == 1 else tuple(outputs)


def bind(method: Any, name: str, array: NDArray[Any]) -> None:
    """Bind a C-contiguous array's memory with ``IOBinding.bind_input`` or ``bind_output``; keep it alive meanwhile."""
    method(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
