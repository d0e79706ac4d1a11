"""What is right: torch's answers to the probes, and how far from them a backend may answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import by_row
from parity_export.gate.jumps import drawn
from parity_export.gate.probability_tolerance import relative_tolerance
from parity_export.gate.probes import Probes
from parity_export.gate.rounding_envelope import Envelope
from parity_export.gate.tolerances import FAR, FAR_RTOL, TINY, TORCH_TESTING, Deviations, floors, groups, tolerance_of
from parity_runtime import ModelContract, Tolerance
from parity_runtime.contract import EMBEDDING, LOGITS, PROBABILITIES
from parity_runtime.inference.input_validation import Arrays

_UNIT = 1e-6  # a sum of a thousand float64 squares, and a norm that is guarded by an epsilon, stay far below


@dataclass(frozen=True)
class ExpectedOutputs:
    """What torch answers to the probes.

    Attributes:
        probes: the inputs that are compared.
        float32: torch's answers in float32, by output.
        float64: torch's answers in float64, by output.
        envelope: of honest float32 evaluations.
        contract: of the model.
        given: rtol and atol that a person set.
        bounds: proven bounds by output, of its shape; empty where nothing is proven.
        explained: whether probabilities are a function of the logits beside them; else they are the module's own.
        kept: by output, which values are compared; of an output that is not named all are. The others are 0 everywhere.
    """

    probes: Probes
    float32: Arrays
    float64: Arrays
    envelope: Envelope
    contract: ModelContract
    given: tuple[float, float] | None = None
    bounds: Arrays = field(default_factory=dict)
    explained: bool = True
    kept: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @cached_property
    def allowed(self) -> Arrays:
        """The allowed absolute deviation of every value, by output, of its shape; 0 where it must be equal."""
        names = sorted(self.float64, key=lambda name: name == PROBABILITIES)  # their tolerance follows the logits'
        allowed: Arrays = {}
        for name in names:
            rare = self.follows_logits(name)
            allowed[name] = self._probabilities(allowed[LOGITS]) if rare else self._allowed(name)
        return allowed

    @cached_property
    def reported_tolerances(self) -> dict[str, dict[str, Tolerance]]:
        """The tolerance of every float output, by group of probes, in the form that contract and report give it."""
        return {
            group: {
                name: self._tolerance(name, group, rows)
                for name, dtype in self._dtypes.items()
                if dtype in TORCH_TESTING
            }
            for group, rows in groups(self.probes).items()
        }

    @cached_property
    def comparable(self) -> Arrays:
        """Which values can be compared, bool, by output: not what overflows in an honest float32 evaluation."""
        return {name: self.envelope.finite(name) & np.isfinite(values) for name, values in self.float64.items()}

    @property
    def unit_norm(self) -> bool | None:
        """Whether the vectors of an embedding have the length 1 where the model is used; None of another task."""
        if self.contract.task != "embedding":
            return None
        vectors = self.float64[EMBEDDING][groups(self.probes)["ordinary"]]
        return bool((np.abs(np.linalg.norm(vectors, axis=1) - 1) <= _UNIT).all())

    @cached_property
    def settled(self) -> NDArray[np.bool_]:
        """Which rows all honest evaluations answer alike ``[rows]``: none of their values lies beside a jump.

        A decision follows from its logits, which may lie on both sides of a threshold.
        """
        return self._settled()

    @cached_property
    def settled_but_for_ties(self) -> NDArray[np.bool_]:
        """The same, where equal values may have another order: a graph's is fixed, with the lowest index first."""
        return self._settled()

    def settle_tolerances(self) -> None:
        """Derive what is allowed from the envelope as it is: what it includes from now on widens no tolerance."""
        _ = self.allowed, self.settled_but_for_ties

    def _settled(self) -> NDArray[np.bool_]:
        settled = np.ones(len(self.probes), bool)
        for name in self.float64:
            if name == self.contract.decision:
                continue
            settled &= ~by_row(self.beside_jumps(name)).any(axis=1)
        return settled

    def beside_jumps(self, name: str, rows: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """Return of which values honest evaluations lie farther from float64 than is allowed, of some rows or of all.

        The module jumps there, or is too steep for float32: such a value tells nothing of how exact a backend is.
        """
        exact, allowed = self.float64[name], self.allowed[name]
        exact, allowed = (exact, allowed) if rows is None else (exact[rows], allowed[rows])
        return np.asarray(self.envelope.deviation(name, exact.astype(np.float64), rows) > allowed)

    def beyond(self, name: str, found: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how far answers lie outside of the envelope and the exact value; 0 within.

        Where a bound is proven there is no envelope: the distance from the exact value itself counts.
        """
        exact = self.float64[name][rows].astype(np.float64)
        low = np.fmin(self.envelope.low[name][rows].astype(np.float64), exact)
        high = np.fmax(self.envelope.high[name][rows].astype(np.float64), exact)
        if name in self.bounds:
            proven = np.isfinite(self.bounds[name][rows])
            low, high = np.where(proven, exact, low), np.where(proven, exact, high)
        with np.errstate(invalid="ignore", over="ignore"):
            outside = np.maximum(np.maximum(found - high, low - found), 0.0)
        return np.where(np.isnan(found) & ~np.isnan(exact), np.inf, np.nan_to_num(outside, nan=0.0, posinf=np.inf))

    @cached_property
    def _floors(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """The floors by output and group, broadcast against its rows; none of a group without rows.

        They are those of the envelope before it was widened beside jumps: what is allowed is what is said to be.
        """
        found = {}
        for name in self.float64:
            if self._dtypes.get(name) in TORCH_TESTING and not self.follows_logits(name):
                for group, rows in groups(self.probes).items():
                    if rows.any():
                        found[name, group] = floors(group, self.deviations(name, rows))
        return found

    def deviations(self, name: str, rows: NDArray[np.bool_], *, own: bool = False) -> Deviations:
        """Return how far honest evaluations of some rows lie from float64; ``own``: torch's own answers alone."""
        exact = self.float64[name][rows]
        with np.errstate(invalid="ignore"):
            unmoved = np.abs(self.float32[name][rows].astype(np.float64) - exact)
        largest = unmoved if own else self.envelope.deviation(name, exact, np.flatnonzero(rows))
        return Deviations(exact, largest, unmoved, drawn(self.probes)[rows])

    def follows_logits(self, name: str) -> bool:
        """Whether an output holds the probabilities that logits beside it stand for."""
        return name == PROBABILITIES and self.contract.decision is not None

    @cached_property
    def _dtypes(self) -> dict[str, str]:
        return {spec.name: spec.dtype for spec in self.contract.outputs}

    def _allowed(self, name: str) -> NDArray[np.float64]:
        values = self.float64[name]
        allowed = np.zeros(values.shape)
        if self._dtypes.get(name) not in TORCH_TESTING:
            return allowed
        rtol, atol = self.given or TORCH_TESTING[self._dtypes[name]]
        for group, rows in groups(self.probes).items():
            if rows.any():
                size = np.abs(values[rows])
                near = atol + (max(rtol, FAR_RTOL) if group in FAR else rtol) * size
                allowed[rows] = np.maximum(near, self._floors[name, group])
        bound = self.bounds.get(name)
        return allowed if bound is None else np.minimum(allowed, np.where(np.isfinite(bound), bound, np.inf))

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        exact, sigmoid = self.float64[PROBABILITIES], self.contract.task in ("binary", "multilabel")
        logits = np.where(np.isneginf(self.float64[LOGITS]), 0.0, logits)  # what is masked is so whatever rounds
        if self.explained:
            return relative_tolerance(exact, logits, sigmoid=sigmoid)
        allowed = np.zeros(exact.shape)
        for rows in groups(self.probes).values():
            own = self.deviations(PROBABILITIES, rows).relative_to_values()
            allowed[rows] = relative_tolerance(exact[rows], logits[rows], own, sigmoid=sigmoid)
        return allowed

    def _tolerance(self, name: str, group: str, rows: NDArray[np.bool_]) -> Tolerance:
        if self.follows_logits(name):
            exact = self.float64[name][rows]
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                relative = np.where(exact > TINY, (self.allowed[name][rows] - TINY) / exact, 0.0)
            return Tolerance(_finite_max(relative), TINY, 0.0, "a part of each probability, explained by the logits'")
        largest = _finite_max(self._floors[name, group]) if rows.any() else 0.0
        return tolerance_of(largest, self._dtypes[name], self.given, far=group in FAR)


def _finite_max(array: NDArray[np.float64]) -> float:
    return float(array[np.isfinite(array)].max(initial=0.0))
