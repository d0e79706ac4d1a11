"""Which values of an adopted graph are its package's outputs: the graph cut down to them."""

from collections.abc import Collection, Sequence

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from parity_export.sources.onnx_file.sklearn_meaning import before_zip_map
from parity_export.sources.output_spec import OutputSpec, chosen, decides
from parity_runtime import InputError
from parity_runtime.arguments import argument, did_you_mean

_MEANINGS = ("logits", "probabilities")


def with_outputs(
    model: ModelProto, output_spec: OutputSpec, value: str | None, where: str
) -> tuple[ModelProto, list[str], tuple[str, ...]]:
    """Return a graph with the outputs that are meant, what they are called in the package, and what was left of them.

    An output of sklearn-onnx's dictionaries is the tensor that they are made of. Text is left out where nobody asks
    for it: what is compared are numbers.

    Args:
        model: as it was read; it is not changed.
        output_spec: what the outputs mean.
        value: the value inside of the graph that is meant, where none of the outputs is.
        where: names the file in a message.

    Raises:
        InputError: there is no output of a name, a task of one output has several to choose from, or an output is no
            tensor.
    """
    outputs = {one.name: one for one in model.graph.output}
    pairs = [(value, value)] if value is not None else _pairs(outputs, output_spec, where, _zipped(model))
    found = [(before_zip_map(model.graph.node, name), called) for name, called in pairs]
    notes = [f"{name} is taken as it is before the dictionaries of ZipMap"
             for (name, _), (tensor, _) in zip(pairs, found, strict=True) if tensor != name]  # fmt: skip
    text = [] if chosen(output_spec) else [name for name, _ in found if name in outputs and _is_text(outputs[name])]
    if 0 < len(text) < len(found):
        found = [pair for pair in found if pair[0] not in text]
        notes.append(f"{', '.join(text)} is text, and is left out: only numbers are compared")
    kept = [outputs[name] if name in outputs else ValueInfoProto(name=name) for name, _ in found]
    _check_tensors(kept, where)
    names, called = [name for name, _ in found], [name for _, name in found]
    return model if names == list(outputs) else cut(model, kept), called, tuple(notes)


def _zipped(model: ModelProto) -> set[str]:
    """Return the tensors that dictionaries are made of."""
    return {node.input[0] for node in model.graph.node if node.op_type == "ZipMap"}


def _is_text(value: ValueInfoProto) -> bool:
    return value.type.tensor_type.elem_type == TensorProto.STRING


def _pairs(
    outputs: dict[str, ValueInfoProto], output_spec: OutputSpec, where: str, zipped: Collection[str]
) -> list[tuple[str, str]]:
    """Return the graph's name of each output that is meant, and what it is called in the package."""
    pairs = chosen(output_spec)
    if decides(output_spec.task) and pairs and pairs[0][0] not in outputs and pairs[0][0] in _MEANINGS:
        pairs = []  # it says what the one output is
    for name, _ in pairs:
        if name not in outputs and name not in zipped:
            raise InputError(f"{where} has no output {name}, but {', '.join(outputs)}{did_you_mean(name, outputs)}")
    pairs = pairs or [(name, name) for name in outputs]
    if output_spec.task != "tensors" and len(pairs) > 1:
        meaning = "=logits" if decides(output_spec.task) else ""
        raise InputError(
            f"{argument('task', output_spec.task)} takes one output, and {where} has {', '.join(outputs)}; choose "
            f"one, as {argument('output', f'{pairs[0][0]}{meaning}')}"
        )
    if len({called for _, called in pairs}) < len(pairs):
        raise InputError(f"two outputs would be called the same: {argument('output')} names one twice")
    return pairs


def _check_tensors(outputs: Sequence[ValueInfoProto], where: str) -> None:
    for value in outputs:
        kind = value.type.WhichOneof("value")
        if kind in (None, "tensor_type") and not _is_text(value):
            continue
        what = "text" if kind == "tensor_type" else f"a {str(kind).removesuffix('_type')}"
        raise InputError(
            f"{where} returns {value.name} as {what}, which is not compared; choose its other outputs with "
            + argument("output")
        )


def cut(model: ModelProto, outputs: Sequence[ValueInfoProto]) -> ModelProto:
    """Return a copy with other outputs, without the nodes and initializers that none of them is made of."""
    needed, kept = {value.name for value in outputs}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_reads(node))
    found = ModelProto()
    found.CopyFrom(model)
    for values, wanted in (
        (found.graph.output, outputs),
        (found.graph.node, kept[::-1]),
        (found.graph.initializer, [one for one in model.graph.initializer if one.name in needed]),
    ):
        del values[:]
        values.extend(wanted)
    return found


def _reads(node: NodeProto) -> set[str]:
    """Return the values that a node reads, in its subgraphs too."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            names |= {value.name for value in graph.output}.union(*map(_reads, graph.node))
    return names
