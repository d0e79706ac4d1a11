"""From a source to the graph of its module: what torch traces, before the head that gives it its outputs."""

import contextlib
from dataclasses import replace

import onnx_ir as ir

from parity_export.export_graph import ExportGraph
from parity_export.export_options import ExportOptions
from parity_export.graph.size_guards import SizeGuards, with_limits, within_guards
from parity_export.graph.torch_export import guarded_graph
from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource
from parity_export.sources.position_tables import position_limits
from parity_runtime import InputError
from parity_runtime.contract import batch_name

_LARGER = 8  # times the sizes of an example


def trace(source: ModelSource, options: ExportOptions) -> ExportGraph:
    """Return the graph of a source's module.

    Raises:
        InputError: the module cannot be exported.
    """
    source, model, guards = _traced(source, options)
    model.ir_version = options.ir_version or model.ir_version
    guards = with_limits(guards, position_limits(source))
    return ExportGraph.of(within_guards(source, guards), model)


def _traced(source: ModelSource, options: ExportOptions) -> tuple[ModelSource, ir.Model, SizeGuards]:
    """Return a graph with what it supposes of the sizes, and the source with the example that it was made of.

    A small example may have sizes that are equal to something by chance: of an image that strides shorten to a single
    position torch takes that size for fixed. Then a larger one is taken.
    """
    larger = _larger(source)
    try:
        model, guards = guarded_graph(source.call, source.example, options.opset)
    except InputError:
        if larger is not None and source.refusal(larger.sizes) is None:
            with contextlib.suppress(InputError):
                return replace(source, example=larger), *guarded_graph(source.call, larger, options.opset)
        raise
    general = larger is None or all(one.holds(larger.sizes) for one in guards.decisions if one.is_equality)
    if larger is None or general or source.refusal(larger.sizes) is not None:
        return source, model, guards
    return replace(source, example=larger), *guarded_graph(source.call, larger, options.opset)


def _larger(source: ModelSource) -> Example | None:
    """Return an example of larger sizes, but as many rows; None where the sizes have no room."""
    example, batch = source.example, batch_name(source.contract)
    wanted = {name: size if name == batch else _LARGER * size for name, size in example.sizes.items()}
    sizes = example.choices.apart(wanted)
    return None if sizes is None or sizes == example.sizes else replace(example, sizes=sizes)
