"""How far onnxruntime may lie from float64, derived from how far torch itself does."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.probes import EXTREME, GAUSSIAN, LARGE, SPECIAL, SUBNORMAL, Probes
from parity_runtime import InputError, Tolerance
from parity_runtime.inputs import Arrays

TORCH_TESTING = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
"""torch.testing.assert_close's default (rtol, atol) by dtype, from its documentation."""

TORCH_FACTOR = 8.0
"""onnxruntime may deviate by this times torch's own largest float32 deviation: a sum in another order errs alike,
and the largest error over some thousand rows varies by a small factor from one order to another."""


_TELLING = 0.25  # of the rows: a column with fewer numbers that are not zero has no scale of its own

WORST_PRECISION = 0.01
"""Of an output's largest value: a module whose float32 answers are that far from its float64 answers has at most
two digits, and 8 times that would hide any defect."""


def derive_tolerances(
    probes: Probes,
    float32: Arrays,
    float64: Arrays,
    dtypes: dict[str, str],
    given: tuple[float, float] | None = None,
) -> dict[str, dict[str, Tolerance]]:
    """Return the tolerance of every float output, for each of the `groups` of probes.

    Args:
        probes: the questions.
        float32: torch's answers in float32.
        float64: torch's answers in float64.
        dtypes: the outputs' dtypes by name.
        given: rtol and atol that a person set; they replace torch.testing's and are named as the source.
    """
    return {
        group: {
            name: _tolerance(float32[name][rows], float64[name][rows], dtypes[name], given)
            for name in float64
            if dtypes[name] in TORCH_TESTING
        }
        for group, rows in groups(probes).items()
    }


def groups(probes: Probes) -> dict[str, NDArray[np.bool_]]:
    """Return which rows belong to each group: what lies far away must not widen the tolerance of what does not."""
    kinds = {"wide": (GAUSSIAN,), "large": (LARGE,), "special": (SPECIAL, SUBNORMAL), "extreme": (EXTREME,)}
    members = {group: np.isin(probes.kinds, names) for group, names in kinds.items()}
    return {"ordinary": ~np.any(list(members.values()), axis=0)} | members


def column_floors(float32: NDArray[Any], float64: NDArray[Any]) -> NDArray[np.float64]:
    """Return `TORCH_FACTOR` times torch's own largest deviation, for each place along the last axis.

    A column of small numbers beside one of large numbers has a tolerance of its own: at least the median of the
    deviations of all columns relative to their scales, because the largest of a few rows alone may be zero by chance.

    Args:
        float32: torch's answers ``[rows, ..., columns]``.
        float64: the same in float64.
    """
    columns = float64.shape[-1] if float64.ndim > 1 else 1
    exact = float64.astype(np.float64).reshape(-1, columns)
    with np.errstate(invalid="ignore"):
        deviation = np.abs(float32.astype(np.float64).reshape(-1, columns) - exact)
    finite = np.isfinite(deviation)
    largest = np.where(finite, deviation, 0.0).max(axis=0, initial=0.0)
    scale, typical = _scales(np.where(finite, exact, 0.0))
    relative = np.divide(largest, scale, out=np.zeros(columns), where=scale > 0)
    known = np.median(relative[typical]) if typical.any() else 0.0
    floors: NDArray[np.float64] = TORCH_FACTOR * np.maximum(largest, known * scale)
    return floors if float64.ndim > 1 else floors[0]


def _scales(exact: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return each column's scale ``[columns]``, and for which columns their own numbers tell it.

    Every row counts alike, whatever its size: rows differ by 1e4 among the large probes, and one row would decide
    alone. A zero tells nothing: a ReLU that is silent on most rows may err like any other where it is not; of such
    columns the scale is the median of the others'.
    """
    size = np.sqrt(np.square(exact).mean(axis=1, keepdims=True))
    relative = np.divide(exact, size, out=np.zeros_like(exact), where=size > 0)
    count = (relative != 0).sum(axis=0)
    scale = np.sqrt(np.square(relative).sum(axis=0) / np.maximum(count, 1)) * size.max(initial=0.0)
    typical = count >= max(1.0, _TELLING * len(exact))
    common = float(np.median(scale[typical])) if typical.any() else 0.0
    return np.where(typical, scale, np.maximum(scale, common)), typical


def check_precision(expected: dict[str, NDArray[Any]], tolerances: dict[str, Tolerance]) -> None:
    """Refuse a module that float32 cannot evaluate: a tolerance derived from its own error would let anything pass.

    Args:
        expected: torch's float64 answers to ordinary probes, by output.
        tolerances: derived from them, by output.

    Raises:
        InputError: torch's own float32 answers deviate by more than `WORST_PRECISION` of the largest value.
    """
    for name, tolerance in tolerances.items():
        values = np.abs(expected[name][np.isfinite(expected[name])])
        deviation, largest = tolerance.floor / TORCH_FACTOR, float(values.max(initial=0.0))
        if deviation > max(WORST_PRECISION * largest, tolerance.atol):
            raise InputError(
                f"torch's own float32 {name} deviate from float64 by {deviation:.3g}, and the largest is "
                f"{largest:.3g}: nothing can be compared with that; does the module compute in another dtype, or "
                "saturate before its last layer (then return logits)? --rtol and --atol override this"
            )


def _tolerance(
    float32: NDArray[Any], float64: NDArray[Any], dtype: str, given: tuple[float, float] | None
) -> Tolerance:
    with np.errstate(invalid="ignore"):
        deviation = np.abs(float32.astype(np.float64) - float64)
    largest = float(deviation[np.isfinite(deviation)].max(initial=0.0))
    rtol, atol = given or TORCH_TESTING[dtype]
    first = "rtol and atol were set by hand" if given else f"torch.testing's defaults for {dtype}"
    source = f"{first}; floor: {TORCH_FACTOR:g} x torch's own largest deviation from float64, {largest:.3g}"
    return Tolerance(rtol, atol, TORCH_FACTOR * largest, source)
