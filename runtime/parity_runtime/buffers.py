"""Small batches through memory that onnxruntime is bound to once, which halves the cost of asking for a row."""

from typing import Any

import numpy as np
from numpy import isfinite
from numpy.typing import NDArray

from parity_runtime.errors import InputError, first_line
from parity_runtime.tensor_spec import TensorSpec

_MOST_BYTES = 2**16  # of an input or an output; up to here copying is cheaper than handing over another array
_MOST_SPARE = 8  # buffers of one shape; more than that many threads at once make some anew
_MOST_SHAPES = 64  # a service that is asked for sequences of every length must not keep buffers for each


class Buffers:
    """One input and one output of fixed shapes, bound to a session; used by one thread at a time."""

    __slots__ = ("answer", "binding", "finite", "rows")

    def __init__(self, session: Any, rows: tuple[str, NDArray[Any]], answer: tuple[str, NDArray[Any]]) -> None:
        self.rows, self.answer = rows[1], answer[1]
        self.finite = np.empty(self.rows.shape, bool)
        self.binding = session.io_binding()
        bind(self.binding.bind_input, *rows)
        bind(self.binding.bind_output, *answer)


class BufferPool:
    """Bound buffers of one session, by output and shape; any number of threads may ask at once."""

    def __init__(self, session: Any, source: TensorSpec) -> None:
        self._run = session.run_with_iobinding
        self._session = session
        self._source = source
        self._free: dict[tuple[str, tuple[int, ...]], list[Buffers]] = {}

    def again(self, output: str, rows: NDArray[Any]) -> NDArray[Any] | None:
        """Return an output for rows like those of an earlier `ask`, or None where these must be looked at first.

        Args:
            output: its name.
            rows: of the input's dtype; None is returned for a shape without free buffers, and for NaN or infinity.
        """
        free = self._free.get((output, rows.shape))
        if not free:
            return None
        try:
            buffers = free.pop()  # whoever pops them owns them
        except IndexError:
            return None
        buffers.rows[...] = rows
        if 0 in isfinite(rows, buffers.finite).tobytes():
            free.append(buffers)
            return None
        return self._answer(buffers, free)

    def takes(self, output: str, rows: NDArray[Any], answer_bytes: int) -> bool:
        """Whether both are small, and not of ever other shapes."""
        small = max(rows.nbytes, answer_bytes) <= _MOST_BYTES
        return small and (len(self._free) < _MOST_SHAPES or (output, rows.shape) in self._free)

    def ask(self, output: str, rows: NDArray[Any], answer: NDArray[Any]) -> NDArray[Any]:
        """Return an output, and keep the buffers for the next question of this shape.

        Args:
            output: its name.
            rows: checked, of the input's dtype.
            answer: an array of the output's shape and dtype, which new buffers keep.
        """
        free = self._free.setdefault((output, rows.shape), [])
        try:
            buffers = free.pop()
        except IndexError:
            buffers = Buffers(self._session, (self._source.name, np.empty_like(rows)), (output, answer))
        buffers.rows[...] = rows
        return self._answer(buffers, free)

    def _answer(self, buffers: Buffers, free: list[Buffers]) -> NDArray[Any]:
        try:
            self._run(buffers.binding)
        except Exception as error:  # onnxruntime's exceptions derive from Exception directly
            raise refused(error) from error
        answer = buffers.answer.copy()
        if len(free) < _MOST_SPARE:
            free.append(buffers)
        return answer


def refused(error: Exception) -> InputError:
    """Return our error for what onnxruntime raised when it ran."""
    return InputError(f"onnxruntime cannot answer these inputs: {first_line(error)}")


def bind(method: Any, name: str, array: NDArray[Any]) -> None:
    """Bind a C-contiguous array's memory with ``IOBinding.bind_input`` or ``bind_output``; keep it alive meanwhile."""
    method(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
