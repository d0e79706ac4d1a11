"""The array that a caller hands in for an output."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import InputError


def check_out(out: Any, shape: Sequence[int], dtype: str, inputs: Iterable[NDArray[Any]]) -> None:
    """Refuse an array that an output cannot be written to as it is.

    Args:
        out: what was handed in.
        shape: of the output.
        dtype: of the output.
        inputs: the arrays that are read meanwhile.

    Raises:
        InputError: it is no numpy array, of another shape or dtype, not C-contiguous, read-only, or shares memory with
            the rows.
    """
    wanted = f"it takes a {dtype} array {list(shape)}, C-contiguous and writeable"
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise InputError(f"out is a {type(out).__name__}; {wanted}")
    if out.shape != tuple(shape) or out.dtype != np.dtype(dtype):
        raise InputError(f"out is a {out.dtype} array {list(out.shape)}; {wanted}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        problem = "read-only" if out.flags.c_contiguous else "not C-contiguous"
        raise InputError(f"out is {problem}; {wanted}")
    if any(np.may_share_memory(out, array) for array in inputs):
        raise InputError("out shares memory with the rows, which are read while it is written; give another array")
