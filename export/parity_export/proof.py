"""A certified graph, and what it claims."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from parity_export.batching import Loaded
from parity_export.certify import certify, functions_of
from parity_export.certify.coverage import code_constants, torch_gaps
from parity_export.certify.elementary import backends
from parity_export.engines import Engine
from parity_export.source import ModelSource, example_inputs
from parity_runtime import ModelContract
from parity_runtime.contract import certified_contract


@dataclass
class Proof:
    """A certified graph, what it says of the gate's probes, and whether it kept its word.

    Attributes:
        graph: serialized.
        contract: of the certified graph.
        torch_gaps: why the certificate does not speak for the torch module; empty where it does.
        exact: whether torch's float64 answers are the exact ones of the graph.
        rows: probes that were asked.
        bounded: of them, rows for which a radius is claimed.
        certified: of them, rows whose label is proven; None for a regression.
        median_radius: of the claimed ones, in the output's unit.
        largest_radius: of the claimed ones on ordinary probes.
        nearest: the largest share of its radius that a deviation from float64 took, by engine.
        measured: backends whose elementary functions were measured or are documented.
        not_run: engines that could not run the certified graph, and why.
        violations: a line each.
    """

    graph: bytes
    contract: ModelContract
    torch_gaps: list[str]
    exact: bool
    measured: list[str]
    rows: int = 0
    bounded: int = 0
    certified: int | None = None
    median_radius: float = 0.0
    largest_radius: float = 0.0
    nearest: dict[str, float] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def answers(self) -> Loaded:
        """Return what answers with the certified graph."""
        return Loaded(lambda: Engine("onnxruntime", optimization="all").load(self.graph, self.contract))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without the graph."""
        return {name: value for name, value in vars(self).items() if name not in ("graph", "contract")}


def subject(torch_gaps: Sequence[str] | None) -> str:
    """Return what a certificate speaks for.

    Args:
        torch_gaps: as in `Proof`; None where the graph was certified later, without the module.
    """
    if torch_gaps is None:
        return "the graph alone, because it was exported without --certified"
    return f"the graph alone, because {'; '.join(torch_gaps)}" if torch_gaps else "the graph and the torch module"


def precision(measured: Sequence[str]) -> str:
    """Return for which backends it is known how exact their elementary functions are."""
    return f"measured or documented for {', '.join(measured)}; assumed for others"


def claim(source: ModelSource, graph: bytes) -> Proof:
    """Certify a graph, and say what the certificate speaks for.

    Args:
        source: the module that it was exported from.
        graph: serialized, with its head.

    Raises:
        CannotCertifyError: an operator has no rule.
    """
    certified = certify(graph, source.contract)
    gaps = torch_gaps(source, example_inputs(source.module, source.contract.inputs), graph)
    exact = not code_constants(source.module, graph)
    measured = backends(functions_of(graph, source.contract))
    return Proof(certified, certified_contract(source.contract), gaps, exact, measured)
