"""The error bounds that a certified graph claims for the gate's probes."""

from dataclasses import dataclass, field
from typing import Any

from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.gate.batching import LazyModel
from parity_runtime.printable import counted


@dataclass
class BoundReport:
    """A certified graph, what it says of the gate's probes, and whether it kept its word.

    Attributes:
        model: the certified graph, and for whom it speaks.
        exact: whether torch's float64 answers are the exact ones of the graph.
        rows: probes that were asked.
        bounded: of them, rows for which an error bound is claimed.
        certified: of them, rows whose label is proven; None for a regression.
        median_bound: of the claimed ones, in the output's unit.
        largest_bound: of the claimed ones on ordinary probes.
        nearest: the largest share of its error bound that a deviation from float64 took, by engine.
        not_run: engines that could not run the certified graph, and why.
        violations: a line each.
    """

    model: CertifiedModel
    exact: bool
    rows: int = 0
    bounded: int = 0
    certified: int | None = None
    median_bound: float = 0.0
    largest_bound: float = 0.0
    nearest: dict[str, float] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"BoundReport({self.bounded} of {counted(self.rows, 'probe')} bounded, holds for {self.model.subject()})"

    def exact_bounds(self) -> LazyModel | None:
        """Return the certified graph, where its bounds hold for torch's float64 answers as well; else None."""
        return self.model.on_inputs() if self.exact else None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without the graph."""
        figures = {name: value for name, value in vars(self).items() if name != "model"}
        made = {"bounds": self.model.bounds, "torch_gaps": self.model.torch_gaps, "measured": self.model.measured}
        return made | figures
