"""One set of answers against torch's: how far apart, by which measure, and how much of it is too far."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.probes import SUBNORMAL, Probes, margins
from parity_export.gate.tolerances import column_floors, groups
from parity_runtime import ModelContract, Tolerance
from parity_runtime.contract import LABEL, LOGITS
from parity_runtime.inputs import Arrays


@dataclass(frozen=True)
class Expected:
    """What torch answers to the probes.

    Attributes:
        probes: the questions.
        float32: torch's answers in float32, by output.
        float64: torch's answers in float64, by output.
        tolerances: by group of probes (`parity_export.gate.tolerances.groups`), then by output.
        radii: proven bounds by output, of its shape; empty where nothing is proven.
    """

    probes: Probes
    float32: Arrays
    float64: Arrays
    tolerances: dict[str, dict[str, Tolerance]]
    radii: Arrays = field(default_factory=dict)

    @cached_property
    def allowed(self) -> Arrays:
        """The allowed absolute deviation of every value, by output, of its shape; 0 where it must be equal."""
        return {name: self._allowed(name) for name in self.float64}

    @cached_property
    def comparable(self) -> Arrays:
        """Which values can be compared, bool, by output: not what overflows float32 in torch itself."""
        return {name: np.isfinite(self.float32[name]) & np.isfinite(values) for name, values in self.float64.items()}

    def _allowed(self, name: str) -> NDArray[np.float64]:
        values, float32 = self.float64[name], self.float32[name]
        allowed = np.zeros(values.shape)
        for group, rows in groups(self.probes).items():
            if name in self.tolerances[group] and rows.any():
                columns = column_floors(float32[rows], values[rows])
                relative = replace(self.tolerances[group][name], floor=0.0).allowed(values[rows])
                allowed[rows] = np.maximum(relative, columns)
        radius = self.radii.get(name)
        return allowed if radius is None else np.minimum(allowed, np.where(np.isfinite(radius), radius, np.inf))


@dataclass(frozen=True, slots=True)
class Difference:
    """One output on one group of probes against float64.

    Attributes:
        output: its name.
        group: of probes, `parity_export.gate.tolerances.groups`.
        compared: how many values were compared (labels: rows whose margin exceeds the tolerance).
        outside: how many lie outside their tolerance (labels: how many rows flipped).
        max_abs: largest absolute deviation, in the output's unit; 0 for labels.
        max_rel: largest deviation relative to the float64 value.
        max_ulp: largest deviation in float32 units in the last place of the float64 value.
        worst_probe: the row of the probes with the largest deviation, or of the first flip.
    """

    output: str
    group: str
    compared: int
    outside: int
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    worst_probe: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; what is not finite becomes null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


def compare(found: Arrays, contract: ModelContract, expected: Expected, rows: NDArray[np.int64]) -> list[Difference]:
    """Compare the answers to some probes with torch's.

    Args:
        found: answers by output, one row for each of ``rows``.
        contract: of the model.
        expected: torch's answers to all probes.
        rows: which probes were asked.
    """
    return [
        difference
        for spec in contract.outputs
        for difference in _output_differences(spec.name, found, contract, expected, rows)
    ]


def _output_differences(
    name: str, found: Arrays, contract: ModelContract, expected: Expected, rows: NDArray[np.int64]
) -> Iterator[Difference]:
    wanted = expected.float64[name]
    if found[name].shape != (len(rows), *wanted.shape[1:]):
        yield Difference(name, "ordinary", len(rows), len(rows), math.inf, math.inf, math.inf, int(rows[0]))
        return
    for group, members in groups(expected.probes).items():
        inside = members[rows]
        if inside.any():
            answers = {key: values[inside] for key, values in found.items()}
            if name == LABEL and contract.is_classifier:
                yield _label_difference(group, answers, contract, expected, rows[inside])
            else:
                yield _value_difference(name, group, answers[name], expected, rows[inside])


def _value_difference(
    name: str, group: str, found: NDArray[Any], expected: Expected, rows: NDArray[np.int64]
) -> Difference:
    exact = expected.float64[name][rows].astype(np.float64)
    compared = _compared(name, group, found, expected, rows)
    distance = np.where(compared, _distance(found.astype(np.float64), exact), 0.0)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        relative = np.where(distance > 0, distance / np.abs(exact), 0.0)
        ulp = np.where(distance > 0, distance / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64), 0.0)
    worst = int(distance.reshape(len(rows), -1).max(axis=1, initial=0.0).argmax())
    return Difference(
        name,
        group,
        int(compared.sum()),
        int((distance > np.nan_to_num(expected.allowed[name][rows], posinf=0.0)).sum()),
        float(distance.max(initial=0.0)),
        float(relative.max(initial=0.0)),
        float(np.nan_to_num(ulp, nan=np.inf).max(initial=0.0)),
        int(rows[worst]),
    )


def _distance(found: NDArray[np.float64], exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |found - exact|: 0 for equal infinities and for two NaN, infinite where only one is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.nan_to_num(np.abs(found - exact), nan=np.inf, posinf=np.inf)
    equal = (found == exact) | (np.isnan(found) & np.isnan(exact))
    return np.where(equal, 0.0, distance)


def _compared(
    name: str, group: str, found: NDArray[Any], expected: Expected, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which values can be judged.

    Not judged is what overflows float32 in torch but not in float64; an integer or boolean that torch's own float32
    decides otherwise, or that hangs on a subnormal input, which a backend may flush to zero; and, on extreme rows,
    what overflows in the backend. An infinity or NaN on which torch agrees with float64 must be answered.
    """
    float32, float64 = expected.float32[name][rows], expected.float64[name][rows]
    if float64.dtype.kind != "f":
        subnormal = expected.probes.kinds[rows] == SUBNORMAL
        return np.asarray((float32 == float64) & ~subnormal.reshape(-1, *[1] * (float64.ndim - 1)))
    compared = expected.comparable[name][rows]
    if group == "extreme":
        return np.asarray(compared & np.isfinite(found))
    alike = ~np.isfinite(float64) & ((float32 == float64) | (np.isnan(float32) & np.isnan(float64)))
    return np.asarray(compared | alike)


def _label_difference(
    group: str, found: Arrays, contract: ModelContract, expected: Expected, rows: NDArray[np.int64]
) -> Difference:
    """Count rows whose label differs although their float64 margin exceeds the tolerance of the logits."""
    reach = _label_reach(contract, expected.allowed[LOGITS][rows])
    decided = margins(contract, expected.float64[LOGITS][rows]) > reach
    decided &= expected.comparable[LOGITS][rows].all(axis=1)
    if group == "extreme":
        decided &= np.isfinite(found[LOGITS]).all(axis=1)
    flipped = decided & (found[LABEL] != expected.float64[LABEL][rows])
    return Difference(
        LABEL, group, int(decided.sum()), int(flipped.sum()), worst_probe=int(rows[int(flipped.argmax())])
    )


def _label_reach(contract: ModelContract, allowed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much each row's margin may err: one logit's tolerance, or of several the two largest together."""
    if contract.task == "binary":
        return allowed[:, 0]
    reach: NDArray[np.float64] = np.sort(allowed, axis=1)[:, -2:].sum(axis=1)
    return reach


def close(first: NDArray[Any], second: NDArray[Any], allowed: NDArray[np.float64]) -> bool:
    """Whether two arrays differ by at most ``allowed`` everywhere; equal infinities and NaN are alike."""
    with np.errstate(invalid="ignore"):
        near = np.abs(first.astype(np.float64) - second.astype(np.float64)) <= allowed
    return bool((near | (first == second) | (np.isnan(first) & np.isnan(second))).all())
