"""Export a source to a package, stage by stage: make the graph, compare it with the module, write the package."""

from dataclasses import dataclass
from pathlib import Path

from parity_export.error_bounds.bound_report import BoundReport
from parity_export.error_bounds.check_bounds import check_bounds
from parity_export.error_bounds.derive_bounds import derive_bounds
from parity_export.export_graph import ExportGraph
from parity_export.export_options import OLDEST_IR, OLDEST_OPSET, ExportOptions
from parity_export.gate.run_gate import GateResult, run_gate
from parity_export.graph.adopt_graph import adopt_graph
from parity_export.graph.attach_encoder import attach_encoder
from parity_export.graph.attach_head import attach_head, check_graph
from parity_export.graph.check_weights import Initializers, adopted_weights, check_weights
from parity_export.graph.onnx_versions import check_loads
from parity_export.graph.trace import trace
from parity_export.package_writer import GatedGraph, check_target, write_package
from parity_export.sources.model_source import ModelSource
from parity_runtime import ModelContract
from parity_runtime.feature import CATEGORIES


@dataclass(frozen=True)
class Exported:
    """A package that was written; `export_package` and `adopt_package` return it.

    >>> from torch import nn
    >>> from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
    >>> source = source_from_module(nn.Linear(2, 1), ["x: float32[batch, 2]"], OutputSpec("regression"), "line")
    >>> exported = export_package(source, "packages/line", ExportOptions(replace=True, plots=False))
    >>> exported
    Exported('packages/line', regression, 2 features)
    >>> exported.contract.graphs
    {'default': 'model.onnx'}

    Attributes:
        path: the package folder.
        package_id: the package id: SHA-256 of the manifest, in hexadecimal.
        contract: what the model's inputs and outputs mean, with everything that the export measured.
        gate_result: the result of the gate, which is the comparison of the ONNX graph with the module.
        bound_report: what the certified graph proves; None without one.
    """

    path: Path
    package_id: str
    contract: ModelContract
    gate_result: GateResult
    bound_report: BoundReport | None = None

    def __repr__(self) -> str:
        certified = "" if self.bound_report is None else ", certified"
        return f"Exported({str(self.path)!r}, {self.contract.brief}{certified})"


def export_package(source: ModelSource, target: str | Path, options: ExportOptions | None = None) -> Exported:
    """Export a module to ONNX, compare both, and write the package if they agree.

    >>> from torch import nn
    >>> from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
    >>> from parity_runtime import Predictor
    >>> spec = OutputSpec("multiclass", output="logits", classes=("red", "green", "blue"))
    >>> source = source_from_module(nn.Linear(2, 3), ["x: float32[batch, 2]"], spec, "colours")
    >>> path = export_package(source, "packages/colours", ExportOptions(replace=True, plots=False)).path
    >>> Predictor(path)
    Predictor('packages/colours', multiclass, 2 features, cpu)

    Args:
        source: the module and what its inputs and outputs mean, as `source_from_module`, `source_from_run` and
            `source_from_estimator` return it.
        target: the package folder to write.
        options: how to export and compare, such as opset and tolerance, and whether to replace a package. None takes
            the defaults.

    Returns:
        The package, with its measured contract and the result of the comparison.

    Raises:
        ParityRefusedError: the graph computes something else than the module; the report is in
            ``<target>.refused.json``. Or the two cannot be compared: the module returns other outputs for the same
            inputs, or its float32 outputs are too far from its float64 outputs to derive a tolerance. No package is
            written.
        InputError: the module cannot be exported, the target exists, the installed onnxruntime does not know the opset
            or the IR version, or the module's outputs do not have the meaning that was specified.
    """
    target, options = Path(target), options or ExportOptions()
    check_target(target, options)
    text = bool(source.contract.features_of(CATEGORIES))
    check_loads(options.opset or OLDEST_OPSET, options.ir_version or OLDEST_IR, text=text)
    graph, initializers = _graph(source, options)
    bound_report = None if options.bounds is None else derive_bounds(graph, options.bounds)
    bounds = None if bound_report is None else bound_report.exact_bounds()
    gate_result = run_gate(graph, options.tolerance, bounds, effort=options.effort)
    gate_result.report.mismatches += initializers.mismatches()
    if bound_report is not None and gate_result.oracle is not None:
        gate_result.report.mismatches += check_bounds(bound_report, graph, gate_result.oracle)
    gated = GatedGraph(graph, initializers, gate_result, bound_report, source.profile, source.evaluation)
    contract, package_id = write_package(target, gated, options)
    return Exported(target, package_id, contract, gate_result, bound_report)


def _graph(source: ModelSource, options: ExportOptions) -> tuple[ExportGraph, Initializers]:
    """Return the graph of a package, and where its constants are from; what was traced, and holds the weights, ends."""
    if source.adopted is not None:
        graph = adopt_graph(source)
        return graph, adopted_weights(graph)
    traced = trace(source, options)
    initializers = check_weights(traced)
    graph = attach_encoder(attach_head(traced))
    check_graph(graph)
    return graph, initializers
