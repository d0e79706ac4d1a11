"""How far a backend may lie from float64: what honest float32 evaluations of the module deviate by, and some room.

docs/explanation/parity.md states the rule and its chance of a false refusal.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.jumps import LEAST, ROUNDED, jumps
from parity_export.gate.probes import CALENDAR, EXTREME, GAUSSIAN, LARGE, SMALL, SPECIAL, SUBNORMAL, Probes
from parity_runtime import ParityRefusedError, Tolerance
from parity_runtime.arguments import argument

TORCH_TESTING = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
"""torch.testing.assert_close's default (rtol, atol) by dtype, from its documentation."""

FACTOR = 8.0
"""A backend may deviate by this times the largest deviation of the honest evaluations: a sum in another order errs
alike, and the largest error over some thousand values varies by a small factor from one order to another."""

FAR_FACTOR = 64.0
"""The same, of a row far from what the module is used for: its own few values are all that tells its error."""

FAR_RTOL = 1e-3
"""Of a far value itself: what is nearer is right in kind, whatever float32 does there."""

FAR = ("large", "special", "extreme")
"""The groups of probes that decide only where something breaks in kind."""

WORST_PRECISION = 0.01
"""Of an output's largest value: a module whose float32 answers are that far from its float64 answers has at most
two digits, and 8 times that would hide any defect."""

_KINDS = {
    "wide": (GAUSSIAN,),
    "small": (SMALL,),
    "large": (LARGE, CALENDAR),
    "special": (SPECIAL, SUBNORMAL),
    "extreme": (EXTREME,),
}
TINY = float(np.finfo(np.float32).tiny)
"""The smallest normal float32: a smaller one may be answered with 0."""

_LARGEST = float(np.finfo(np.float32).max)  # beyond it nothing is compared, and a square overflows
_TELLING = 0.25  # of the rows: a column with fewer numbers that are not zero has no scale of its own
_BUCKET = 4.0  # columns whose scales differ by less share one


def groups(probes: Probes) -> dict[str, NDArray[np.bool_]]:
    """Return which rows belong to each group: what lies far away must not widen the tolerance of what does not."""
    members = {group: np.isin(probes.kinds, kinds) for group, kinds in _KINDS.items()}
    return {"ordinary": ~np.any(list(members.values()), axis=0)} | members


@dataclass(frozen=True, eq=False)
class Deviations:
    """How far honest float32 evaluations of rows lie from float64.

    Attributes:
        exact: the float64 answers ``[rows, ..., columns]``.
        largest: the largest deviation of all honest evaluations, of the same shape.
        own: the deviation of torch's own float32 answers, of the same shape.
        drawn: which rows no search brought to where they are ``[rows]``.
    """

    exact: NDArray[np.float64]
    largest: NDArray[np.float64]
    own: NDArray[np.float64]
    drawn: NDArray[np.bool_]

    def jumps(self, least: float = LEAST) -> NDArray[np.bool_]:
        """Return which deviations are no rounding ``[values, columns]``: none below ``least`` of a column's scale."""
        scale = _scales(_matrix(self.exact))
        largest, own = (_relative(_matrix(array), scale) for array in (self.largest, self.own))
        return self._jumps(largest, own, least)

    def relative_to_values(self) -> NDArray[np.float64]:
        """Return the largest deviations, each divided by its exact answer, of their shape; 0 for jumps and zeros."""
        largest, own = (_matrix(_relative_to(self.exact, array)) for array in (self.largest, self.own))
        jumping = self._jumps(largest, own, LEAST) & self.jumps(ROUNDED)
        return np.asarray(np.where(jumping, 0.0, largest).reshape(self.exact.shape))

    def _jumps(self, largest: NDArray[np.float64], own: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
        return jumps(largest, own, np.repeat(self.drawn, len(largest) // max(1, len(self.drawn))), least)


def floors(group: str, deviations: Deviations) -> NDArray[np.float64]:
    """Return the deviation that is allowed whatever the value is, broadcast against the exact answers.

    Args:
        group: of the rows.
        deviations: of their honest evaluations.
    """
    if group in FAR:
        return row_floors(deviations.largest, deviations.exact)
    return column_floors(deviations)


def column_floors(deviations: Deviations) -> NDArray[np.float64]:
    """Return `FACTOR` times the largest honest deviation, for each place along the last axis.

    Columns whose scales are alike share it, each relative to its scale: the largest of a few values alone may be small
    by chance. A column of small numbers beside one of large numbers keeps a floor of its own. Values beside a jump of
    the module are left out.
    """
    columns, scale = _matrix(deviations.largest), _scales(_matrix(deviations.exact))
    largest = np.where(deviations.jumps(), 0.0, _relative(columns, scale)).max(axis=0, initial=0.0)
    unscaled = np.where(scale > 0, 0.0, columns.max(axis=0, initial=0.0))
    found: NDArray[np.float64] = FACTOR * (_shared(largest, scale) * scale + unscaled)
    return found if deviations.exact.ndim > 1 else found[0]


def row_floors(deviation: NDArray[np.float64], exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `FAR_FACTOR` times each row's largest honest deviation among columns of like scales.

    Rows differ by 1e4 among the large probes, so that each answers for itself.

    Args:
        deviation: the largest of the honest evaluations ``[rows, ..., columns]``.
        exact: the answers, the same shape.
    """
    columns = exact.shape[-1] if exact.ndim > 1 else 1
    scale = _scales(_matrix(exact))
    inner = math.prod(exact.shape[1:-1])
    largest = deviation.reshape(len(exact), inner, columns).max(axis=1, initial=0.0)  # [rows, columns]
    relative = _relative(largest, scale)
    found = FAR_FACTOR * np.maximum(_shared(relative, scale) * scale, largest)
    shape = (len(exact), *[1] * (exact.ndim - 2), columns) if exact.ndim > 1 else (len(exact),)
    return np.asarray(found.reshape(shape))


def _matrix(array: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = array.shape[-1] if array.ndim > 1 else 1
    matrix = array.astype(np.float64).reshape(math.prod(array.shape) // max(1, columns), columns)
    return np.asarray(np.where(np.abs(matrix) <= _LARGEST, matrix, 0.0))  # NaN is neither


def _relative_to(exact: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.divide(deviation, exact, out=np.zeros_like(deviation), where=exact > TINY))


def _relative(columns: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(columns, scale, out=np.zeros_like(columns), where=scale > 0))


def _scales(exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scale of each column ``[columns]``: the root mean square of its values.

    Every row counts alike, whatever its size: rows differ by 1e4 among the large probes, and one row would decide
    alone. A zero tells nothing: a ReLU that is silent on most rows may err like any other where it is not; the scale
    of such a column is the median of the others'.
    """
    size = np.sqrt(np.square(exact).sum(axis=1, keepdims=True) / max(1, exact.shape[1]))
    relative = np.divide(exact, size, out=np.zeros_like(exact), where=size > 0)
    count = (relative != 0).sum(axis=0)
    scale = np.sqrt(np.square(relative).sum(axis=0) / np.maximum(count, 1)) * size.max(initial=0.0)
    typical = count >= max(1.0, _TELLING * len(exact))
    common = float(np.median(scale[typical])) if typical.any() else 0.0
    scales: NDArray[np.float64] = np.where(typical, scale, np.maximum(scale, common))
    return scales


def _shared(relative: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest of ``relative [..., columns]`` among the columns whose scale is within `_BUCKET` of each."""
    with np.errstate(divide="ignore"):
        buckets = np.floor(np.log(np.where(scale > 0, scale, 1.0)) / np.log(_BUCKET)).astype(np.int64)
    found = np.array(relative)
    for bucket in np.unique(buckets[scale > 0]):
        near = (np.abs(buckets - bucket) <= 1) & (scale > 0)
        own = (buckets == bucket) & (scale > 0)
        found[..., own] = relative[..., near].max(axis=-1, keepdims=True)
    return found


def check_precision(name: str, deviations: Deviations, tolerance: Tolerance, *, adopted: bool = False) -> None:
    """Refuse a module that float32 cannot evaluate: a tolerance derived from its own error would let anything pass.

    Args:
        name: of the output.
        deviations: of torch's own answers to ordinary probes; the ``largest`` are its ``own``.
        tolerance: derived for the output.
        adopted: the answers are those of an ONNX file's own graph.

    Raises:
        ParityRefusedError: torch's own float32 answers deviate by more than `WORST_PRECISION` of the largest value.
    """
    values = np.abs(deviations.exact[np.isfinite(deviations.exact)])
    worst = float(np.where(deviations.jumps(), 0.0, _matrix(deviations.own)).max(initial=0.0))
    largest = float(values.max(initial=0.0))
    if worst > max(WORST_PRECISION * largest, tolerance.atol):
        who = f"the file's own graph gives float32 {name} that" if adopted else f"torch's own float32 {name}"
        asked = "does the module compute in another dtype, or saturate before its last layer (then return logits)? "
        raise ParityRefusedError(
            f"{who} deviate from float64 by {worst:.3g}, and the largest is {largest:.3g}: nothing can be compared "
            f"with that; {'' if adopted else asked}{argument('rtol')} and {argument('atol')} override this"
        )


def tolerance_of(largest: float, dtype: str, given: tuple[float, float] | None, *, far: bool = False) -> Tolerance:
    """Return the tolerance of an output, for contract and report.

    Args:
        largest: floor of its columns.
        dtype: of the output.
        given: rtol and atol that a person set; they replace torch.testing's and are named as the source.
        far: of a group far from what the module is used for.
    """
    rtol, atol = given or TORCH_TESTING[dtype]
    factor = FAR_FACTOR if far else FACTOR
    first = "rtol and atol were set by hand" if given else f"torch.testing's defaults for {dtype}"
    first += f", rtol at least {FAR_RTOL:g}" if far else ""
    source = f"{first}; floor: {factor:g} x the largest deviation of honest float32 evaluations from float64"
    return Tolerance(max(rtol, FAR_RTOL) if far else rtol, atol, largest, source)
