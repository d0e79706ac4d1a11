"""What a person should know of how a module was asked, and what of its answers was compared."""

from collections.abc import Iterator, Sequence

from parity_export.onnx_module.graph_module import GraphModule
from parity_export.sources.model_source import ModelSource


def asked_notes(source: ModelSource) -> tuple[str, ...]:
    """Return what a source says of its probes, a line each; none where nothing is out of the ordinary."""
    return tuple(_notes(source))


def _notes(source: ModelSource) -> Iterator[str]:
    yield from source.said
    for output, name in source.compared_where.items():
        blind = ": elsewhere every position is masked" if name in source.blind_masks else ""
        yield f"{output} was compared only where {name} is not 0{blind}"
    if source.samples_only:
        yield "only the given rows were compared: no other values, no other sizes, no searches"
    if source.draw is not None:
        name = getattr(source.draw, "__name__", "a callable")
        yield f"{name} drew the rows; only these and the samples were compared"


def kernel_notes(source: ModelSource) -> tuple[str, ...]:
    """Return in a line which operators of a graph that is judged by itself were their own judges, once it has run."""
    return source.module.notes if isinstance(source.module, GraphModule) else ()


def left_out_note(kinds: Sequence[str]) -> Iterator[str]:
    """Yield which kinds of probes no input's domain holds, in one line; nothing where all were asked."""
    if kinds:
        yield f"not compared, because no input holds such values: {', '.join(kinds)} probes"
