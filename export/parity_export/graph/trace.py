"""From a source to the graph of its module: what torch traces, before the head that gives it its outputs."""

from parity_export.export_graph import ExportGraph
from parity_export.export_options import ExportOptions
from parity_export.graph.size_guards import with_limits, within_guards
from parity_export.graph.torch_export import guarded_graph
from parity_export.sources.model_source import ModelSource
from parity_export.sources.position_tables import position_limits
from parity_runtime import InputError
from parity_runtime.contract import batch_name

_MAX_BYTES = 2**31 - 2**20  # protobuf's limit, and a mebibyte for what is no weight


def trace(source: ModelSource, options: ExportOptions) -> ExportGraph:
    """Return the graph of a source's module.

    Raises:
        InputError: the module is too large, or cannot be exported.
    """
    weights = sum(tensor.nbytes for tensor in source.module.state_dict().values())
    if weights > _MAX_BYTES:
        raise InputError(f"the weights take {weights} bytes; a package is one file of less than 2 GiB")
    model, guards = guarded_graph(source.call, source.example, options.opset)
    model.ir_version = options.ir_version or model.ir_version
    guards = with_limits(guards, position_limits(source.call, source.example, batch_name(source.contract)))
    return ExportGraph.of(within_guards(source, guards), model)
