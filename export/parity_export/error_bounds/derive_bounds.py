"""From a graph to its certified form: what is proven, and of whom."""

from dataclasses import replace

from parity_export.error_bounds.bound_report import BoundReport
from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.error_bounds.torch_equivalence import code_constants, torch_gaps
from parity_export.export_graph import ExportGraph
from parity_export.export_options import Bounds


def derive_bounds(graph: ExportGraph, bounds: Bounds = "fast") -> BoundReport:
    """Certify a graph, and say what the certificate speaks for.

    Raises:
        CannotCertifyError: an operator has no rule, or the outputs have no meaning that a bound could stand for.
    """
    # What cannot be certified has no flow to compare.
    model = CertifiedModel.of(graph.contract, graph.onnx, bounds=bounds)
    return BoundReport(replace(model, torch_gaps=torch_gaps(graph)), exact=not code_constants(graph))
