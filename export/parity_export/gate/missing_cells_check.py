"""Missing cells: where the module makes a number of NaN, as an imputation does, a backend must make the same."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import ModelFunction
from parity_export.gate.oracle import Oracle
from parity_export.gate.probes import SEED
from parity_runtime.contract import is_encoded
from parity_runtime.inference.input_validation import Arrays

_RTOL, _ATOL = 1e-3, 1e-5
"""Right in kind: which number a missing cell is filled with shows far above that. What NaN is answered with NaN, and
what infinities are answered with, is reported and not gated: backends define gelu(inf) and maxpool(NaN) differently."""

_FACTOR = 64.0  # of torch's own float32 deviation on the row


def missing_cells(answer: ModelFunction, oracle: Oracle) -> Iterator[str]:
    """Yield which outputs a backend answers otherwise where cells are missing, a line each.

    None of a module that sorts NaN, or takes the largest of them: backends put it in different places.

    Args:
        answer: the backend's.
        oracle: draws the rows; torch's answers to them.
    """
    inputs = oracle.sampler.missing(np.random.default_rng(SEED))
    if not (is_encoded(oracle.sampler.contract) or any(array.dtype.kind == "f" for array in inputs.values())):
        return
    rows = np.arange(len(next(iter(inputs.values()))))
    batch = 1 if oracle.row_independent or oracle.batches.name is None else len(rows)
    order = oracle.torch_float32.order
    order.unordered = False  # of these rows alone
    try:
        with np.errstate(all="ignore"):
            float32 = oracle.batches.run(oracle.torch_float32, inputs, rows, batch)
            exact = oracle.batches.run(oracle.torch_float64, inputs, rows, batch)
    except Exception:
        return
    oracle.release()
    if order.unordered:
        return
    found: Arrays = oracle.batches.run(answer, inputs, rows, batch)
    for name, wanted in exact.items():
        if wanted.dtype.kind == "f" and found[name].shape == wanted.shape:
            wrong = _wrong(found[name], float32[name], wanted, oracle.given or (0.0, 0.0))
            if wrong.any():
                yield f"{int(wrong.sum())} of {wrong.size} values of {name} differ where cells are missing (NaN)"


def _wrong(
    found: NDArray[np.float32], float32: NDArray[np.float32], exact: NDArray[np.float64], given: tuple[float, float]
) -> NDArray[np.bool_]:
    rtol, atol = max(_RTOL, given[0]), max(_ATOL, given[1])
    with np.errstate(invalid="ignore", over="ignore"):
        apart, own = np.abs(found.astype(np.float64) - exact), np.abs(float32.astype(np.float64) - exact)
        near = apart <= np.maximum(atol + rtol * np.abs(exact), _FACTOR * own)
    return np.asarray(np.isfinite(exact) & np.isfinite(float32) & ~near)
