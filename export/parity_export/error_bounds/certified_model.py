"""A certified graph that can be asked, and for whom it speaks."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds import functions_of, propagate_error_bounds
from parity_export.error_bounds.elementary_functions import backends
from parity_export.export_options import Bounds
from parity_export.gate.backends import DEFAULT
from parity_export.gate.batching import LazyModel
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.contract import certified_contract
from parity_runtime.inference.input_validation import Arrays, table_inputs
from parity_runtime.inference.probability_bound import OF_LOGITS
from parity_runtime.package.loader import load_model
from parity_runtime.package.manifest import REPORT, Package
from parity_runtime.printable import counted

_TOLD = 3  # reasons one by one; parity.json has them all


def is_bounded(bound: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where an error bound claims something: where it is a finite number that is not negative."""
    claimed: NDArray[np.bool_] = np.isfinite(bound) & (bound >= 0)
    return claimed


@dataclass(frozen=True)
class CertifiedModel:
    """A certified graph.

    Attributes:
        contract: of the certified graph, with ``error_bound`` and ``certified`` among the outputs.
        graph: with both outputs.
        measured: backends whose elementary functions were measured or are documented.
        torch_gaps: why it does not speak for the torch module; empty where it does, None where that is unknown
            because the graph was certified without the module.
        bounds: how its error bounds are made.
    """

    contract: ModelContract
    graph: OnnxGraph
    measured: Sequence[str]
    torch_gaps: Sequence[str] | None = None
    bounds: Bounds = "fast"

    def __repr__(self) -> str:
        return f"CertifiedModel({self.contract.name!r}, {self.contract.brief}, holds for {self.subject()})"

    @classmethod
    def of(cls, contract: ModelContract, plain: OnnxGraph, *, bounds: Bounds = "fast") -> "CertifiedModel":
        """Certify a graph.

        Args:
            contract: of the plain graph.
            plain: with its head.
            bounds: as in the class.

        Raises:
            CannotCertifyError: an operator has no rule.
        """
        graph = propagate_error_bounds(plain, contract, bounds)
        return cls(certified_contract(contract), graph, backends(functions_of(plain, contract)), bounds=bounds)

    @classmethod
    def open(cls, path: str | Path, allow_operators: Collection[str] = ()) -> "CertifiedModel":
        """Take a package's certified graph, or certify its graph now.

        Args:
            path: the package folder.
            allow_operators: operators outside the standard that may run, ``com.microsoft::Gelu`` say.

        Raises:
            CannotCertifyError: an operator has no rule.
            ParityError: the package cannot be opened.
        """
        package = Package.open(path)
        plain = OnnxGraph.loaded(load_model(path, package.id, allow_operators=allow_operators))
        if "certified" not in package.contract.graphs:
            return cls.of(package.contract, plain)
        graph = OnnxGraph.loaded(load_model(path, package.id, certified=True, allow_operators=allow_operators))
        bound_report = package.read_json(REPORT).get("error_bounds")
        known = bound_report if isinstance(bound_report, dict) else {}
        gaps, bounds = known.get("torch_gaps"), known.get("bounds", "fast")
        measured = backends(functions_of(plain, package.contract))
        return cls(certified_contract(package.contract), graph, measured, gaps, bounds)

    @property
    def bounds_probabilities(self) -> bool:
        """Whether its probabilities are computed from its logits by Parity's head, so that they are bounded too."""
        return OF_LOGITS in {(entry.key, entry.value) for entry in self.graph.light.metadata_props}

    def on_inputs(self) -> LazyModel:
        """Return what answers inputs by name with every output by name."""
        return LazyModel(lambda: DEFAULT.load(self.graph, self.contract))

    def on_rows(self) -> Callable[[NDArray[Any]], Arrays]:
        """Return what answers ``rows [batch, features]`` with every output by name."""
        answers = self.on_inputs()
        return lambda rows: answers(table_inputs(self.contract, rows))

    def subject(self) -> str:
        """Return what the certificate speaks for, for a person."""
        if self.torch_gaps is None:
            return "the graph alone, because it was exported without error bounds"
        if not self.torch_gaps:
            return "the graph and the torch module"
        more = len(self.torch_gaps) - _TOLD
        rest = f"; {counted(more, 'reason')} more in parity.json" if more > 0 else ""
        return f"the graph alone, because {'; '.join(self.torch_gaps[:_TOLD])}{rest}"

    def precision(self) -> str:
        """Return for which backends it is known how exact their elementary functions are."""
        return f"measured or documented for {', '.join(self.measured)}; assumed for others"
